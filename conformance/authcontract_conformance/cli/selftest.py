"""`authcontract selftest`: plant each fault and see it caught, and correct servers stay clean."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click

from ._shared import CLEAN, COULD_NOT_RUN, FINDINGS, USAGE, default_policy, load_contract, stop

if TYPE_CHECKING:
    from authcontract_conformance.faults import Fault
    from authcontract_conformance.run._selftest import Proof, Tried


@click.command("selftest", short_help="Prove the suite: plant each fault and see it caught.")
@click.option("--policy", metavar="FILE", help="The policy; by default policy/synaptiq.yaml or policy.yaml here.")
@click.option("--spec", metavar="FILE", help="The specification; by default the one that the policy names.")
@click.option("--fault", "names", multiple=True, metavar="NAME", help="Plant this fault only; may be repeated.")
@click.option("--table", is_flag=True, help="Judge every fault by every clause, and print the table.")
@click.option("--seed", default=1, show_default=True, help="Reproduces what is generated.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    policy: str | None, spec: str | None, names: tuple[str, ...], seed: int, format_: str, *, table: bool
) -> None:
    """Prove the suite: the clauses that name a fault must catch it, and correct servers must be accused of nothing."""
    from authcontract_conformance.run._selftest import selftest

    loaded = load_contract(policy or default_policy(), spec)
    faults = _faults(names)
    text = format_ == "text"
    if text:
        click.echo(f"{len(faults)} faults and 4 correct servers, by {policy or default_policy()}", err=True)
    proof = asyncio.run(
        selftest(loaded, faults, seed=seed, table=table, correct=not names, said=_say if text else _nothing)
    )
    if not text:
        click.echo(json.dumps(_summary(proof), ensure_ascii=False))
    else:
        if table:
            click.echo(_table(proof))
        for name, reason in proof.left_out.items():
            click.echo(f"– {name}: left out, {reason}")
        click.echo(_closing(proof))
    if not proof.faults:
        raise click.exceptions.Exit(COULD_NOT_RUN)
    raise click.exceptions.Exit(FINDINGS if proof.missed or proof.false_alarms else CLEAN)


def _faults(names: tuple[str, ...]) -> tuple[Fault, ...]:
    from authcontract_conformance.faults import FAULTS

    known = {fault.name: fault for fault in FAULTS}
    for name in names:
        if name not in known:
            import difflib

            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else "; `authcontract serve --list-faults` lists them"
            stop(f"there is no fault `{name}`{hint}", USAGE)
    return tuple(known[name] for name in names) if names else tuple(known.values())


def _nothing(_: Tried) -> None:
    """Say nothing."""


def _say(tried: Tried) -> None:
    good = not (tried.missed_by or tried.problem) if tried.named else not (tried.accusers or tried.problem)
    mark = click.style("✔", fg="green") if good else click.style("✘", fg="red", bold=True)
    if not tried.named:
        said = "accused of nothing" if good else f"accused by {', '.join(tried.accusers) or tried.problem}"
    elif good:
        said = f"caught by {', '.join(tried.named)}"
    else:
        said = tried.problem or f"missed by {', '.join(tried.missed_by)}"
    click.echo(f"{mark} {tried.name}  {click.style(said, dim=good)}")


def _table(proof: Proof) -> str:
    """Return faults against the clauses that caught them: N where named, x where another caught it too."""
    lines = []
    for tried in proof.faults:
        others = [clause for clause in tried.accusers if clause not in tried.named]
        lines.append(f"{tried.name:34} {', '.join(tried.named):24} also {', '.join(others) or 'nobody'}")
    alone = {accusers[0] for tried in proof.faults if len(accusers := tried.accusers) == 1}
    everyone = {clause for tried in proof.faults for clause in tried.words}
    lines.append(f"clauses with a fault that they alone catch: {', '.join(sorted(alone))}")
    lines.append(f"clauses without one: {', '.join(sorted(everyone - alone)) or 'none'}")
    return "\n".join(lines)


def _closing(proof: Proof) -> str:
    caught = len(proof.faults) - len(proof.missed)
    verdict = "Proved" if not (proof.missed or proof.false_alarms) else "Not proved"
    parts = [f"{verdict}: {caught} of {len(proof.faults)} faults caught"]
    if proof.missed:
        parts.append(f"missed: {', '.join(proof.missed)}")
    parts.append(f"{len(proof.false_alarms)} false alarms on {len(proof.correct)} correct servers")
    parts.append(f"{proof.requests} requests in {proof.seconds:.1f} s")
    return "; ".join(parts)


def _summary(proof: Proof) -> dict[str, object]:
    return {
        "faults": len(proof.faults),
        "caught": len(proof.faults) - len(proof.missed),
        "missed": list(proof.missed),
        "false_alarms": list(proof.false_alarms),
        "left_out": dict(proof.left_out),
        "requests": proof.requests,
        "seconds": proof.seconds,
    }
