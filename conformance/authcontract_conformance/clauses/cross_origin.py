"""CORS: browsers of strangers get nothing."""

from __future__ import annotations

from authcontract_conformance.clauses._clause import Clause

CLAUSES: tuple[Clause, ...] = ()
