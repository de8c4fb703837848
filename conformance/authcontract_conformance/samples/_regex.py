"""A short text that a pattern matches, found by walking along the pattern."""

from __future__ import annotations

from collections.abc import Iterator

# The parse tree of a pattern has no public door; Hypothesis goes through this one too.
from re import _constants as tokens
from re import _parser as patterns
from typing import Any, Final


def matching(pattern: str, least: int = 0) -> str | None:
    """Return a short text that a pattern matches, or None where that takes more than walking along it."""
    try:
        parsed = patterns.parse(pattern)
        for times in (0, least):
            text = "".join(_walk(parsed, times))
            if len(text) >= least:
                return text
    except (patterns.error, _TooHardError, RecursionError, OverflowError):
        return None
    return None


class _TooHardError(Exception):
    """The pattern says something that cannot be met by walking along it."""


#: Repetitions written out at most; a pattern that wants more is nobody's identifier.
_REPEATS: Final = 1024


def _walk(  # noqa: C901  one branch for each kind of token
    parsed: Any, times: int
) -> Iterator[str]:
    """Yield what each token of a parsed pattern asks for; a repetition is met at least `times` times if it may be."""
    for token, argument in parsed:
        if token is tokens.LITERAL:
            yield chr(argument)
        elif token is tokens.NOT_LITERAL:
            yield "a" if argument != ord("a") else "b"
        elif token is tokens.ANY:
            yield "a"
        elif token is tokens.IN:
            yield _member(argument)
        elif token is tokens.AT:
            continue
        elif token is tokens.SUBPATTERN:
            yield from _walk(argument[-1], times)
        elif token is tokens.BRANCH:
            yield from _walk(argument[1][0], times)
        elif token in {tokens.MAX_REPEAT, tokens.MIN_REPEAT, tokens.POSSESSIVE_REPEAT}:
            least, most, inner = argument
            for _ in range(min(max(least, min(times, most)), _REPEATS)):
                yield from _walk(inner, 0)
        else:
            raise _TooHardError


_CATEGORIES: Final = {
    tokens.CATEGORY_DIGIT: "0",
    tokens.CATEGORY_WORD: "a",
    tokens.CATEGORY_SPACE: " ",
    tokens.CATEGORY_NOT_DIGIT: "a",
    tokens.CATEGORY_NOT_SPACE: "a",
    tokens.CATEGORY_NOT_WORD: "-",
}


def _member(options: Any) -> str:
    """Return a character of a set."""
    if options[0][0] is tokens.NEGATE:
        excluded = [option for option in options[1:] if option[0] is not tokens.CATEGORY]
        codes = {code for kind_, value in excluded for code in _codes(kind_, value)}
        return next((letter for letter in "abcdefghijklmnopqrstuvwxyzA0-_" if ord(letter) not in codes), "a")
    token, value = options[0]
    if token is tokens.CATEGORY:
        return str(_CATEGORIES[value])
    return chr(value if token is tokens.LITERAL else value[0])


def _codes(token: Any, value: Any) -> range:
    return range(value, value + 1) if token is tokens.LITERAL else range(value[0], value[1] + 1)
