"""`authcontract explain`: what a clause, a variant, a diagnostic, a fault or a silence is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ._shared import USAGE, console, default_policy, load_contract, near, stop

if TYPE_CHECKING:
    from authcontract_policy import Policy
    from rich.console import RenderableType

    from authcontract_conformance.clauses._clause import Clause

Kind = Literal["clause", "variant", "diagnostic", "fault", "silence"]
#: Columns from which on a text has room beside its label.
ROOM = 60
#: What the letter of a variant's id says of it.
BENT: Mapping[str, str] = {
    "C": "a way to show a key",
    "M": "a trick with the method",
    "P": "a trick with path or authority",
    "T": "a trick with the transport",
    "R": "a way around a rate limit",
    "L": "a way to make a server tell too much",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What there is to say of one code."""

    kind: Kind
    code: str
    #: One sentence.
    summary: str
    #: What else there is, by its label.
    details: Mapping[str, str] = field(default_factory=dict)


@click.command("explain", short_help="Explain a clause, a diagnostic, a fault or a silence.")
@click.argument("code", required=False)
@click.option("--family", metavar="NAME", help="List the clauses of this family (RATE), or of this glob.")
@click.option("--policy", metavar="FILE", help="Whose silences; by default policy/synaptiq.yaml or policy.yaml here.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(code: str | None, family: str | None, policy: str | None, format_: str) -> None:
    """Explain a clause (AUTH-1), a variant (V-C10), a diagnostic, a fault (no-key-for-get) or a silence (G-05).

    Without CODE the clauses are listed, one a line; a family (RATE) or a glob (LIFE-*) lists some of them.
    """
    from authcontract_conformance.clauses import catalogue

    if code is not None and family is not None:
        stop("CODE explains one thing, --family lists clauses: give one of them", USAGE)
    if code is None:
        chosen = tuple(catalogue()) if family is None else _listed(family)
        _list([_clause(catalogue()[name]) for name in chosen], format_)
        return
    known = {each.code.casefold(): each for each in _everything()}
    if code.casefold() not in known and _means_several(code):
        _list([_clause(catalogue()[name]) for name in _listed(code)], format_)
        return
    if code.casefold() not in known:
        # Only now, so that a policy with errors stands in nobody's way who asks what they mean.
        known |= {each.code.casefold(): each for each in _silences(policy)}
    found = known.get(code.casefold())
    if found is None:
        hint = near(code, [each.code for each in known.values()]) or "; `authcontract explain` lists the clauses"
        stop(f"nothing is called `{code}`{hint}", USAGE)
    if format_ == "json":
        click.echo(json.dumps(asdict(found), ensure_ascii=False, indent=2))
        return
    out = console()
    out.print(f"{found.code}  ({found.kind})", style="bold")
    out.print(found.summary)
    if found.details:
        out.print()
        out.print(_grid(found.details, room=out.width >= ROOM))


def _means_several(word: str) -> bool:
    """Tell whether a word is a family or a glob."""
    from authcontract_conformance.run._selection import families

    return word.upper() in families() or bool(set("*?[") & set(word))


def _listed(word: str) -> tuple[str, ...]:
    from authcontract_conformance.run._selection import SelectionError, matching

    try:
        return matching([word])
    except SelectionError as error:
        stop(str(error), USAGE)


def _list(found: Iterable[Explanation], format_: str) -> None:
    if format_ == "json":
        click.echo(json.dumps([asdict(each) for each in found], ensure_ascii=False, indent=2))
    else:
        console().print(_grid({each.code: each.summary for each in found}))


def _grid(rows: Mapping[str, str], *, room: bool = True) -> RenderableType:
    """Return labels with their texts, wrapped beside them, or below them where there is no room."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    if room:
        table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows.items():
        if room:
            table.add_row(label, text)
        else:
            table.add_row(Text(label, style="dim"))
            table.add_row(Padding(Text(text, overflow="fold"), (0, 0, 0, 2)))
    return table


def _everything() -> Iterator[Explanation]:
    """Yield what has a code of ours; a policy gives its silences theirs."""
    from authcontract_policy import CODES

    from authcontract_conformance.clauses import MERGED, catalogue
    from authcontract_conformance.faults import FAULTS

    for code, sentence in CODES.items():
        yield Explanation(kind="diagnostic", code=code, summary=sentence)
    for fault in FAULTS:
        details = {
            "caught by": ", ".join(fault.clauses),
            "made by": fault.family.value,
            "see it": f"authcontract verify --fault {fault.name}",
        }
        yield Explanation(kind="fault", code=fault.name, summary=fault.sentence, details=details)
    for clause in catalogue().values():
        yield _clause(clause)
    yield from _variants(catalogue().values())
    for code, merged in MERGED.items():
        where: Mapping[str, str] = {"judged in": merged.into or "no clause", "why": merged.reason}
        whole = _clause(catalogue()[merged.into]).details if merged.into else {}
        yield Explanation(kind="clause", code=code, summary=merged.promise, details={**where, **whole, **where})


def _clause(clause: Clause) -> Explanation:
    from authcontract_conformance.faults import FAULTS
    from authcontract_conformance.reports._meaning import verdicts

    details = {
        "level": f"{clause.level.value}, rests on: {clause.basis.value}",
        "why": clause.why,
        "seen before": "\n".join(clause.precedents),
        "checked": clause.how,
        **verdicts(clause),
        "kept by": clause.fix,
        "source": ", ".join(clause.sources),
        "needs": ", ".join(sorted(need.value for need in clause.needs)),
        "variants": ", ".join(clause.variants),
        "proved by": ", ".join(fault.name for fault in FAULTS if clause.id in fault.clauses),
    }
    return Explanation(
        kind="clause", code=clause.id, summary=clause.promise, details={k: text for k, text in details.items() if text}
    )


def _variants(clauses: Iterable[Clause]) -> Iterator[Explanation]:
    """Yield each variant that some clause tries, with those clauses."""
    tried: dict[str, list[Clause]] = {}
    for clause in clauses:
        for variant in clause.variants:
            tried.setdefault(variant, []).append(clause)
    for variant, by in sorted(tried.items()):
        bent = BENT.get(variant.removeprefix("V-")[:1], "a way to bend a request")
        number = "one clause tries it" if len(by) == 1 else f"{len(by)} clauses try it"
        yield Explanation(
            kind="variant",
            code=variant,
            summary=f"{bent[0].upper()}{bent[1:]}; {number}.",
            details={clause.id: f"{clause.promise} {clause.how}" for clause in by},
        )


def _silences(file: str | None) -> Iterator[Explanation]:
    """Yield the silences of the policy that is named, or of the folder's own where it has one."""
    if file is None and not any(Path(place).is_file() for place in ("policy/synaptiq.yaml", "policy.yaml")):
        return
    from authcontract_engine import compile as compile_contract
    from authcontract_policy import alternatives

    from authcontract_conformance.run._silences import in_words

    loaded = load_contract(file or default_policy(), None)
    policy, specification = loaded.policy, loaded.specification
    assert policy is not None  # noqa: S101  load_contract ends otherwise
    assert specification is not None  # noqa: S101  as above
    contract = compile_contract(policy, specification, loaded.resolution)
    others = alternatives(policy)
    for silence in policy.silences.values():
        answers = [compile_contract(other, specification) for other in others.get(silence.id, ())]
        details = {
            "stands at": _place(policy, silence.id, confirmed=silence.confirmed),
            "state": "confirmed by the owner" if silence.confirmed else "assumed; the owner has not confirmed it",
            "otherwise": _otherwise(len(silence.otherwise)),
            **{f"answer {number}": in_words(contract, other) for number, other in enumerate(answers, 1)},
            "shown by": ", ".join(silence.shown_by),
            "not shown": silence.not_shown or "",
        }
        yield Explanation(
            kind="silence", code=silence.id, summary=silence.answer, details={k: t for k, t in details.items() if t}
        )


def _place(policy: Policy, silence: str, *, confirmed: bool) -> str:
    span = policy.document.span(("silences", "confirmed" if confirmed else "assumed", silence))
    return f"{span.file}:{span.line}" if span else policy.document.file


def _otherwise(number: int) -> str:
    if not number:
        return ""
    answers = "one other answer" if number == 1 else f"{number} other answers"
    return f"the policy accepts {answers} too; a target that gives one is `unspecified`, not wrong"
