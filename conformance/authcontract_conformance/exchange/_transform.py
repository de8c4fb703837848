"""What a clause may do to a key before it is sent: one table, so that the log can name it and a replay repeat it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from urllib.parse import quote_from_bytes


def _flip_case(key: bytes, _: str | int) -> bytes:
    return key.swapcase()


def _flip_one(key: bytes, position: str | int) -> bytes:
    """Change the case of the letter at `position` or after it, else of the nearest one before."""
    for index in (*range(int(position), len(key)), *range(int(position) - 1, -1, -1)):
        if key[index : index + 1].isalpha():
            return key[:index] + key[index : index + 1].swapcase() + key[index + 1 :]
    return key


def _alter(key: bytes, position: str | int) -> bytes:
    """Replace the character at `position` by another of its class, so that the format still fits."""
    index = int(position) % len(key)
    old = key[index : index + 1]
    cycle = b"0123456789" if old.isdigit() else b"abcdefghijklmnopqrstuvwxyz"
    place = cycle.find(old.lower())
    new = cycle[(place + 1) % len(cycle)] if place >= 0 else ord("x")
    letter = bytes([new])
    return key[:index] + (letter.upper() if old.isupper() else letter) + key[index + 1 :]


def _replace_prefix(key: bytes, old_and_new: str | int) -> bytes:
    """`old>new`: put another prefix in the place of the old one."""
    old, _, new = str(old_and_new).partition(">")
    return new.encode() + key.removeprefix(old.encode())


def _look_alike(key: bytes, _: str | int) -> bytes:
    """Replace the first letter that has a twin in Unicode: `lower` or `upper` makes the two the same."""
    for letter, twin in ((b"s", "\u017f"), (b"k", "\u212a"), (b"K", "\u212a"), (b"S", "\u017f")):
        if letter in key:
            return key.replace(letter, twin.encode(), 1)
    return _full_width(key, "")


def _full_width(key: bytes, _: str | int) -> bytes:
    """Write every visible character as East Asian text does; compatibility decomposition makes it ASCII again."""
    return "".join(chr(byte + 0xFEE0) if 0x21 <= byte < 0x7F else chr(byte) for byte in key).encode()  # noqa: PLR2004  the block of full-width forms


def _insert(key: bytes, text: str | int) -> bytes:
    """Put a text into the middle of the key."""
    middle = len(key) // 2
    return key[:middle] + str(text).encode("latin-1") + key[middle:]


#: Name -> what it does to the key's bytes with its argument.
TRANSFORMS: Mapping[str, Callable[[bytes, str | int], bytes]] = {
    "drop_last": lambda key, count: key[: -int(count)],
    "first": lambda key, count: key[: int(count)],
    "append": lambda key, text: key + str(text).encode("latin-1"),
    "prepend": lambda key, text: str(text).encode("latin-1") + key,
    "insert": _insert,
    "look_alike": _look_alike,
    "full_width": _full_width,
    "mask": lambda key, shown: key[: int(shown)] + b"****" + key[-4:],
    "flip_case": _flip_case,
    "flip_one": _flip_one,
    "alter": _alter,
    "replace_prefix": _replace_prefix,
    "percent_encode": lambda key, _: b"".join(b"%%%02X" % byte for byte in key),
    "quote": lambda key, _: quote_from_bytes(key, safe="").encode(),
    "base64": lambda key, suffix: base64.b64encode(key + str(suffix).encode()),
}


def transform(key: bytes, steps: tuple[tuple[str | int, ...], ...]) -> bytes:
    """Return the key after every step (name, argument); an unknown name raises `KeyError`."""
    for name, *argument in steps:
        key = TRANSFORMS[str(name)](key, argument[0] if argument else "")
    return key
