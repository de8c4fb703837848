"""How a key may be written and where it is heard: what correct servers may do otherwise, and what nobody may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from authcontract_conformance.clauses import _ways, catalogue
from authcontract_conformance.exchange._exchange import Exchange, Key
from authcontract_conformance.oracle._verdict import Word
from authcontract_conformance.reference import CORRECT, Answer, Message, Seams, Server
from conversations import POLICIES, Conversation, instead, lost, planted

Front = Callable[[Message], Answer | None]


def in_front(answer: Front) -> Seams:
    """Put something in front of the correct server that answers some messages itself."""

    def transport(server: Server, message: Message) -> Answer:
        return answer(message) or CORRECT.transport(server, message)

    return replace(CORRECT, transport=transport)


def words(talk: Conversation, clause: str) -> dict[str, Word]:
    """Return what each case of a clause comes to."""
    return {subject: talk.judge(clause, subject).word for subject in talk.cases(clause)}


def accused(talk: Conversation, *clauses: str) -> set[tuple[str, Word]]:
    """Return what is held against the target."""
    found = ((clause, word) for clause in clauses for word in words(talk, clause).values())
    return {(clause, word) for clause, word in found if word in (Word.FAIL, Word.WARN)}


def odd(message: Message) -> bool:
    """Tell whether a line of the message holds bytes that a strict server refuses at once."""
    head = message.head
    return head.problem is not None or any(not value.isascii() or b"_" in name for name, value in head.headers)


def length(message: Message) -> int:
    return sum(len(name) + len(value) for name, value in message.head.headers)


# --- correct, and unlike ours ---------------------------------------------------------------------------------------

UNLIKE_OURS: dict[str, Front] = {
    "400 for odd bytes": lambda message: Answer(400) if odd(message) else None,
    "403 for odd bytes, as firewalls answer": lambda message: Answer(403, (), b"<html>") if odd(message) else None,
    "413 for long heads": lambda message: Answer(413) if length(message) > 3000 else None,
    "400 for many headers": lambda message: Answer(400) if len(message.head.headers) > 20 else None,
    "a page for everybody who is no program": lambda message: (
        Answer(200, (("Content-Type", "text/html"),), b"<html>hello</html>")
        if any(name.lower() == b"cookie" for name, _ in message.head.headers)
        else None
    ),
    "400 for queries that nobody documents": lambda message: Answer(400) if b"token=" in message.head.target else None,
}
BY_EFFECT = ("AUTH-10", "AUTH-11", "AUTH-13", "AUTH-14", "AUTH-15")


@pytest.mark.parametrize("front", UNLIKE_OURS.values(), ids=list(UNLIKE_OURS))
@pytest.mark.parametrize("name", list(POLICIES))
def test_how_a_correct_server_refuses_is_its_own_affair(name: str, front: Front) -> None:
    """Who gains nothing proves nothing, whatever the refusal looks like."""
    assert accused(Conversation(name, seams=in_front(front)), *BY_EFFECT) == set()


def closing(exchange: Exchange) -> Exchange:
    """Close the connection on whatever holds an odd byte, as some servers do."""
    return lost(exchange) if exchange.status in (400, 431) else exchange


@pytest.mark.parametrize("name", list(POLICIES))
def test_closing_the_connection_is_a_refusal(name: str) -> None:
    talk = Conversation(name, altered=closing)
    assert accused(talk, "AUTH-7", "AUTH-13", "AUTH-14") == set()


def test_a_tab_before_the_key_may_go_either_way() -> None:
    """The grammar has spaces there; whoever takes a tab for one is not worse, and nothing is said of it."""

    def taking_tabs(server: Server, message: Message) -> Answer:
        lines = tuple((n, v.replace(b"Bearer\t", b"Bearer ")) for n, v in message.head.headers)
        return CORRECT.transport(server, replace(message, head=replace(message.head, headers=lines)))

    talk = Conversation("synaptiq", seams=replace(CORRECT, transport=taking_tabs))
    assert set(words(talk, "AUTH-4").values()) == {Word.PASS}


def test_nul_read_as_a_space_is_no_truncation() -> None:
    """RFC 9110 section 5.5 lets NUL become a space; that a lenient reader then takes the first word is AUTH-4's."""

    def spaced(server: Server, message: Message) -> Answer:
        def mended(value: bytes) -> bytes:
            words = value.replace(b"\0", b" ").split()
            return b" Bearer " + words[1] if words[:1] == [b"Bearer"] and len(words) > 1 else value

        lines = tuple((n, mended(v)) for n, v in message.head.headers)
        nul = any(b"\0" in v for _, v in message.head.headers)
        problem = None if nul else message.head.problem
        return CORRECT.transport(server, replace(message, head=replace(message.head, headers=lines, problem=problem)))

    talk = Conversation("synaptiq", seams=replace(CORRECT, transport=spaced))
    assert set(words(talk, "AUTH-13").values()) == {Word.PASS}
    assert Word.WARN in words(talk, "AUTH-4").values()


def test_a_proxy_that_mended_the_line_is_not_the_target() -> None:
    """With `Via` in the answer, nobody knows who took the space before the colon away."""

    def through_a_proxy(exchange: Exchange) -> Exchange:
        return replace(exchange, headers=(*exchange.headers, ("Via", "1.1 edge")))

    talk = Conversation("synaptiq", seams=planted("space-before-colon-read"), altered=through_a_proxy)
    assert set(words(talk, "AUTH-7").values()) == {Word.INCONCLUSIVE}


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_line_that_was_read_over_is_a_warning(status: int) -> None:
    """A space before the colon is a bad request; whoever ignores the line lets nobody in."""

    def ignoring(exchange: Exchange) -> Exchange:
        return instead(exchange, status) if exchange.status == 400 else exchange

    talk = Conversation("synaptiq", altered=ignoring)
    assert set(words(talk, "AUTH-7").values()) == {Word.WARN}


# --- what the contract leaves open ----------------------------------------------------------------------------------


def test_two_keys_are_held_against_nobody_where_the_contract_does_not_speak_of_them() -> None:
    """Where no error is documented for conflicting credentials, acceptance is sloppy and no broken promise."""
    talk = Conversation("roles", seams=planted("last-of-two-keys"))
    found = set(words(talk, "AUTH-12").values())
    assert Word.FAIL not in found
    assert Word.WARN in found


# --- the tables -----------------------------------------------------------------------------------------------------


def sent(talk: Conversation, ways: tuple[_ways.Way, ...]) -> dict[str, bytes]:
    """Return the header lines that go out for a key, by what is special about them."""
    world, key = talk.world(), talk.key("getLead")
    lines = {way.what: _ways.line(world, way, key) for way in ways}
    return {
        what: talk.vault.render(name, "t") + b":" + talk.vault.render(value, "t")
        for what, (name, value) in lines.items()
    }


def test_no_two_ways_send_the_same() -> None:
    """Each row of a table is a line of its own, and none is the documented one."""
    talk = Conversation("synaptiq")
    equal = (*_ways.SPACES, *_ways.PADDED, *_ways.TABBED)
    every = sent(talk, (*equal, *_ways.SLOPPY, *_ways.EITHER, *_ways.SCHEMES[1:], *_ways.HEADERS))
    assert len(set(every.values())) == len(every)
    secret = talk.vault.secret(talk.key("getLead").id)
    assert b"Authorization:Bearer " + secret not in every.values()


@pytest.mark.parametrize("name", list(POLICIES))
def test_what_is_documented_is_no_other_way(name: str) -> None:
    """The header that a policy documents is left out of the ways that must open nothing."""
    world = Conversation(name).world()
    ways = _ways.undocumented(world, (*_ways.SCHEMES, *_ways.HEADERS))
    names = {(way.name, way.value) for way in ways}
    first = world.policy.keys.sent_as[0]
    assert (first.name, first.template) not in names
    rows = (*_ways.SCHEMES, *_ways.HEADERS)
    assert len(ways) == len({(way.name.replace("{name}", first.name), way.value, way.transforms) for way in rows}) - 1


def test_a_key_in_unicode_is_never_the_key() -> None:
    """Whatever letters a key has, what looks like it is something else."""
    talk = Conversation("roles")
    key: Key = talk.key("listProjects")
    secret = talk.vault.secret(key.id)
    rows = (("look_alike",), ("full_width",), ("insert", "\xff"), ("mask", 3))
    for step in rows:
        line = _ways.line(talk.world(), _ways.Way("", "<key>", transforms=(step,)), key)
        assert secret not in talk.vault.render(line[1], "t"), step


def test_every_variant_of_presentation_is_tried() -> None:
    tried = {variant for clause in catalogue().values() for variant in clause.variants}
    assert {f"V-C{number:02}" for number in range(1, 31)} <= tried
