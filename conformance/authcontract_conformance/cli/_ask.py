"""A request as somebody describes it on the command line: the key, the bytes, and the facts about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from authcontract_engine import (
    Body,
    Contract,
    Facts,
    KeyRecord,
    MemoryKeys,
    MemoryLimiter,
    Object,
    Reading,
    Request,
)
from authcontract_policy import SentAs, printable

from authcontract_conformance.reference._http import read_head

from ._shared import USAGE, near, stop

#: Seconds since the epoch; any time will do, since a decision only compares.
NOW: Final = 1_800_000_000.0
DAY: Final = 86_400.0
#: Stands for the key in `--header` and in raw bytes, as it does in the policy.
PLACEHOLDER: Final = b"<key>"

State: TypeAlias = Literal["active", "grace", "expired", "revoked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: what `--as` says, filled up with the first of everything that the policy declares."""

    kind: str
    scopes: tuple[str, ...]
    plan: str | None
    environment: str | None

    def __str__(self) -> str:
        scopes = ", ".join(self.scopes) or "no scope"
        return " · ".join(filter(None, (self.kind, scopes, self.plan, self.environment)))


def caller(contract: Contract, words: str) -> Caller:
    """Read `scope=read plan=starter environment=production kind=...`; ends with what is wrong."""
    policy = contract.policy
    known: Mapping[str, Iterable[str]] = {
        "scope": contract.resolution.scopes,
        "plan": policy.plans,
        "environment": policy.environments,
        "kind": policy.keys.kinds,
    }
    said: dict[str, list[str]] = {name: [] for name in known}
    for name, value in _pairs(words):
        if name not in known:
            stop(f"--as does not know `{name}`{near(name, known) or '; it takes ' + ', '.join(known)}", USAGE)
        for each in value.split(","):
            if each not in known[name]:
                stop(f"the policy has no {name} `{each}`{near(each, known[name]) or _all(known[name])}", USAGE)
            said[name].append(each)
    kind = next(iter(said["kind"] or policy.keys.kinds))
    if policy.keys.kinds[kind].holds == "one scope" and len(said["scope"]) != 1:
        stop(f'a key of kind `{kind}` holds one scope: say --as "scope={next(iter(known["scope"]), "NAME")}"', USAGE)
    return Caller(
        kind=kind,
        scopes=tuple(said["scope"]),
        plan=next(iter(said["plan"] or policy.plans), None),
        environment=next(iter(said["environment"] or policy.environments), None),
    )


def _all(names: Iterable[str]) -> str:
    """Return the first names there are."""
    first = [printable(name) for _, name in zip(range(12), names, strict=False)]
    return f"; there is {', '.join(first)}" if first else ""


def receiver(contract: Contract, name: str | None, who: Caller | None) -> str | None:
    """Return the environment whose base URL receives the request: the key's own unless another is named."""
    policy = contract.policy
    if name is not None and name not in policy.environments:
        stop(
            f"the policy has no environment `{name}`{near(name, policy.environments) or _all(policy.environments)}",
            USAGE,
        )
    if policy.base_url.dimension is None:
        return None
    return name or (who.environment if who is not None else None) or next(iter(policy.environments))


def kind_of_object(contract: Contract, name: str | None) -> str | None:
    """Return a kind of object that the policy declares, or none where none is named."""
    kinds = contract.policy.objects
    if name is not None and name not in kinds:
        stop(f"the policy has no kind of object `{name}`{near(name, kinds) or _all(kinds)}", USAGE)
    return name


#: Words by which people say that there is no key.
NOBODY = ("none", "nobody", "anonymous", "no-key")


def _pairs(words: str) -> Iterable[tuple[str, str]]:
    """Split `kind=API key scope=read`: a value may hold spaces, a name may not."""
    found: list[list[str]] = []
    for word in words.split():
        name, equals, value = word.partition("=")
        if equals:
            found.append([name, value])
        elif found:
            found[-1][1] += f" {word}"
        elif word in NOBODY:
            stop(f"--as says what a key is, and `{word}` is none: a request without a key is --no-key", USAGE)
        else:
            stop(f"--as is written `scope=read plan=starter`, not `{word}`", USAGE)
    return [(name, value) for name, value in found]


@dataclass(frozen=True, slots=True)
class Key:
    """A key made for one question; its secret goes nowhere but into that request."""

    record: KeyRecord
    secret: bytes = field(repr=False)


def made(contract: Contract, who: Caller, state: State) -> Key:
    """Make a key in the wanted state of its life."""
    keys = MemoryKeys(contract)
    record, secret = keys.issue(
        organisation="yours",
        environment=who.environment,
        kind=who.kind,
        scopes=who.scopes,
        plan=who.plan,
        now=NOW - DAY,
    )
    changed: Mapping[State, KeyRecord] = {
        "active": replace(record, expires_at=None),
        "grace": replace(record, rotated_at=NOW - 1, grace=DAY, expires_at=None),
        "expired": replace(record, expires_at=NOW - 1),
        "revoked": replace(record, revoked_at=NOW - 1),
    }
    return Key(changed[state], secret.encode())


def described(
    contract: Contract,
    method: str,
    path: str,
    headers: tuple[str, ...],
    key: Key | None,
    *,
    scheme: Literal["https", "http"],
    environment: str | None,
) -> Request:
    """Return the request that the flags describe; the key goes where it is documented, unless a header has it."""
    lines = [_header(each) for each in headers]
    target = (contract.base_path(environment) + path if path.startswith("/") else path).encode()
    if key is not None and not any(PLACEHOLDER in value for _, value in lines):
        way = contract.policy.keys.sent_as[0]
        if way.carrier == "query":
            target += (b"&" if b"?" in target else b"?") + way.name.encode() + b"=" + key.secret
        else:
            lines.append((way.name.encode(), _carried(way, key.secret)))
    if not any(name.lower() == b"host" for name, _ in lines):
        lines.insert(0, (b"Host", b"localhost"))
    return Request(
        scheme=scheme,
        environment=environment,
        method=method.encode(),
        target=target,
        headers=tuple((name, _filled(value, key)) for name, value in lines),
    )


def received(data: bytes, key: Key | None, *, scheme: Literal["https", "http"], environment: str | None) -> Request:
    """Return the request that these bytes are, read as the reference server reads them."""
    head = read_head(_filled(data, key).partition(b"\r\n\r\n")[0])
    return Request(
        scheme=scheme,
        environment=environment,
        method=head.method,
        target=head.target,
        headers=head.headers,
        problem=head.problem,
    )


def _header(text: str) -> tuple[bytes, bytes]:
    name, colon, value = text.partition(":")
    if not colon:
        stop(f"--header is written `Name: value`, not `{text}`", USAGE)
    return name.encode(), value.strip(" \t").encode()


def _carried(way: SentAs, secret: bytes) -> bytes:
    """Put the key into a documented template, encoded where it says so."""
    before, _, after = way.template.encode().partition(PLACEHOLDER)
    if before.endswith(b"base64("):
        import base64

        inside, _, after = after.partition(b")")
        return before.removesuffix(b"base64(") + base64.b64encode(secret + inside) + after
    return before + secret + after


def _filled(data: bytes, key: Key | None) -> bytes:
    if key is None:
        return data
    return data.replace(PLACEHOLDER, key.secret)


def facts(
    contract: Contract,
    reading: Reading,
    key: Key | None,
    *,
    throttled: bool,
    object_: Object,
    object_kind: str | None,
    body: Body,
) -> Facts:
    """Return what the request does not say; usage is that of a first request, or of one after the last was spent."""
    record = key.record if key is not None and reading.presented.digest == key.record.digest else None
    charges = contract.charges(reading, record, NOW)
    limiter = MemoryLimiter(contract)
    if throttled:
        limiter.reserve(tuple(replace(charge, cost=charge.burst) for charge in charges), NOW)
    usage = limiter.reserve(charges, NOW) if charges else None
    return Facts(key=record, now=NOW, usage=usage, object=object_, object_kind=object_kind, body=body)
