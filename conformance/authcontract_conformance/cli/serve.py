"""`authcontract serve`: serve a contract correctly, or with one named fault."""

from __future__ import annotations

import click

from ._shared import load_contract


@click.command("serve", short_help="Serve a contract correctly, or with one named fault.")
@click.option("--policy", metavar="FILE", required=True)
@click.option("--spec", metavar="FILE")
@click.option("--control", is_flag=True)
def command(policy: str, spec: str | None, *, control: bool) -> None:
    """Serve a contract correctly, or with one named fault."""
    import authcontract_engine as engine  # noqa: PLC0415
    from authcontract_conformance.reference import Options, serve  # noqa: PLC0415

    loaded = load_contract(policy, spec)
    serve(engine.compile(loaded.policy, loaded.specification, loaded.resolution), Options(control=control))
