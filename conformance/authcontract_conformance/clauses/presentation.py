"""AUTH: how a key is sent, and which ways of sending it must get nowhere."""

from __future__ import annotations

from authcontract_conformance.clauses._clause import Clause

CLAUSES: tuple[Clause, ...] = ()
