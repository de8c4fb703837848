"""Keys leave the vault in requests only; wherever else they turn up they are hidden."""

import base64
from urllib.parse import quote

import pytest
from authcontract_conformance.exchange._exchange import HOST, Credential, Parts, Probe
from authcontract_conformance.exchange._vault import WINDOW, Vault
from authcontract_engine import KeyRecord
from hypothesis import given
from hypothesis import strategies as st

SECRET = b"sk_live_Qm7XtRw2LpVz9KdJ4HsB"
PREFIX = len(b"sk_live_")
TAIL = SECRET[PREFIX:]


def vault(secret: bytes = SECRET, prefix: int = PREFIX) -> Vault:
    made = Vault()
    made.add(KeyRecord(id="LR", digest="", kind="api_key", issued_at=0.0), "LR", secret, prefix)
    return made


def percent(data: bytes) -> bytes:
    return b"".join(b"%%%02x" % byte for byte in data)


#: How a key may stand in a text.
SHAPES = {
    "raw": SECRET,
    "small": SECRET.lower(),
    "capitals": SECRET.upper(),
    "nine characters": TAIL[3 : 3 + WINDOW],
    "percent-encoded": percent(SECRET),
    "partly percent-encoded": percent(SECRET[:6]) + SECRET[6:14] + percent(SECRET[14:20]) + SECRET[20:],
    "base64": base64.b64encode(SECRET),
    "base64 after one byte": base64.b64encode(b":" + SECRET + b":"),
    "base64 after two bytes": base64.b64encode(b"u:" + SECRET),
    "URL-safe base64": base64.urlsafe_b64encode(b"key=" + SECRET),
    "twice": SECRET + b" and " + SECRET,
    "the key's end": SECRET[-WINDOW:],
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
@pytest.mark.parametrize("around", [(b"", b""), (b'{"detail": "bad key ', b'"}')], ids=["alone", "in a text"])
def test_a_key_is_hidden_and_named(shape: bytes, around: tuple[bytes, bytes]) -> None:
    safe = vault()
    text = around[0] + shape + around[1]
    assert safe.shown(text) == ("LR",)
    hidden = safe.hide(text)
    assert safe.shown(hidden) == ()
    assert b"LR" in hidden or b"hidden" in hidden


#: What may be shown: less than nine characters of the secret part.
HARMLESS = {
    "nothing": b"",
    "the last four characters": b"sk_live_..." + SECRET[-4:],
    "the prefix": b"keys begin with sk_live_ or sk_test_",
    "the prefix in base64": base64.b64encode(b"sk_live_"),
    "eight characters": TAIL[: WINDOW - 1],
    "another key": b"sk_live_" + TAIL[::-1],
    "percent signs": b"100%20of it, 5%",
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=list(HARMLESS))
def test_what_is_harmless_stays_as_it_is(text: bytes) -> None:
    assert vault().hide(text) == text
    assert vault().shown(text) == ()


def test_what_stands_around_a_key_stays() -> None:
    assert vault().hide(b"<" + SECRET + b"> and <" + SECRET + b">") == b"<sk_live_[key LR]> and <sk_live_[key LR]>"


def test_two_keys_side_by_side_are_both_hidden() -> None:
    safe = vault()
    other = b"Zx8YwVu6TsRq5PoN"
    safe.add(None, "unknown", other)
    assert safe.shown(SECRET + other) == ("LR", "unknown")
    assert safe.shown(safe.hide(SECRET + other)) == ()


secrets = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=16, max_size=40)
noise = st.text("abcXYZ019 %&=:/\n", max_size=12)
encodings = st.sampled_from(
    [
        str,
        str.swapcase,
        lambda text: quote(text, safe=""),
        lambda text: percent(text.encode()).decode(),
        *(lambda text, n=n: base64.b64encode(b"." * n + text.encode()).decode() for n in range(3)),
    ]
)


@given(secret=secrets, pieces=st.lists(st.tuples(noise, encodings), min_size=1, max_size=3), end=noise)
def test_nothing_of_a_secret_is_left(secret: str, pieces: list[tuple[str, object]], end: str) -> None:
    """Whatever stands around it, after `hide` no nine characters in a row of a secret are found by any reading."""
    safe = vault(secret.encode(), 0)
    text = "".join(before + encode(secret) for before, encode in pieces) + end  # type: ignore[operator]
    hidden = safe.hide(text.encode())
    assert safe.shown(hidden) == ()
    lower = hidden.lower().decode()
    assert not any(secret[i : i + WINDOW].lower() in lower for i in range(len(secret) - WINDOW + 1))


@given(data=st.binary(max_size=80))
def test_hiding_never_raises_and_leaves_strangers_alone(data: bytes) -> None:
    safe = vault()
    if not safe.shown(data):
        assert safe.hide(data) == data


RENDERED: dict[str, tuple[Parts, bytes]] = {
    "text": ((b"/leads",), b"/leads"),
    "key": ((b"Bearer ", Credential("LR")), b"Bearer " + SECRET),
    "altered key": ((Credential("LR", (("drop_last", 1),)),), SECRET[:-1]),
    "host": (HOST, b"api.example:8443"),
    "nothing": ((), b""),
}


@pytest.mark.parametrize(("parts", "sent"), RENDERED.values(), ids=list(RENDERED))
def test_parts_become_bytes(parts: Parts, sent: bytes) -> None:
    assert vault().render(parts, "api.example:8443") == sent


def test_a_probe_becomes_a_message() -> None:
    probe = Probe(
        method=b"POST",
        target=(b"/leads?key=", Credential("LR")),
        headers=(((b"Host",), HOST), ((b"Authorization",), (b"Bearer ", Credential("LR")))),
        body=(b"{}",),
    )
    assert vault().message(probe, "h") == (
        b"POST /leads?key=" + SECRET + b" HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + SECRET + b"\r\n\r\n{}"
    )
    assert probe.keys == ("LR",)
    assert SECRET.decode() not in repr(probe)


def test_a_key_store_finds_only_what_was_issued() -> None:
    safe = vault()
    safe.add(None, "never-issued", b"sk_live_never0issued0never0issue")
    record = safe.record("LR")
    assert record is not None
    assert safe.by_digest(record.digest) is record
    assert safe.record("never-issued") is None
    assert safe.by_digest(None) is None
    assert safe.by_digest("0" * 64) is None


def test_a_vault_shows_no_key_of_its_own() -> None:
    assert repr(vault()) == "Vault(1 keys)"
