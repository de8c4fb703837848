"""ROUTE: one path has one spelling, and no other opens what that one keeps shut."""

from __future__ import annotations

from authcontract_conformance.clauses._clause import Clause

CLAUSES: tuple[Clause, ...] = ()
