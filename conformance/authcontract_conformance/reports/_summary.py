"""The result of a run as one JSON object (`verify.schema.json`), for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from authcontract_conformance.oracle._verdict import Word
from authcontract_conformance.run._run import Result


def summary(result: Result) -> dict[str, Any]:
    """Return the object that `verify --format json` prints."""
    return {
        "verdict": result.verdict.value,
        "counts": dict(result.counts),
        "clauses": {verdict.clause: verdict.word.value for verdict in result.clauses},
        "missing": _missing(result),
        "findings": [asdict(finding) for finding in result.findings],
        "silences": [asdict(silence) for silence in result.silences],
        "requests": result.requests,
        "seconds": result.seconds,
        "seed": result.seed,
        "policy": asdict(result.policy),
        "specification": asdict(result.specification),
        "target": result.target,
        "stopped": result.stopped,
        "interrupted": result.interrupted,
    }


def _missing(result: Result) -> dict[str, list[str]]:
    """Return each capability that the target lacks with the clauses that were skipped for it."""
    found: dict[str, list[str]] = {}
    for verdict in result.clauses:
        if verdict.word is Word.SKIPPED and verdict.applicable:
            for capability in verdict.missing:
                found.setdefault(capability, []).append(verdict.clause)
    return found
