"""AUTH: how the documented header line may be written, and what must never make a key of what is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from authcontract_policy import Operation

from authcontract_conformance.clauses._clause import Case, Clause, Steps
from authcontract_conformance.clauses._ways import (
    EITHER,
    PADDED,
    SLOPPY,
    SPACES,
    TABBED,
    Way,
    by,
    documented,
    line,
    scheme_of,
    with_scheme,
)
from authcontract_conformance.exchange._exchange import Acquire, Delivery, Exchange, Key, Probe
from authcontract_conformance.oracle._oracle import broken, describe_exchange
from authcontract_conformance.oracle._verdict import (
    PASSED,
    Basis,
    Judgement,
    Level,
    Word,
    fail,
    inconclusive,
    unspecified,
    warn,
)
from authcontract_conformance.world._patterns import Attempt, bypasses, equivalent, gained, reading_operation, summed
from authcontract_conformance.world._world import Item, World

BAD_REQUEST = 400


def _equivalents(ways: Sequence[Way], reason: str, binding: bool, world: World) -> Steps:  # noqa: FBT001  a row of facts
    """Send a valid key in ways that a standard makes equal to the documented one; each must be accepted."""
    operation = reading_operation(world)
    item = yield from world.item(operation)
    proof = yield from world.proof(operation, item)
    key: Key = yield Acquire(world.need(operation))
    judged: list[tuple[str, Judgement]] = []
    for way in ways:
        probe = by(world, operation, key, way, item)
        exchange: Exchange = yield probe
        if exchange.succeeded and proof.succeeded:
            continue
        control = yield from world.control(operation, item)
        judged.append((way.what, (yield from equivalent(world, probe, control, reason=reason, binding=binding))))
    return summed(judged, len(ways))


# --- AUTH-3 to AUTH-6: one line, many spellings ---------------------------------------------------------------------


def _cases(text: str) -> tuple[str, ...]:
    """Return a text in lower case, in upper case and mixed."""
    mixed = "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(text))
    return tuple(dict.fromkeys((text.lower(), text.upper(), mixed)))


def _auth_3(world: World) -> Iterable[Case]:
    written = with_scheme(world)
    rest = written.template.partition(" ")[2]
    spellings = _cases(scheme_of(world) or "")
    ways = [Way(f"scheme spelled {spelled}", f"{spelled} {rest}", written.name) for spelled in spellings]
    yield Case("the scheme in any case", partial(_equivalents, ways, "a scheme's name has no case", True))  # noqa: FBT003  a row of facts


def _auth_4(world: World) -> Iterable[Case]:
    reason = "the grammar has one or more spaces between scheme and key"
    yield Case("several spaces", partial(_equivalents, SPACES, reason, False))  # noqa: FBT003  a row of facts
    if with_scheme(world).template.endswith(" <key>"):
        yield Case("a key in a wrapper that no grammar allows", _sloppy)


def _sloppy(world: World) -> Steps:
    """Send a whole valid key in wrappers that are none; who accepts it is lenient, and no worse."""
    operation = reading_operation(world)
    item = yield from world.item(operation)
    proof = yield from world.proof(operation, item)
    key: Key = yield Acquire(world.need(operation))
    accepted: list[tuple[Way, Exchange]] = []
    for way in (*EITHER, *SLOPPY):
        exchange: Exchange = yield by(world, operation, key, way, item)
        if way not in EITHER and gained(exchange, item, proof) is not None:
            accepted.append((way, exchange))
    if not proof.succeeded:
        return inconclusive("nothing shows what a key that may is answered")
    control = (yield from world.control(operation, item)) if accepted else proof
    return summed([(way.what, _tolerated(world, found, control)) for way, found in accepted], len(SLOPPY))


def _tolerated(world: World, exchange: Exchange, control: Exchange) -> Judgement:
    expectation = world.expect(exchange.probe)
    if expectation.allowed:
        return PASSED
    if expectation.open is not None:
        return unspecified(f"{expectation.open} is only assumed; the target answers {describe_exchange(exchange)}")
    reason = "a key was read out of a line that no grammar allows, so that a proxy may read another key there"
    return warn(expectation.evidence(exchange, control), reason)


def _auth_5(_: World) -> Iterable[Case]:
    reason = "white space around a field's value does not belong to it"
    yield Case("spaces around the value", partial(_equivalents, PADDED, reason, True))  # noqa: FBT003  a row of facts
    # Nobody is known to pad with tabs, and nginx hands them on as part of the value: sloppy, and no client is refused.
    yield Case("tabs around the value", partial(_equivalents, TABBED, reason, False))  # noqa: FBT003  as above


def _auth_6(world: World) -> Iterable[Case]:
    ways = [Way(f"field name spelled {name}", "{whole}", name) for name in _cases(documented(world).name)]
    yield Case("the field's name in any case", partial(_equivalents, ways, "a field's name has no case", True))  # noqa: FBT003  a row of facts


# --- AUTH-7: a space before the colon -------------------------------------------------------------------------------


def _space_before_colon(world: World) -> Steps:
    operation = reading_operation(world)
    item = yield from world.item(operation)
    proof = yield from world.proof(operation, item)
    key: Key = yield Acquire(world.need(operation))
    way = Way("a space before the colon", "{whole}", "{name} ")
    exchange: Exchange = yield by(world, operation, key, way, item)
    if not proof.succeeded or exchange.delivery is Delivery.TIMEOUT or (exchange.answered and exchange.broken):
        return inconclusive(broken(exchange) if exchange.broken else "a key that may was not served either")
    if exchange.status == BAD_REQUEST or not exchange.answered:
        return PASSED
    expectation = world.expect(exchange.probe)
    if gained(exchange, item, proof) is None:
        reason = "a space before the colon is not answered as a bad request"
        return warn(expectation.evidence(exchange, proof), reason)
    if exchange.header("Via") is not None:
        return inconclusive("a proxy stands before the target and may have taken the space away")
    control = yield from world.control(operation, item)
    return fail(expectation.evidence(exchange, control), "a field whose name ends with a space was read")


def _auth_7(_: World) -> Iterable[Case]:
    yield Case("a space before the colon", _space_before_colon)


# --- AUTH-13: bytes that belong into no key -------------------------------------------------------------------------

#: Put into the middle of a valid key; who drops, replaces or stops at one of them makes a key of what is none.
FOREIGN = (
    ("NUL", "\0"),
    ("a bare carriage return", "\r"),
    ("a bare line feed", "\n"),
    ("a tab", "\t"),
    ("DEL", "\x7f"),
    ("byte FF", "\xff"),
    ("a soft hyphen in UTF-8", "\xc2\xad"),
    ("a space without width in UTF-8", "\xe2\x80\x8b"),
    ("an emoji in UTF-8", "\xf0\x9f\x94\x91"),
)


def _with(what: str, step: tuple[str, str]) -> Way:
    """Return the documented way with something done to the key."""
    return Way(what, "{whole}", transforms=(step,))


def _foreign_bytes(world: World) -> Steps:
    operation = reading_operation(world)
    key: Key = yield Acquire(world.need(operation))
    attempts: list[Attempt] = [
        partial(by, world, operation, key, _with(f"{what} in the middle of the key", ("insert", text)))
        for what, text in FOREIGN
    ]
    return (yield from bypasses(world, operation, attempts))


def _behind_nul(world: World) -> Steps:
    """Send a valid key, NUL and more; NUL may be read as a space, so what a space does is no truncation."""
    operation = reading_operation(world)
    key: Key = yield Acquire(world.need(operation))
    cut = partial(by, world, operation, key, _with("NUL and more after the key", ("append", "\0junk")))
    judged = yield from bypasses(world, operation, [cut])
    if judged.word is not Word.FAIL:
        return judged
    item = yield from world.item(operation)
    way = _with("a space and more after the key", ("append", " junk"))
    spaced: Exchange = yield by(world, operation, key, way, item)
    return PASSED if spaced.succeeded else judged


def _auth_13(_: World) -> Iterable[Case]:
    yield Case("bytes that belong into no key", _foreign_bytes)
    yield Case("NUL and more after the key", _behind_nul)


# --- AUTH-14: too much ----------------------------------------------------------------------------------------------

KIBI = 1024
#: More lines than any program sends.
LINES = 200


def _padded(world: World, operation: Operation, key: Key, size: int, item: Item) -> Probe:
    way = _with(f"a key followed by {size} KiB", ("append", "x" * (size * KIBI)))
    return by(world, operation, key, way, item)


def _many_lines(world: World, operation: Operation, key: Key, item: Item) -> Probe:
    one = line(world, Way("", "{whole}"), key)
    return world.request(operation, key, item, lines=(one,) * LINES, label=f"{LINES} lines with an unknown key")


def _oversized(world: World) -> Steps:
    operation = reading_operation(world)
    key: Key = yield Acquire(world.need(operation))
    unknown: Key = yield Acquire(world.need(operation, state="unknown"))
    attempts: list[Attempt] = [partial(_padded, world, operation, key, size) for size in (8, 16, 64)]
    return (yield from bypasses(world, operation, [*attempts, partial(_many_lines, world, operation, unknown)]))


def _auth_14(_: World) -> Iterable[Case]:
    yield Case("keys that are too long, and too many", _oversized)


def _no_scheme(world: World) -> str | None:
    return None if scheme_of(world) else "keys are sent without a scheme"


def no_header(world: World) -> str | None:
    """Say that keys travel in no header, if so."""
    return None if documented(world).carrier == "header" else "keys are sent in the query"


CLAUSES: tuple[Clause, ...] = (
    Clause(
        id="AUTH-3",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 11.1",),
        promise="The scheme's name is accepted in any case.",
        why="Clients write `bearer`; RFC 9110 gives them the right to.",
        how="A valid key is sent with the scheme in lower case, upper case and mixed. A refusal fails, since the usual "
        "spelling works.",
        fix="Compare the scheme without regard to case, and the key with regard to it.",
        precedents=("goiabada issue 435 (goiabada: only `Bearer` with a capital was known)",),
        variants=("V-C01",),
        inapplicable=_no_scheme,
        cases=_auth_3,
    ),
    Clause(
        id="AUTH-4",
        level=Level.SHOULD,
        basis=Basis.STANDARD,
        sources=("RFC 6750 section 2.1", "RFC 9110 section 11.4"),
        promise="Spaces stand between scheme and key, one or more, and nothing else around the key.",
        why="Whoever splits a line at whatever looks blank, or picks a key out of quotes, reads other keys than the "
        "proxy before it does.",
        how="Two and ten spaces must be accepted. No space, bytes that only a text function takes for white space, "
        "quotes, a comma or another word beside a whole valid key should be refused; acceptance is a warning, because "
        "the caller does have a key. A tab may go either way.",
        fix="Match the line against the grammar: scheme, spaces, token, end.",
        precedents=("Python (`str.split()`: bytes 1C to 1F, 85 and A0 count as white space)",),
        variants=("V-C02", "V-C03", "V-C04", "V-C05", "V-C07"),
        inapplicable=_no_scheme,
        cases=_auth_4,
    ),
    Clause(
        id="AUTH-5",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 5.5", "RFC 9112 section 5.1"),
        promise="White space around the header's value changes nothing.",
        why="Clients and proxies align, fold and pad values; the value does not include the padding.",
        how="A valid key is sent with spaces before and after the value, where a refusal fails, and with tabs, where "
        "it is a warning.",
        fix="Strip spaces and tabs from both ends of a field's value before it is read.",
        variants=("V-C06",),
        inapplicable=no_header,
        cases=_auth_5,
    ),
    Clause(
        id="AUTH-6",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 5.1",),
        promise="The header's name is accepted in any case.",
        why="HTTP/2 sends every name in lower case, and gateways write them as they like.",
        how="A valid key is sent under the header's name in lower case, upper case and mixed. A refusal fails.",
        fix="Look headers up without regard to case.",
        inapplicable=no_header,
        cases=_auth_6,
    ),
    Clause(
        id="AUTH-7",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9112 section 5.1",),
        promise="A header whose name is followed by a space is a bad request.",
        why="One server reads such a line and the next one does not: requests are smuggled, and keys with them.",
        how="A valid key is sent with a space before the colon. Being served fails, unless a proxy names itself in "
        "`Via` and may have mended the line; 400 and a closed connection pass; another refusal is a warning.",
        fix="Answer 400 as soon as a field's name holds anything but token characters.",
        inapplicable=no_header,
        cases=_auth_7,
    ),
    Clause(
        id="AUTH-13",
        level=Level.MUST,
        basis=Basis.CONTRACT,
        sources=("RFC 9110 section 5.5",),
        promise="A byte that belongs into no key never makes a key of what is none.",
        why="Where one program stops at NUL, drops what it cannot print or joins two lines, it sees another key than "
        "the rest.",
        how="Control characters, bytes beyond ASCII and characters without width are put into a valid key, and NUL "
        "and more behind it. Any refusal will do, a closed connection too; being served fails. Where a space and more "
        "are served as well, NUL was read as a space, which AUTH-4 judges.",
        fix="Refuse a value with such bytes before it is compared; never clean a credential.",
        precedents=("CVE-2019-9900 (Envoy: a header was matched only up to NUL)",),
        variants=("V-C20", "V-C22"),
        inapplicable=no_header,
        cases=_auth_13,
    ),
    Clause(
        id="AUTH-14",
        level=Level.MUST,
        basis=Basis.STANDARD,
        sources=("RFC 9110 section 5.4", "OWASP ASVS 4.2.5"),
        promise="A credential that is too long, or sent too often, opens nothing.",
        why="Limits differ from hop to hop: one cuts a line off, one drops it, one gives up checking.",
        how="A key followed by 8, 16 and 64 KiB, and 200 lines with a key that nobody issued, try to read something. "
        "Any refusal will do; being served fails.",
        fix="Refuse the whole request when a line is too long; never shorten or drop a line and go on.",
        variants=("V-C21",),
        inapplicable=no_header,
        cases=_auth_14,
    ),
)
