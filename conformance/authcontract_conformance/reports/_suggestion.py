"""The YAML that would confirm what a target was seen to do where the documentation is silent."""

from __future__ import annotations

from collections.abc import Iterator

from authcontract_policy import Answered, Policy, as_yaml

from authcontract_conformance._events import SilenceJudged
from authcontract_conformance.run._run import Result


def answered(policy: Policy, result: Result) -> Iterator[Answered]:
    """Yield each answer that the target was seen to give, always the same and one that the policy accepts."""
    for row in result.silences:
        if row.confirmed or not (row.state == "as assumed" or (row.state == "otherwise" and row.otherwise)):
            continue
        number = row.otherwise[0] if row.state == "otherwise" else 0
        text = policy.silences[row.silence].answer if not number else f"{_sentence(row.seen)}."
        yield Answered(silence=row.silence, number=number, text=text, remark=_remark(row))


def suggestion(policy: Policy, result: Result) -> str:
    """Return a partial policy as YAML, with what it rests on as comments."""
    lines = [f"# What {result.target} was seen to do where the documentation is silent, by {policy.document.file}."]
    text = as_yaml(policy, answered(policy, result))
    if not text:
        return "\n".join([*lines, "# Nothing was seen that is not confirmed already.", ""])
    lines.append("# The owner of the API reads it, corrects it, and merges it into the policy; null takes a row away.")
    for state, words in (("inconsistent", "answered in two ways"), ("not seen", "not seen in this run")):
        left = [row.silence for row in result.silences if row.state == state]
        lines += [f"# {words.capitalize()}, and so left as they are: {', '.join(left)}."] if left else []
    return "\n".join([*lines, text])


def _remark(row: SilenceJudged) -> str:
    otherwise = row.state == "otherwise"
    what = f"otherwise than assumed ({row.answer})" if otherwise else "as assumed"
    if otherwise and len(row.otherwise) > 1:
        what += f", as answer {' or '.join(map(str, row.otherwise))}, of which the first is taken"
    elif row.otherwise and not otherwise:
        what += f", but {row.seen}"
    example = f", see exchange {row.exchange}" if row.exchange is not None else ""
    return f"{what}: {row.responses} response{'s' * (row.responses != 1)}{example}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
