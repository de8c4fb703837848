"""`authcontract decide`: decide one request, step by step, and show the response that would be sent."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from ._shared import USAGE, compiled, quote, stop

if TYPE_CHECKING:
    from authcontract_engine import Contract, Decision, Facts, Reading, Response, Step

    from ._ask import Caller, Key, State

#: Bytes of standard input that are read; more than any server would.
MOST: Final = 1024 * 1024
#: Outcome of a check -> what stands beside its name.
GLYPHS: Final[Mapping[str, str]] = {"passed": "✔", "refused": "✘", "not reached": " "}


@click.command("decide", short_help="Decide one request, step by step.")
@click.argument("policy")
@click.argument("method", required=False)
@click.argument("path", required=False)
@click.option("--spec", metavar="FILE", help="Its OpenAPI document, where it is not the one that the policy names.")
@click.option(
    "--as",
    "words",
    metavar="WORDS",
    default="",
    help='Whose key: "scope=read plan=pro environment=sandbox kind=NAME"; several scopes with commas.',
)
@click.option("--no-key", is_flag=True, help="Send no key.")
@click.option(
    "--key-state",
    type=click.Choice(["active", "grace", "expired", "revoked"]),
    default="active",
    show_default=True,
    help="Where the key is in its life.",
)
@click.option(
    "--header", "headers", multiple=True, metavar="LINE", help="A header line; <key> in it stands for the key."
)
@click.option("--scheme", type=click.Choice(["https", "http"]), default="https", show_default=True)
@click.option("--throttled", is_flag=True, help="The last request that the limits allow was the one before.")
@click.option(
    "--object",
    "object_",
    type=click.Choice(["own", "foreign", "absent"]),
    default="own",
    show_default=True,
    help="Whose the addressed object is.",
)
@click.option("--object-kind", metavar="NAME", help="Of which kind it is, where the policy tells kinds apart.")
@click.option("--at", "at", metavar="ENVIRONMENT", help="Whose base URL receives it; by default that of the key.")
@click.option("--body", type=click.Choice(["valid", "invalid"]), default="valid", show_default=True)
@click.option("--raw", is_flag=True, help="Read the request's bytes from standard input; <key> stands for the key.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    policy: str,
    method: str | None,
    path: str | None,
    spec: str | None,
    words: str,
    key_state: State,
    headers: tuple[str, ...],
    scheme: Literal["https", "http"],
    object_: str,
    object_kind: str | None,
    at: str | None,
    body: str,
    format_: str,
    *,
    no_key: bool,
    throttled: bool,
    raw: bool,
) -> None:
    """Decide one request, step by step, and show the response that would be sent.

    PATH is relative to the base URL. What --as leaves out is the first that the policy declares.
    """
    from authcontract_engine import Body, Object, explain

    from . import _ask

    if raw is (method is not None or path is not None) or (method is None) is not (path is None):
        stop("say METHOD and PATH, or --raw and give the request on standard input", USAGE)
    contract = compiled(policy, spec)
    who = None if no_key else _ask.caller(contract, words)
    key = None if who is None else _ask.made(contract, who, key_state)
    environment = _ask.receiver(contract, at, who)
    if method is None or path is None:
        request = _ask.received(sys.stdin.buffer.read(MOST), key, scheme=scheme, environment=environment)
    else:
        request = _ask.described(contract, method, path, headers, key, scheme=scheme, environment=environment)
    reading = contract.read(request)
    facts = _ask.facts(
        contract,
        reading,
        key,
        throttled=throttled,
        object_=Object(object_),
        object_kind=_ask.kind_of_object(contract, object_kind),
        body=Body(body),
    )
    answer = Answer(contract, reading, facts, explain(contract, reading, facts))
    if format_ == "json":
        click.echo(json.dumps(answer.values(who), indent=2))
    else:
        answer.print(who, key)


class Answer:
    """A decision with everything that there is to show of it."""

    def __init__(self, contract: Contract, reading: Reading, facts: Facts, steps: tuple[Step, ...]) -> None:
        self.contract = contract
        self.reading = reading
        self.facts = facts
        self.steps = steps
        self.decision: Decision = contract.decide(reading, facts)
        self.response: Response | None = None
        if not self.decision.allowed:
            self.response = contract.refuse(self.decision, reading, facts, request_id="req_example")

    def print(self, who: Caller | None, key: Key | None) -> None:
        """Print the steps, the rule, and the response."""
        from authcontract_policy import printable

        from ._because import because

        method, target = (self._shown(each, key) for each in (self.reading.request.method, self.reading.request.target))
        width = shutil.get_terminal_size().columns
        whose = "without a key" if who is None else f"with {who}"
        click.echo(printable(f"{method} {target} over {self.reading.request.scheme}, {whose}"))
        click.echo()
        for step in self.steps:
            said = because(self.contract, self.reading, self.facts, step)
            line = printable(f"{GLYPHS[step.outcome]} {step.check:<10} {step.outcome:<12} {said}").rstrip()
            click.echo(textwrap.fill(line, width, subsequent_indent=" " * 26))
        click.echo()
        click.echo(f"{self._sentence()}\n{quote(self.contract.policy, self.decision.rule.path)}".rstrip())
        click.echo()
        click.echo(self._wire())

    def _shown(self, data: bytes, key: Key | None) -> str:
        """Return bytes as text, without the key that may stand in them."""
        if key is not None:
            data = data.replace(key.secret, b"<key>")
        return data.decode("latin-1")

    def _sentence(self) -> str:
        from authcontract_policy import printable

        decision = self.decision
        if decision.allowed:
            label = decision.operation.label if decision.operation is not None else "the request"
            return printable(f"Allowed: {label} goes on to the application")
        statuses = " or ".join(map(str, decision.statuses))
        if decision.error is None:
            return f"Refused: {statuses} because of {decision.cause}, HTTP's usual status: no row of `errors` has it"
        return printable(f"Refused: {statuses} {decision.error} because of {decision.cause}")

    def _wire(self) -> str:
        """Return the response as it would be sent; of an allowed one the headers that the policy adds."""
        from authcontract_policy import printable

        if self.response is None:
            headers = self.contract.headers(self.reading, self.facts, secure=self.reading.request.scheme == "https")
            first, body = "The application answers; the policy adds:" if headers else "The application answers", ""
        else:
            headers = self.response.headers
            first = f"HTTP/1.1 {self.response.status} {_phrase(self.response.status)}"
            body = _pretty(self.response.body)
        lines = [first, *(f"{name}: {value}" for name, value in headers)]
        text = "\n".join(map(printable, lines))
        return f"{text}\n\n{body}".rstrip()

    def values(self, who: Caller | None) -> dict[str, Any]:
        """Return what `decide.schema.json` describes."""
        from ._because import because

        decision = self.decision
        span = self.contract.policy.document.span(decision.rule.path) if decision.rule.path else None
        return {
            "allowed": decision.allowed,
            "operation": decision.operation.id if decision.operation is not None else None,
            "cause": decision.cause.value if decision.cause is not None else None,
            "error": decision.error,
            "statuses": list(decision.statuses),
            "limit": decision.limit,
            "key": None
            if who is None
            else {"kind": who.kind, "scopes": list(who.scopes), "plan": who.plan, "environment": who.environment},
            "steps": [
                {
                    "check": step.check.value,
                    "outcome": step.outcome,
                    "because": because(self.contract, self.reading, self.facts, step),
                }
                for step in self.steps
            ],
            "rule": {
                "path": list(decision.rule.path),
                "source": decision.rule.source,
                "file": span.file if span is not None else None,
                "line": span.line if span is not None else None,
                "column": span.column if span is not None else None,
            },
            "response": None
            if self.response is None
            else {
                "status": self.response.status,
                "headers": [list(each) for each in self.response.headers],
                "body": self.response.body.decode("utf-8", "replace"),
            },
        }


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _pretty(body: bytes) -> str:
    """Return a JSON body on several lines; any text in it is escaped, so that no control character gets through."""
    try:
        return json.dumps(json.loads(body), indent=2)
    except ValueError:
        return ascii(body.decode("latin-1"))[1:-1]
