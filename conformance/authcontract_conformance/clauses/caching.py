"""CACHE: what is answered to one key is kept from the next."""

from __future__ import annotations

from authcontract_conformance.clauses._clause import Clause

CLAUSES: tuple[Clause, ...] = ()
