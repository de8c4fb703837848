"""How a generated request is varied: whose key it shows, in what way, and what is done to its path and method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

from authcontract_conformance.exchange._exchange import Parts

Lines: TypeAlias = tuple[tuple[Parts, Parts], ...]
Mutation: TypeAlias = Callable[[bytes], bytes]


class Holder(StrEnum):
    """Whose key is shown."""

    NOBODY = "no key"
    STRANGER = "a key that was never issued"
    WEAKER = "a key that may not"
    ALLOWED = "a key that may"


def _scheme(change: Mutation) -> Callable[[Lines], Lines]:
    """Write the auth-scheme in another case, which RFC 9110 section 11.1 says is the same."""

    def shown(lines: Lines) -> Lines:
        (name, (first, *rest)), *others = lines
        return ((name, (change(first) if isinstance(first, bytes) else first, *rest)), *others)

    return shown


def _two_spaces(lines: Lines) -> Lines:
    return _scheme(lambda first: first.replace(b" ", b"  "))(lines)


def _name(change: Mutation) -> Callable[[Lines], Lines]:
    return lambda lines: tuple(
        (tuple(change(part) if isinstance(part, bytes) else part for part in name), value) for name, value in lines
    )


@dataclass(frozen=True, slots=True)
class Showing:
    """One way of showing a key."""

    label: str
    lines: Callable[[Lines], Lines]
    #: True: a standard says it is the documented way; False: the target may also read the key or no key in it.
    same: bool


SHOWINGS: Final = (
    Showing("as documented", lambda lines: lines, same=True),
    Showing("scheme in upper case", _scheme(bytes.upper), same=True),
    Showing("scheme in lower case", _scheme(bytes.lower), same=True),
    Showing("field name in upper case", _name(bytes.upper), same=True),
    Showing("two spaces", _two_spaces, same=False),
    Showing("sent twice", lambda lines: lines * 2, same=False),
    Showing("after an empty one", lambda lines: ((lines[0][0], (b"",)), *lines) if lines else (), same=False),
)
#: In the query, where no contract expects it; the key shown so may be revoked for it, so it is used for nothing else.
IN_QUERY: Final = Showing("in the query", lambda _: (), same=False)
#: What stands where a key should, when there is none.
EMPTY: Final[Mapping[str, bytes | None]] = {
    "nothing": None,
    "an empty value": b"",
    "a scheme alone": b"Bearer",
    "another scheme": b"Basic Zm9vOmJhcg==",
    "a word": b"null",
}
#: How a key that may becomes one that was never issued.
NEAR: Final[tuple[tuple[tuple[str | int, ...], ...], ...]] = (
    (("alter", -1),),
    (("alter", -9),),
    (("flip_one", 9),),
    (("drop_last", 1),),
    (("append", "A"),),
    (("append", " x"),),
)
PATHS: Final[Mapping[str, Mutation]] = {
    "": lambda path: path,
    "a slash at the end": lambda path: path + b"/",
    "a doubled slash": lambda path: b"/" + path,
    "a dot segment": lambda path: path.replace(b"/", b"/./", 1),
    "a parameter": lambda path: path + b";x=1",
    "an encoded letter": lambda path: path[:-1] + b"%%%02X" % path[-1],
    "another case": lambda path: path.upper(),
}
METHODS: Final[Mapping[str, Mutation]] = {
    "": lambda method: method,
    "HEAD": lambda _: b"HEAD",
    "lower case": lambda method: method.lower(),
    "PROPFIND": lambda _: b"PROPFIND",
}
BODIES: Final[Mapping[str, Mutation]] = {
    "": lambda body: body,
    "a body cut off": lambda body: body[:-1],
    "a body of one brace": lambda body: b"{" if body else b"",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One request with what is done to it; the defaults do nothing."""

    #: Index in the generated requests.
    request: int
    #: Which of the keys that fit.
    key: int = 0
    showing: Showing = SHOWINGS[0]
    #: Name in `EMPTY`.
    empty: str = "nothing"
    #: 0: a made-up key; else one more than the index in `NEAR`.
    near: int = 0
    path: str = ""
    method: str = ""
    body: str = ""


Change: TypeAlias = Mapping[str, Any]
_AS_IT_IS: Final[Change] = {}
_BENT: Final[tuple[Change, ...]] = (
    _AS_IT_IS,
    *({"path": path} for path in PATHS if path),
    *({"method": method} for method in METHODS if method),
    *({"body": body} for body in BODIES if body),
)


def _shown(holder: Holder, *, query: bool) -> tuple[Change, ...]:
    """Return the ways of showing such a key, the documented one first."""
    if holder is Holder.NOBODY:
        return tuple({"empty": name} for name in EMPTY)
    showings = tuple({"showing": showing} for showing in (*SHOWINGS, *((IN_QUERY,) if query else ())))
    near = tuple({"near": index + 1} for index in range(len(NEAR))) if holder is Holder.STRANGER else ()
    return (*showings, *near)


def draws(size: int, holder: Holder, *, query: bool) -> st.SearchStrategy[Draw]:
    """Return the strategy; the usual stands several times, so that most draws are odd in one way and not in all."""
    shown = _shown(holder, query=query)
    return st.builds(
        lambda request, key, way, bent: Draw(request=request, key=key, **way, **bent),
        st.integers(0, size - 1),
        st.integers(0, 7),
        st.sampled_from((*(shown[:1] * 4), *shown)),
        st.sampled_from((*(_BENT[:1] * 8), *_BENT)),
    )


def one_by_one(holder: Holder, *, query: bool, with_body: int) -> tuple[Draw, ...]:
    """Return the simplest request, or the simplest with a body, with one thing done to it at a time."""
    changes = (*_shown(holder, query=query)[1:], *_BENT[1:])
    return tuple(Draw(request=with_body if "body" in change else 0, **change) for change in changes)
