"""What a response says of a limit: the policy's own headers, and the families of fields that are in use.

The newest draft has two lists of Structured Fields (RFC 9651), `RateLimit-Policy: "name";q=30;w=60` and
`RateLimit: "name";r=29;t=50`. Older ones have one field `RateLimit: limit=30, remaining=29, reset=50`, or three,
`RateLimit-Limit`, `-Remaining` and `-Reset`; before them came `X-RateLimit-*`, whose reset may be a time of day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from authcontract_policy import RateLimit

from authcontract_conformance.exchange._exchange import Exchange

#: A number of seconds that is larger counts from 1970, not from now (clauses 4.7).
EPOCH = 10**9
#: Largest integer of a Structured Field (RFC 9651 section 3.3.1).
LARGEST_INTEGER = 999_999_999_999_999
_PLACEHOLDER = re.compile(r"<([a-z_]+)>")
#: Family -> the names of its fields for the amount, what is left, and when there is more.
_THREE: Mapping[str, tuple[str, str, str]] = {
    "RateLimit-*": ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
    "X-RateLimit-*": ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
    "X-Rate-Limit-*": ("X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"),
}
_OLD_ITEM = re.compile(r"(limit|remaining|reset)=(\d+)")
#: Parameters whose values the draft bounds: name -> the least.
_WHOLE = {"q": 0, "r": 0, "t": 0, "w": 1}


@dataclass(frozen=True, slots=True)
class Token:
    """A bare word of a Structured Field."""

    text: str


Bare: TypeAlias = int | float | str | bytes | bool | Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one family says of one limit; None where it says nothing."""

    family: str
    name: str | None = None
    limit: int | None = None
    remaining: int | None = None
    window: int | None = None
    #: Seconds from now until there is more.
    reset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Everything that the known families say, and what is wrong with how they say it."""

    said: tuple[Said, ...] = ()
    #: What breaks the syntax of the newest draft's fields.
    malformed: tuple[str, ...] = ()
    #: What can be read, though it is not as the draft wants it.
    sloppy: tuple[str, ...] = ()


class FieldError(ValueError):
    """A field is not what its syntax allows, for this reason."""


def promised(exchange: Exchange, limit: RateLimit, others: Iterable[RateLimit]) -> Said | None:
    """Return what a response says of a limit, by the policy's headers, else by a family that names it.

    A header that does not name the limit speaks of it only where none of the others that count the request has it too.
    """
    others = tuple(others)
    shared = {name.lower() for other in others for name in other.headers}
    found: dict[str, int] = {}
    for name, template in limit.headers.items():
        value = exchange.header(name)
        if value is not None and (name.lower() not in shared or "<limit_name>" in template):
            match = re.search(_pattern(template, limit.name), value)
            found |= {} if match is None else {key: int(text) for key, text in match.groupdict().items()}
    if {"limit", "remaining"} & found.keys():
        reset = found.get("reset_in")
        return Said(
            family="policy",
            name=limit.name,
            limit=found.get("limit"),
            remaining=found.get("remaining"),
            window=found.get("window"),
            reset=reset,
        )
    said = read_fields(exchange).said
    named = [each for each in said if each.name == limit.name]
    unnamed = said if not others and len({each.name for each in said}) == 1 else ()
    return next(iter((*named, *unnamed)), None)


def _pattern(template: str, limit: str) -> str:
    pieces, end, seen = [], 0, set[str]()
    for mark in _PLACEHOLDER.finditer(template):
        pieces.append(re.escape(template[end : mark.start()]))
        name, end = mark[1], mark.end()
        number = r"-?\d+" if name in seen else rf"(?P<{name}>-?\d+)"
        pieces.append(re.escape(limit) if name == "limit_name" else number)
        seen.add(name)
    return "".join((*pieces, re.escape(template[end:])))


# --- families ------------------------------------------------------------------------------------------------------


def read_fields(exchange: Exchange) -> Fields:
    """Return what the known families say, each with what is wrong with it."""
    found = _newest(exchange)
    return replace(found, said=(*found.said, *_three(exchange)))


def _newest(exchange: Exchange) -> Fields:
    state, policy = exchange.header("RateLimit"), exchange.header("RateLimit-Policy")
    if state is not None and _OLD_ITEM.match(state.strip()):
        old = dict(_OLD_ITEM.findall(state))
        limit, remaining, reset = (int(old[name]) if name in old else None for name in ("limit", "remaining", "reset"))
        said = Said(family="RateLimit with limit=", limit=limit, remaining=remaining, reset=reset)
        return Fields(said=(said,))  # its RateLimit-Policy has another meaning than today's
    by_name: dict[str, Said] = {}
    malformed: list[str] = []
    sloppy: list[str] = []
    for name, text, needed in (("RateLimit-Policy", policy, "q"), ("RateLimit", state, "r")):
        if text is None or (name == "RateLimit-Policy" and state is None and _old_policy(text)):
            continue
        try:
            items = list(read_list(text))
        except FieldError as error:
            malformed.append(f"{name}: {error}")
            continue
        for item, parameters in items:
            problems = list(_problems(parameters, needed))
            malformed += [f"{name}: {problem}" for problem in problems]
            if isinstance(item, Token):
                sloppy.append(f"{name}: {item.text} is a word where a string in quotes belongs")
            elif not isinstance(item, str):
                malformed.append(f"{name}: the name of a limit is no string")
            if problems:
                continue
            key = item.text if isinstance(item, Token) else str(item)
            kept = by_name.get(key, Said(family="RateLimit", name=key))
            by_name[key] = _with(kept, parameters)
    return Fields(said=tuple(by_name.values()), malformed=tuple(malformed), sloppy=tuple(sloppy))


def _old_policy(text: str) -> bool:
    """Tell whether it is the policy field of the drafts up to 7, whose items are numbers (`100;w=60`)."""
    return re.match(r"\s*\d+\s*(;|,|$)", text) is not None


def _problems(parameters: Mapping[str, Bare], needed: str) -> Iterator[str]:
    if needed not in parameters:
        yield f"`{needed}` is missing"
    for name, least in _WHOLE.items():
        value = parameters.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            yield f"`{name}` is no whole number of at least {least}"


def _with(said: Said, parameters: Mapping[str, Bare]) -> Said:
    """Return what is said of a limit, with what these parameters add to it."""
    numbers = {name: value for name, value in parameters.items() if isinstance(value, int)}
    return replace(
        said,
        limit=numbers.get("q", said.limit),
        window=numbers.get("w", said.window),
        remaining=numbers.get("r", said.remaining),
        reset=numbers.get("t", said.reset),
    )


def _three(exchange: Exchange) -> Iterator[Said]:
    for family, names in _THREE.items():
        values = [_whole(exchange.header(name)) for name in names]
        if any(value is not None for value in values):
            limit, remaining, reset = values
            yield Said(
                family=family,
                limit=limit,
                remaining=remaining,
                reset=reset if reset is None or reset < EPOCH else None,
            )


def _whole(text: str | None) -> int | None:
    """Return the number at the start of a field; `100, 100;w=60` was usual once."""
    match = re.match(r"\s*(-?\d{1,15})(?![\d.])", text or "")
    return int(match[1]) if match else None


# --- Structured Fields ---------------------------------------------------------------------------------------------

_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_NUMBER = re.compile(r"-?(\d{1,12}\.\d{1,3}|\d{1,15})(?![\d.])")
_STRING = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*")
_BYTES = re.compile(r":([A-Za-z0-9+/=]*):")
_BOOLEAN = re.compile(r"\?([01])")


@dataclass(slots=True)
class _Text:
    """A field's text and how far it is read."""

    rest: str = field(repr=False)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.rest)
        if match is not None:
            self.rest = self.rest[match.end() :]
        return match

    def spaces(self, which: str = " ") -> None:
        self.rest = self.rest.lstrip(which)


def read_list(text: str) -> Iterator[tuple[Bare, Mapping[str, Bare]]]:
    """Yield the items of a List with their parameters (RFC 9651 section 4.2.1); raises `FieldError`."""
    source = _Text(text.strip(" "))
    while source.rest:
        item = _bare(source)
        yield item, _parameters(source)
        source.spaces(" \t")
        if not source.rest:
            return
        if not source.rest.startswith(","):
            raise FieldError("something follows an item that is no comma")
        source.rest = source.rest[1:]
        source.spaces(" \t")
        if not source.rest:
            raise FieldError("it ends with a comma")


def _parameters(source: _Text) -> Mapping[str, Bare]:
    found: dict[str, Bare] = {}
    while source.rest.startswith(";"):
        source.rest = source.rest[1:]
        source.spaces()
        key = source.take(_KEY)
        if key is None:
            raise FieldError("a parameter has no name in lower case")
        found[key[0]] = True
        if source.rest.startswith("="):
            source.rest = source.rest[1:]
            found[key[0]] = _bare(source)
    return found


def _bare(source: _Text) -> Bare:
    if (match := source.take(_NUMBER)) is not None:
        return float(match[0]) if "." in match[0] else int(match[0])
    if (match := source.take(_STRING)) is not None:
        return re.sub(r'\\(["\\])', r"\1", match[1])
    if (match := source.take(_TOKEN)) is not None:
        return Token(match[0])
    if (match := source.take(_BYTES)) is not None:
        return match[1].encode()
    if (match := source.take(_BOOLEAN)) is not None:
        return match[1] == "1"
    raise FieldError("there is no value where one belongs")
