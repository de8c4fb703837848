"""The decisions written down beside a policy, as `NAME.tests.yaml`: each must hold, whatever is edited."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from authcontract_engine import Body, Contract, Decision, Object, Request
from authcontract_engine import compile as compile_contract
from authcontract_policy import Diagnostic, Document, Loaded, Related, Severity, printable, read_document

from . import _ask

ENDING: Final = ".tests.yaml"
#: States in a key's life; the others are ways of sending one.
_LIVED: Final[Mapping[str, _ask.State]] = {"grace": "grace", "expired": "expired", "revoked": "revoked"}


@dataclass(frozen=True, slots=True)
class Tested:
    """What became of the decisions beside a policy."""

    file: str
    diagnostics: tuple[Diagnostic, ...]
    #: How many there are.
    decisions: int = 0
    #: False: the file cannot be read, or has not the shape that it must have.
    readable: bool = True


def policy_of(file: str) -> str:
    """Return the policy that a file of decisions stands beside; a policy is its own."""
    return f"{file.removesuffix(ENDING)}.yaml" if file.endswith(ENDING) else file


def tested(policy: str, loaded: Loaded) -> Tested | None:
    """Hold a policy to the decisions that stand beside it; None where there are none or it cannot be used."""
    path = Path(policy).with_suffix(ENDING)
    broken = any(each.severity is Severity.ERROR for each in loaded.diagnostics)
    if loaded.policy is None or loaded.specification is None or broken or not path.is_file():
        return None
    schema = files("authcontract_policy").joinpath("tests.schema.json").read_text("utf-8")
    document, problems = read_document(path, json.loads(schema))
    if document is None:
        return Tested(str(path), problems, readable=False)
    contract = compile_contract(loaded.policy, loaded.specification, loaded.resolution)
    return Tested(str(path), (*problems, *_differing(contract, document)), len(document.value))


def _differing(contract: Contract, document: Document) -> Iterator[Diagnostic]:
    known = ("allowed", *contract.policy.errors)
    for number, row in enumerate(document.value):
        unknown = next(iter(_unknown(contract, row)), None)
        if unknown is not None:
            word, name, names = unknown
            yield _problem(document, (number, "key", word), "unknown-name", f"the policy has no {word} `{name}`", names)
        elif row["expect"] not in known:
            message = f"the policy has no error `{row['expect']}`"
            yield _problem(document, (number, "expect"), "unknown-name", message, known)
        else:
            decision = _decided(contract, row)
            found = decision.error or (decision.cause.value if decision.cause is not None else "allowed")
            if found != row["expect"]:
                yield _differs(contract, document, number, decision, found)


def _unknown(contract: Contract, row: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield what a key is said to be that the policy does not have: the word, the name, and the names there are."""
    policy, key = contract.policy, row["key"]
    if key == "none":
        return
    known = {"plan": policy.plans, "environment": policy.environments, "kind": tuple(policy.keys.kinds)}
    said = [(word, key[word]) for word in ("scope", *known) if word in key]
    for word, name in (*said, *(("scopes", each) for each in key.get("scopes", ()))):
        names = known.get(word, tuple(contract.resolution.scopes))
        if name not in names:
            yield word, name, names


def _decided(contract: Contract, row: Mapping[str, Any]) -> Decision:
    policy, said = contract.policy, row["key"]
    who = None
    if said != "none":
        who = _ask.Caller(
            kind=said.get("kind", next(iter(policy.keys.kinds))),
            scopes=tuple(said.get("scopes", [said["scope"]] if "scope" in said else [])),
            plan=said.get("plan", next(iter(policy.plans), None)),
            environment=said.get("environment", next(iter(policy.environments), None)),
        )
    state = "active" if who is None else said.get("state", "active")
    key = None if who is None else _ask.made(contract, who, _LIVED.get(state, "active"))
    method, _, path = row["request"].partition(" ")
    scheme = row.get("sent_over", "https")
    environment = _ask.receiver(contract, None, who)
    request = _ask.described(contract, method, path, (), key, scheme=scheme, environment=environment)
    reading = contract.read(_shown(request, state))
    facts = _ask.facts(
        contract,
        reading,
        None if state == "unknown" else key,
        throttled="limit" in row,
        object_=Object(row.get("object", "own")),
        object_kind=None,
        body=Body(row.get("body", "valid")),
    )
    return contract.decide(reading, facts)


def _shown(request: Request, state: str) -> Request:
    """Return the request with its key spoilt, or with another one beside it."""
    *others, (name, value) = request.headers
    if state == "malformed":
        return replace(request, headers=(*others, (name, b"Nonsense " + value)))
    if state == "conflicting":
        another = value[:-1] + (b"b" if value.endswith(b"a") else b"a")
        return replace(request, headers=(*request.headers, (name, another)))
    return request


def _differs(contract: Contract, document: Document, number: int, decision: Decision, found: str) -> Diagnostic:
    row = document.value[number]
    rule = contract.policy.document.span(decision.rule.path)
    return replace(
        _problem(
            document,
            (number, "expect"),
            "decision-differs",
            f"`{row['request']}` is {_in_words(found)}, and should be {_in_words(row['expect'])}",
        ),
        help="change the policy back, or this line if the promise itself has changed",
        related=() if rule is None else (Related(span=rule, label="decides it so"),),
    )


def _in_words(outcome: str) -> str:
    return outcome if outcome == "allowed" else f"refused as {outcome}"


def _problem(
    document: Document, path: tuple[str | int, ...], code: str, message: str, names: tuple[str, ...] = ()
) -> Diagnostic:
    span = document.values.get(path) or document.span(path)
    assert span is not None  # noqa: S101  the path is one of the document
    help_ = f"there is {', '.join(names[:12])}" if names else ""
    return Diagnostic(code=code, message=printable(message), span=span, help=printable(help_))
