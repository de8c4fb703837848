"""Reading WWW-Authenticate: which schemes it offers, and with which parameters (RFC 9110 section 11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_PARAMETER: Final = re.compile(rf"({_WORD})[ \t]*=[ \t]*({_QUOTED}|{_WORD})")
_SCHEME: Final = re.compile(rf"({_WORD})(?:[ \t]+(.*))?", re.DOTALL)
_TOKEN68: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
#: What stands between two commas, a comma in a quoted text aside.
_PART: Final = re.compile(rf"(?:{_QUOTED}|[^,\"])+")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to authenticate that a response offers."""

    #: In lower case, since schemes have no case.
    scheme: str
    #: Name in lower case -> value without quotes.
    parameters: Mapping[str, str] = field(default_factory=dict)
    #: Names of the parameters whose value stands in quotes.
    quoted: frozenset[str] = frozenset()


def challenges(lines: Iterable[str]) -> tuple[Challenge, ...] | None:
    """Return what the lines of the field offer, in order; None where they are not in the field's grammar."""
    found: list[tuple[str, dict[str, str], set[str]]] = []
    for line in lines:
        if line.count('"') % 2 and "\\" not in line:
            return None
        for part in (text.strip(" \t") for text in _PART.findall(line)):
            rest: str | None = part
            if not _PARAMETER.fullmatch(part):
                scheme = _SCHEME.fullmatch(part)
                if scheme is None:
                    return None
                found.append((scheme[1].lower(), {}, set()))
                rest = scheme[2]
            if rest and not _take(found, rest.strip(" \t")):
                return None
    return tuple(Challenge(scheme, parameters, frozenset(quoted)) for scheme, parameters, quoted in found)


def _take(found: list[tuple[str, dict[str, str], set[str]]], text: str) -> bool:
    """Give a parameter to the last scheme; tell whether that is what it was."""
    parameter = _PARAMETER.fullmatch(text)
    if parameter is None:
        return bool(found) and _TOKEN68.fullmatch(text) is not None
    if not found:
        return False
    _, parameters, quoted = found[-1]
    name, value = parameter[1].lower(), parameter[2]
    if value.startswith('"'):
        quoted.add(name)
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    parameters[name] = value
    return True
