"""Names that stand for many: `write:<thing>` is every scope of that form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_PART: Final = re.compile(r"<[a-z_]+>")
#: More parts to fill in than this in one name could be matched in too many ways.
MOST_PARTS: Final = 2


@dataclass(frozen=True, slots=True)
class Form:
    """A name with parts to fill in, or without."""

    name: str
    parts: tuple[str, ...]
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, name: str) -> Form:
        """Read a name; one that can be read in several ways stands for nothing."""
        pieces = _PART.split(name)
        pattern = "([^ ]+)".join(re.escape(piece) for piece in pieces) if is_clear(name) else r"(?!)"
        return cls(name=name, parts=tuple(_PART.findall(name)), pattern=re.compile(pattern))

    def fits(self, scope: str) -> bool:
        """Say whether a scope is of this form."""
        return self.pattern.fullmatch(scope) is not None

    def binding(self, scope: str) -> dict[str, str] | None:
        """Return what each part stands for in this scope's name; None where it has another form."""
        found = self.pattern.fullmatch(scope)
        return None if found is None else dict(zip(self.parts, found.groups(), strict=True))


def is_clear(name: str) -> bool:
    """Say whether a name has few enough parts to fill in, each kept apart from the next."""
    pieces = _PART.split(name)
    return len(pieces) - 1 <= MOST_PARTS and "" not in pieces[1:-1]


def is_family(name: str) -> bool:
    """Say whether the name has a part to fill in."""
    return _PART.search(name) is not None


def filled(name: str, binding: Mapping[str, str]) -> str:
    """Return the name with the parts that are bound filled in."""
    return _PART.sub(lambda part: binding.get(part[0], part[0]), name)
