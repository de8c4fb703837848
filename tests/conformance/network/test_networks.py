"""Networks that misbehave: nobody is accused for them, the run ends, says the cause, and finds what it can find."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
from authcontract_conformance.driver._launch import Announcement
from networks import Network, unjudged
from unreliable import (
    Trouble,
    after,
    closed,
    cut_off,
    dated,
    dripping,
    gateway_error,
    half_closed,
    late,
    lost,
    replaced,
    reset_in_the_middle,
    was_reset,
    with_length,
)

#: Clauses with what a network can spoil: keys and objects that are made, what is done once, what is counted.
CLAUSES = "AUTH-1,LIFE-4,TEN-1,RATE-3"
#: How long a response is waited for: for none that never comes, and on a busy machine for one that does.
SOON, LATE = "1", "10"
LOST = r"no (whole response|connection) within [12] s"
CUT = "closed in the middle of the response"
RESET = "connection lost: Connection reset by peer|Connection reset by peer"
SURPLUS = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(frozen=True, slots=True)
class Row:
    """A trouble and how it is told; None: it keeps nobody from judging."""

    trouble: Trouble
    cause: str | None

    @property
    def timeout(self) -> str:
        return SOON if self.cause == LOST else LATE


def wire(act: Any, cause: str | None, **more: Any) -> Row:
    return Row(Trouble(act=act, **more), cause)


def gateway(act: Any, cause: str | None, **more: Any) -> Row:
    return Row(Trouble(act=act, gateway=True, **more), cause)


CLOSED = "closed without a response|closed before a whole response|the connection was (aborted|closed)|connection lost"
NETWORKS: dict[str, Row] = {
    "late by a time that differs": wire(late, None),
    "a connection that is closed as soon as it is open": wire(closed, CLOSED, on="opening"),
    "a connection that is reset as soon as it is open": wire(was_reset, RESET, on="opening"),
    "a request that is lost": wire(lost, LOST, on="request"),
    "a request in whose place the connection is closed": wire(closed, CLOSED, on="request"),
    "a request in whose place the connection is reset": wire(was_reset, RESET, on="request"),
    "a response that is lost": wire(lost, LOST),
    "a response in whose place the connection is closed": wire(closed, CLOSED),
    "a response in whose place the connection is half closed": wire(half_closed, CLOSED),
    "a response in whose place the connection is reset": wire(was_reset, RESET),
    "packets that end in the middle": wire(cut_off, f"{CLOSED}|TLS|{CUT}"),
    "a reset in the middle of a body": gateway(reset_in_the_middle, f"{RESET}|{CUT}"),
    "a body that ends in the middle": gateway(cut_off, CUT),
    "a body that comes a byte at a time": gateway(dripping, LOST),
    "a body that is said to be longer than it is": gateway(with_length(5), LOST),
    "a body that is said to be shorter than it is": gateway(with_length(-5), "the body goes on after its end"),
    "a response that belongs to nothing, after each": gateway(replaced(lambda data: data + SURPLUS), None),
    "some 1xx responses first": gateway(after(3), None),
    "1xx responses without an end": gateway(after(50), "1xx responses without an end"),
    "a gateway that reaches no server": gateway(gateway_error, r"\b50[234]\b"),
    "a date long ago": gateway(dated(b"Thu, 01 Jan 1970 00:00:00 GMT"), None),
    "a date far ahead": gateway(dated(b"Fri, 01 Jan 2100 00:00:00 GMT"), None),
}


# --- the table ------------------------------------------------------------------------------------------------------

HARMFUL = [name for name, row in NETWORKS.items() if row.cause is not None]


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in HARMFUL])
def test_what_harms_nobody_changes_nothing(name: str, network: Network, correct: Announcement) -> None:
    found = network.run(correct, NETWORKS[name].trouble, 1.0, "--only", CLAUSES)
    assert (found.code, found.verdict["verdict"], unjudged(found)) == (0, "conformant", [])


@pytest.mark.parametrize("share", [0.02, 0.2])
@pytest.mark.parametrize("name", HARMFUL)
def test_nobody_is_accused_of_the_network(name: str, share: float, network: Network, correct: Announcement) -> None:
    """What is lost is asked for again; what cannot be judged nevertheless says so by its cause."""
    row = NETWORKS[name]
    found = network.run(correct, row.trouble, share, "--only", CLAUSES, "--timeout", row.timeout)
    assert network.proxy is not None
    assert network.proxy.struck > 0
    assert found.verdict["findings"] == []
    said = unjudged(found)
    assert (found.code, found.verdict["verdict"]) == ((3, "inconclusive") if said else (0, "conformant"))
    assert row.cause is not None
    assert [reason for reason in said if not re.search(row.cause, reason)] == []


@pytest.mark.parametrize("name", HARMFUL)
def test_where_nothing_comes_through_one_sentence_says_why(name: str, network: Network, correct: Announcement) -> None:
    row = NETWORKS[name]
    found = network.run(correct, row.trouble, 1.0, "--only", CLAUSES, "--timeout", row.timeout)
    assert (found.code, found.out) == (3, "")
    assert row.cause is not None
    assert re.fullmatch(f"Error: .*({row.cause}).*", found.err.splitlines()[-1])
    assert not {"finding", "case", "clause"} & {event["event"] for event in found.events}


@pytest.mark.parametrize("name", HARMFUL)
def test_a_defect_is_found_over_a_bad_network(name: str, network: Network, faulty: Announcement) -> None:
    """With one lost in fifty, what is asked again is answered."""
    row = NETWORKS[name]
    found = network.run(faulty, row.trouble, 0.02, "--only", "AUTH-1", "--timeout", "2")
    assert (found.code, found.verdict["clauses"]) == (1, {"AUTH-1": "fail"})
    assert {finding["clause"] for finding in found.verdict["findings"]} == {"AUTH-1"}
