"""A change of a policy that confirms answers to its silences, as the owner of the API can read, paste and correct it.

The change is a partial policy: blocks merge word by word, any other value replaces what stands, and `null` takes a word
away. Several answers may change one list; each takes away and adds what it would by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ._alternatives import combined, merged
from ._model import Policy, Silence


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer to a silence that was seen: which, the sentence for it, and a remark on what showed it."""

    silence: str
    #: 0: as assumed; n: the n-th entry of `otherwise`.
    number: int
    text: str
    remark: str = ""


def suggested(policy: Policy, answers: Iterable[Answered]) -> Mapping[str, Any]:
    """Return the change that confirms these answers; empty where there is none to confirm."""
    chosen = [each for each in answers if not policy.silences[each.silence].confirmed]
    if not chosen:
        return {}
    change: Any = {}
    for answer in chosen:
        if answer.number:
            entry = policy.silences[answer.silence].otherwise[answer.number - 1]
            change = combined(policy.document.value, change, entry)
    assumed = policy.document.value["silences"]["assumed"]
    named = {answer.silence for answer in chosen}
    confirmed = {answer.silence: _confirmed(policy.silences[answer.silence], answer.text) for answer in chosen}
    if named == set(assumed):
        return {"silences": {"assumed": None, "confirmed": confirmed}, **change}
    moved = dict.fromkeys((name for name in assumed if name in named), None)
    return {"silences": {"assumed": {**moved, **_carried(policy, change, named)}, "confirmed": confirmed}, **change}


def confirming(policy: Policy, answers: Iterable[Answered]) -> Any:
    """Return the whole policy, as plain values, with these answers confirmed."""
    return merged(policy.document.value, suggested(policy, answers))


def as_yaml(policy: Policy, answers: Iterable[Answered]) -> str:
    """Return the change as YAML, each confirmed answer below its remark."""
    chosen = list(answers)
    change = suggested(policy, chosen)
    if not change:
        return ""
    remarks = {answer.silence: answer.remark for answer in chosen}
    lines = ["silences:"]
    assumed = change["silences"]["assumed"]
    lines += ["  assumed: null"] if assumed is None else ["  assumed:", *(f"    {line}" for line in _dumped(assumed))]
    lines.append("  confirmed:")
    for name, answer in change["silences"]["confirmed"].items():
        lines += [f"    # {remark}" for remark in [" ".join(remarks[name].split())] if remark]
        lines += [f"    {line}" for line in _dumped({name: answer})]
    rest = {word: value for word, value in change.items() if word != "silences"}
    return "\n".join([*lines, *(_dumped(rest) if rest else [])]) + "\n"


def _confirmed(silence: Silence, text: str) -> Any:
    """Return a silence as it stands once it is confirmed."""
    kept: dict[str, Any] = {"shown_by": list(silence.shown_by)} if silence.shown_by else {}
    if silence.not_shown is not None:
        kept["not_shown"] = silence.not_shown
    return {"answer": text, **kept} if kept else text


def _carried(policy: Policy, change: Any, named: set[str]) -> Mapping[str, Any]:
    """Return the other answers of silences that stay assumed, where they replace a list that this change replaces."""
    found = {}
    for silence in policy.silences.values():
        entries = [_rebased(policy.document.value, change, entry) for entry in silence.otherwise]
        if silence.id not in named and entries != list(silence.otherwise):
            found[silence.id] = {"otherwise": entries}
    return found


def _rebased(whole: Any, change: Any, entry: Any) -> Any:
    """Return an entry that takes away and adds in a list what it did before the change."""
    if isinstance(change, Mapping) and isinstance(entry, Mapping):
        below = whole if isinstance(whole, Mapping) else {}
        return {word: _rebased(below.get(word), change.get(word), value) for word, value in entry.items()}
    both = isinstance(change, list) and isinstance(entry, list) and isinstance(whole, list)
    return combined(whole, change, entry) if both else entry


def _dumped(value: Any) -> list[str]:
    plain = _plain(value)
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)).splitlines()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
