"""Servers of the shop's contract, each fresh, with a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from authcontract_conformance.reference import CORRECT, Seams, Server
from authcontract_engine import Contract
from authcontract_policy import Algorithm
from shop import Caller, shop


@pytest.fixture(scope="session")
def contract() -> Contract:
    return shop()


@pytest.fixture
def serving(contract: Contract) -> Callable[..., Caller]:
    """Return a maker of callers, each with a server of its own."""

    def make(seams: Seams = CORRECT, algorithm: Algorithm | None = None) -> Caller:
        server = Server(contract, seams=seams, algorithm=algorithm)
        server.clock.freeze()
        return Caller(server)

    return make


@pytest.fixture
def caller(serving: Callable[..., Caller]) -> Caller:
    return serving()
