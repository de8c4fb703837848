"""`authcontract selftest`: plant each fault and see it caught, and correct servers stay clean."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ._shared import CLEAN, COULD_NOT_RUN, FINDINGS, INTERRUPTED, USAGE, default_policy, load_contract, near, stop

if TYPE_CHECKING:
    from types import FrameType

    from authcontract_policy import Loaded

    from authcontract_conformance.faults import Fault
    from authcontract_conformance.run._selftest import Plan, Proof, Tried

#: Names that a line shows of those that are left out for one reason.
SHOWN = 4


@click.command("selftest", short_help="Prove the suite: plant each fault and see it caught.")
@click.option("--policy", metavar="FILE", help="The policy; by default policy/synaptiq.yaml or policy.yaml here.")
@click.option("--spec", metavar="FILE", help="The specification; by default the one that the policy names.")
@click.option("--fault", "names", multiple=True, metavar="NAME", help="Plant this fault only; may be repeated.")
@click.option("--only", multiple=True, metavar="CLAUSES", help="Prove these: ids, families, globs.")
@click.option("--table", is_flag=True, help="Judge every fault by every clause, and print the table.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Judge so many at once; by default one a core.")
@click.option("--seed", default=1, show_default=True, help="Reproduces what is generated.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    policy: str | None,
    spec: str | None,
    names: tuple[str, ...],
    only: tuple[str, ...],
    jobs: int | None,
    seed: int,
    format_: str,
    *,
    table: bool,
) -> None:
    """Prove the suite: the clauses that name a fault must catch it, and correct servers must be accused of nothing.

    Faults that change nothing under the contract are left out, and it is said why.
    """
    from authcontract_conformance.run._sampled import sampled
    from authcontract_conformance.run._selection import SelectionError, matching
    from authcontract_conformance.run._selftest import cores, plan, selftest

    faults = _faults(names)
    try:
        clauses = matching(only)
    except SelectionError as error:
        stop(str(error), USAGE)
    whole = load_contract(policy or default_policy(), spec)
    loaded = sampled(whole)
    planned = plan(loaded, faults, only=clauses, correct=not names)
    text = format_ == "text"
    if text:
        click.echo(_heading(planned, policy or default_policy(), jobs or cores()), err=True)
        if loaded is not whole:
            click.echo(_only_some(loaded, whole), err=True)
    # A shell that starts it in the background lets it ignore SIGINT; who sends one all the same means it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _as_interrupt)
    proof = selftest(loaded, planned, seed=seed, table=table, jobs=jobs, said=_say if text else _nothing)
    click.echo("\n".join(_report(proof)) if text else json.dumps(_summary(proof), ensure_ascii=False))
    raise click.exceptions.Exit(_code(proof))


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _code(proof: Proof) -> int:
    if proof.interrupted:
        return INTERRUPTED
    if proof.missed or proof.false_alarms or proof.unproved:
        return FINDINGS
    return CLEAN if proof.faults else COULD_NOT_RUN


def _faults(names: tuple[str, ...]) -> tuple[Fault, ...]:
    from authcontract_conformance.faults import FAULTS

    known = {fault.name: fault for fault in FAULTS}
    for name in names:
        if name not in known:
            hint = near(name, known) or "; `authcontract serve --list-faults` lists them"
            stop(f"there is no fault `{name}`{hint}", USAGE)
    return tuple(known[name] for name in dict.fromkeys(names)) if names else tuple(known.values())


def _nothing(_: Tried) -> None:
    """Say nothing."""


def _heading(planned: Plan, policy: str, jobs: int) -> str:
    servers = f" and {len(planned.correct)} correct servers" if planned.correct else ""
    without = f", {len(planned.left_out)} left out" if planned.left_out else ""
    return f"{_faults_of(len(planned.faults))}{servers}{without}, by {policy}, {jobs} at once"


def _only_some(loaded: Loaded, whole: Loaded) -> str:
    taken, there = (len(each.specification.operations) if each.specification else 0 for each in (loaded, whole))
    return f"Of {there} operations {taken} are served and judged, in whole families of paths"


def _faults_of(number: int) -> str:
    return "1 fault" if number == 1 else f"{number} faults"


# --- as it goes ------------------------------------------------------------------------------------------------------


def _say(tried: Tried) -> None:
    if tried.blind:
        click.echo(f"– {tried.name}  {click.style(f'left out: {tried.blind}', dim=True)}")
        return
    good = not (tried.missed_by or tried.problem) if tried.named else not (tried.accusers or tried.problem)
    mark = click.style("✔", fg="green") if good else click.style("✘", fg="red", bold=True)
    click.echo(f"{mark} {tried.name}  {click.style(_said(tried, good=good), dim=good)}")


def _said(tried: Tried, *, good: bool) -> str:
    if not tried.named:
        return "accused of nothing" if good else tried.problem or f"accused by {', '.join(tried.accusers)}"
    if good:
        return f"caught by {', '.join(tried.named)}"
    if tried.problem:
        return tried.problem
    warned = [clause for clause in tried.missed_by if clause in tried.accusers]
    missed = [clause for clause in tried.missed_by if clause not in warned]
    said = [f"missed by {', '.join(missed)}"] if missed else []
    said += [f"{', '.join(warned)} must fail and only warned"] if warned else []
    said += [_instead(tried.instead)] if missed and tried.instead is not None else []
    return "; ".join(said)


def _instead(others: tuple[str, ...]) -> str:
    if not others:
        return "no other clause catches it either"
    return f"{', '.join(others)} {'catches' if len(others) == 1 else 'catch'} it"


# --- the report ------------------------------------------------------------------------------------------------------


def _report(proof: Proof) -> Iterator[str]:
    if proof.table:
        yield from _table(proof)
    yield from _left_out(proof)
    if proof.unproved:
        yield f"Clauses without a fault that they alone catch: {', '.join(proof.unproved)}"
    yield _closing(proof)


def _table(proof: Proof) -> Iterator[str]:
    """Yield each fault with the clauses that caught it, then each clause with the faults that it alone catches."""
    width = max((len(tried.name) for tried in proof.faults), default=0)
    yield f"\n{'fault':{width}}  caught by; those that it names are marked *"
    for tried in sorted(proof.faults, key=lambda tried: tried.name):
        caught = [f"{clause}*" if clause in tried.named else clause for clause in tried.accusers]
        yield f"{tried.name:{width}}  {' '.join(caught) or 'none'}"
    width = max(map(len, proof.alone), default=0)
    yield f"\n{'clause':{width}}  faults that it alone catches"
    for clause, faults in proof.alone.items():
        yield f"{clause:{width}}  {', '.join(faults) or '–'}"
    yield ""


def _left_out(proof: Proof) -> Iterator[str]:
    from authcontract_conformance.run._selftest import grouped

    for reason, names in grouped(proof.left_out):
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        yield f"– left out, {reason}: {', '.join(names[:SHOWN])}{more}"


def _closing(proof: Proof) -> str:
    caught = len(proof.faults) - len(proof.missed)
    proved = proof.faults and not (proof.missed or proof.false_alarms or proof.unproved)
    verdict = "Interrupted" if proof.interrupted else "Proved" if proved else "Not proved"
    parts = [f"{verdict}: {caught} of {_faults_of(len(proof.faults))} caught"]
    if proof.missed:
        parts.append(f"missed: {', '.join(proof.missed)}")
    if proof.correct:
        alarms, servers = len(proof.false_alarms), len(proof.correct)
        parts.append(f"{alarms} false alarm{'' if alarms == 1 else 's'} on {servers} correct servers")
    if proof.unproved:
        number = len(proof.unproved)
        parts.append(f"{number} clause{' has' if number == 1 else 's have'} no fault that no other catches")
    parts.append(f"{proof.requests} requests in {proof.seconds:.1f} s")
    return "; ".join(parts)


def _summary(proof: Proof) -> dict[str, object]:
    return {
        "faults": len(proof.faults),
        "caught": len(proof.faults) - len(proof.missed),
        "missed": list(proof.missed),
        "false_alarms": list(proof.false_alarms),
        "left_out": dict(proof.left_out),
        "details": [
            {
                "fault": tried.name,
                "named": list(tried.named),
                "caught_by": list(tried.accusers),
                "missed_by": list(tried.missed_by),
                "instead": None if tried.instead is None else list(tried.instead),
                "problem": tried.problem,
                "seconds": tried.seconds,
            }
            for tried in proof.faults
        ],
        "alone": {clause: list(faults) for clause, faults in proof.alone.items()} if proof.table else None,
        "unproved": list(proof.unproved),
        "requests": proof.requests,
        "seconds": proof.seconds,
        "interrupted": proof.interrupted,
    }
