"""RATE: no way around a limit, and nobody pays for another."""

from __future__ import annotations

from authcontract_conformance.clauses._clause import Clause

CLAUSES: tuple[Clause, ...] = ()
