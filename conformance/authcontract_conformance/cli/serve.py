"""`authcontract serve`: serve a contract correctly, or with one named fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ._shared import USAGE, default_policy, load_contract, stop

if TYPE_CHECKING:
    from authcontract_policy import Algorithm

    from authcontract_conformance.faults import Fault

ALGORITHMS = ("fixed_window", "sliding_log", "window_counter", "token_bucket")


@click.command("serve", short_help="Serve a contract correctly, or with one named fault.")
@click.option("--policy", metavar="FILE", help="The policy to serve.")
@click.option("--spec", metavar="FILE", help="Its OpenAPI document, where it is not the one that the policy names.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="TLS port; 0 is any free one.")
@click.option("--plaintext-port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port of plain HTTP.")
@click.option("--control", is_flag=True, help="Open a port on loopback that issues keys and moves the clock.")
@click.option("--algorithm", type=click.Choice(ALGORITHMS), help="How to count where the policy leaves that open.")
@click.option("--fault", metavar="NAME", help="Plant one defect.")
@click.option("--list-faults", is_flag=True, help="List the defects with the clauses that must catch each.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="Of --list-faults.")
def command(
    *,
    policy: str | None,
    spec: str | None,
    port: int,
    plaintext_port: int,
    control: bool,
    algorithm: Algorithm | None,
    fault: str | None,
    list_faults: bool,
    format_: str,
) -> None:
    """Serve a contract correctly, or with one named fault.

    Listens on 127.0.0.1, says where on one line of JSON, and ends with SIGTERM, Ctrl-C, or whoever started it. Keys
    come from the control port.
    """
    if list_faults:
        _list(format_)
        return
    import authcontract_engine as engine

    from authcontract_conformance.reference import CORRECT, Options, serve

    seams = CORRECT if fault is None else _fault(fault).plant(CORRECT)
    loaded = load_contract(policy or default_policy(), spec)
    assert loaded.policy is not None  # noqa: S101  load_contract ends otherwise
    assert loaded.specification is not None  # noqa: S101  likewise
    contract = engine.compile(loaded.policy, loaded.specification, loaded.resolution)
    serve(
        contract,
        Options(port=port, plaintext_port=plaintext_port, control=control, algorithm=algorithm, seams=seams),
    )


def _fault(name: str) -> Fault:
    """Return a fault, or end with the name that was probably meant."""
    import difflib

    from authcontract_conformance.faults import FAULTS, fault

    found = fault(name)
    if found is None:
        near = difflib.get_close_matches(name, [each.name for each in FAULTS], n=1)
        hint = f"did you mean `{near[0]}`?" if near else "see --list-faults"
        stop(f"no fault is called `{name}`: {hint}", USAGE)
    return found


def _list(format_: str) -> None:
    """Print the catalogue."""
    from authcontract_conformance.faults import FAULTS

    if format_ == "json":
        import json

        rows = [
            {"name": f.name, "sentence": f.sentence, "family": f.family.value, "clauses": list(f.clauses)}
            for f in FAULTS
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(len(each.name) for each in FAULTS)
    for each in FAULTS:
        click.echo(f"{each.name:<{width}}  {', '.join(each.clauses)}  ({each.family.value})")
        click.echo(click.wrap_text(each.sentence, width=100, initial_indent="    ", subsequent_indent="    "))
