"""What a decision costs: ours, a bare dictionary and bitmask, and two peers, asked the same in the same run.

    python benches/decide.py

Prints one Markdown table. Times are CPU nanoseconds of this thread, medians of interleaved rounds, the loop included.

- *decision*: may this key call this operation? Both are at hand; the answer is a `Decision` with its rule.
- *floor*: the same by two dictionaries and a bitmask, written out here; the answer is yes or no.
- *Casbin*: pycasbin's FastEnforcer, indexed by method and path. *Cedar*: cedarpy, policies and entities parsed before.
  Regorus has no Python package on PyPI, so Rego is not in the table.
- *nine checks*: `decide` of a request that was read: transport, syntax, key, limit, path, method, scope, body, object.
- *whole request*: from method, target and header lines to the decision: syntax, hash of the key, its record and life,
  route, scope, and a fixed window reserved with all that its headers say. *Its floor* does that much with dictionaries,
  judges no syntax and keeps one number for each window.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import casbin  # type: ignore[import-untyped]  # it has no types
import cedarpy
from authcontract_engine import Contract, Facts, KeyRecord, MemoryKeys, MemoryLimiter, Request
from authcontract_engine import compile as compile_contract
from authcontract_policy import Document, Operation, Specification, parse_policy
from casbin.model import FastModel  # type: ignore[import-untyped]  # likewise

SIZES = (20, 200, 2_000, 10_000)
ROUNDS = 31
#: Questions in one round, each about another operation or by another key.
QUESTIONS = 1_000
NOW = 1_800_000_000.0
#: Whoever takes longer than this is asked in every tenth round only.
SLOW = 20_000
SCOPES = ("read", "write", "admin")
#: Method -> the scope that it takes, and what stands below a collection's path.
SHAPES = (("GET", "read", ""), ("POST", "write", ""), ("GET", "read", "/{id}"), ("PATCH", "write", "/{id}"),
          ("DELETE", "admin", "/{id}"))  # fmt: skip
NEEDED = {method: scope for method, scope, _ in SHAPES}

POLICY = {
    "version": 1,
    "documentation": "https://bench.example/docs",
    "specification": "bench.openapi.json",
    "base_url": "https://bench.example/api/v1",
    "plans": ["starter", "pro"],
    "keys": {
        "sent_as": [{"Authorization": "Bearer <key>"}],
        "kinds": {
            "API key": {
                "holds": "one scope",
                "prefix": "sk_live_",
                "secret": {"length": 30, "alphabet": "a-z A-Z 0-9"},
            }
        },
    },
    "scopes": {
        "read": {"methods": ["GET"]},
        "write": {"methods": ["GET", "POST", "PATCH"], "includes": ["read"]},
        "admin": {"methods": ["GET", "POST", "PATCH", "DELETE"], "includes": ["write"]},
    },
    "capabilities": {
        "Read": {"requires": "read", "operations": ["GET /*"]},
        "Write": {"requires": "write", "operations": ["POST /*", "PATCH /*"]},
        "Delete": {"requires": "admin", "operations": ["DELETE /*"]},
    },
    "error_format": {"content_type": "application/json", "body": {"error": "<code>"}},
    "errors": {"forbidden": {"status": 403, "when": ["insufficient_scope"]}},
    "rate_limits": {
        "by plan": {
            "requests": {"starter": 1_000_000, "pro": 10_000_000},
            "window": "1 minute",
            "per": ["key"],
            "algorithm": "fixed_window",
        }
    },
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One contract, its keys, and the questions that every contender is asked."""

    contract: Contract
    keys: MemoryKeys
    #: Records with their secrets.
    issued: tuple[tuple[KeyRecord, str], ...]
    questions: tuple[tuple[Operation, KeyRecord], ...]
    requests: tuple[Request, ...]


def setting(size: int) -> Setting:
    """Return a contract of so many operations, as REST APIs have them: five on each collection."""
    operations = tuple(
        Operation(id=f"{method}-{at}{below}", method=method, path=f"/things{at}{below}", request_body={}, responses={})
        for at in range(size // len(SHAPES))
        for method, _, below in SHAPES
    )
    nowhere = Document(file="bench.openapi.json", sha256="", value={}, keys={}, values={})
    policy, _ = parse_policy(json.dumps(POLICY).encode(), "bench.json")
    if policy is None:
        raise SystemExit("the bench's own policy does not load")
    contract = compile_contract(policy, Specification(document=nowhere, operations=operations))
    keys = MemoryKeys(contract)
    issued = tuple(
        keys.issue(organisation="o", environment=None, kind="API key", scopes=[scope], plan=plan, now=NOW)
        for scope in SCOPES
        for plan in ("starter", "pro")
    )
    # A step that shares no factor with the number of operations meets all of them, in no order that a cache likes.
    asked = [(operations[at * 7919 % size], issued[at % len(issued)]) for at in range(QUESTIONS)]
    return Setting(
        contract,
        keys,
        issued,
        tuple((operation, record) for operation, (record, _) in asked),
        tuple(_request(operation, secret) for operation, (_, secret) in asked),
    )


def _request(operation: Operation, secret: str) -> Request:
    return Request(
        method=operation.method.encode(),
        target=f"/api/v1{operation.path.replace('{id}', '8ce1f0')}?page=2".encode(),
        headers=(
            (b"Host", b"bench.example"),
            (b"User-Agent", b"bench/1.0"),
            (b"Accept", b"application/json"),
            (b"Authorization", f"Bearer {secret}".encode()),
        ),
    )


def _held(record: KeyRecord) -> int:
    """Return a bit for the scope of a key and for each that it includes."""
    (scope,) = record.scopes
    return (2 << SCOPES.index(scope)) - 1


Ask = Callable[[], Sequence[bool]]


def decisions(case: Setting) -> Iterator[tuple[str, Ask]]:
    """Yield who is asked whether a key may call an operation, both at hand."""
    permit, questions = case.contract.permit, case.questions
    yield "decision", lambda: [permit(operation, key).allowed for operation, key in questions]

    held = {record.id: _held(record) for record, _ in case.issued}
    needs = {operation.id: 1 << SCOPES.index(NEEDED[operation.method]) for operation in case.contract.operations}

    def floor(operation: Operation, key: KeyRecord) -> bool:
        need = needs[operation.id]
        return held[key.id] & need == need

    yield "floor", lambda: [floor(operation, key) for operation, key in questions]

    enforce = _casbin(case).enforce
    asked = [(*key.scopes, operation.path, operation.method) for operation, key in questions]
    yield "Casbin", lambda: [enforce(scope, path, method) for scope, path, method in asked]

    policies, entities = _cedar(case)
    named = [
        {
            "principal": {"type": "Scope", "id": next(iter(key.scopes))},
            "action": {"type": "Action", "id": operation.id},
            "resource": {"type": "Api", "id": "bench"},
            "context": {},
        }
        for operation, key in questions
    ]
    yield "Cedar", lambda: [cedarpy.is_authorized(each, policies, entities).allowed for each in named]


CASBIN_MODEL = """
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub == p.sub && r.obj == p.obj && r.act == p.act
"""


def _casbin(case: Setting) -> casbin.FastEnforcer:
    """Return an enforcer with a line for each scope and operation, indexed by method and path."""
    model = FastModel([2, 1])
    model.load_model_from_text(CASBIN_MODEL)
    # Added one by one: `add_policies` counts all lines again for each of them.
    lines = model.model["p"]["p"].policy
    for operation in case.contract.operations:
        for scope in SCOPES[SCOPES.index(NEEDED[operation.method]) :]:
            lines.append([scope, operation.path, operation.method])
    return casbin.FastEnforcer(model, cache_key_order=[2, 1])


def _cedar(case: Setting) -> tuple[cedarpy.PolicySet, cedarpy.Entities]:
    """Return a policy for each scope and the operations as members of what it may do."""
    policies = "".join(
        f'permit(principal == Scope::"{scope}", action in Action::"{needed}", resource);'
        for at, scope in enumerate(SCOPES)
        for needed in SCOPES[: at + 1]
    )
    groups = [{"uid": {"type": "Action", "id": scope}, "attrs": {}, "parents": []} for scope in SCOPES]
    members = [
        {
            "uid": {"type": "Action", "id": operation.id},
            "attrs": {},
            "parents": [{"type": "Action", "id": NEEDED[operation.method]}],
        }
        for operation in case.contract.operations
    ]
    return cedarpy.PolicySet.from_str(policies), cedarpy.Entities.from_json_str(json.dumps(groups + members))


def requests(case: Setting) -> Iterator[tuple[str, Ask]]:
    """Yield who is asked about whole requests: key hashed and looked up, its life, route, scope and limit."""
    contract, by_digest = case.contract, case.keys.by_digest
    limiter = MemoryLimiter(contract)

    def whole(request: Request) -> bool:
        reading = contract.read(request)
        key = by_digest(reading.presented.digest)
        charges = contract.charges(reading, key, NOW)
        usage = limiter.reserve(charges, NOW) if charges else None
        return contract.decide(reading, Facts(NOW, key, usage)).allowed

    yield "whole request", lambda: [whole(request) for request in case.requests]

    readings = [contract.read(request) for request in case.requests]
    read = [(reading, Facts(key=by_digest(reading.presented.digest), now=NOW)) for reading in readings]
    yield "nine checks", lambda: [contract.decide(reading, facts).allowed for reading, facts in read]
    yield "its floor", _floor_of_requests(case)


def _floor_of_requests(case: Setting) -> Ask:
    """Answer the same with nothing but dictionaries: no syntax is judged, and no answer says more than yes or no."""
    known = {record.digest: (record.id, NOW + 1, _held(record), 1_000_000) for record, _ in case.issued}
    routes = {
        (each.method.encode(), each.path.count("/"), each.path.split("/")[1].encode()): 1
        << SCOPES.index(NEEDED[each.method])
        for each in case.contract.operations
    }
    used: dict[tuple[str, int], int] = {}

    def floor(request: Request) -> bool:
        value = next(value for name, value in request.headers if name == b"Authorization")
        found = known.get(hashlib.sha256(value[7:]).hexdigest())
        if found is None:
            return False
        identity, dies_at, held, amount = found
        if dies_at <= NOW:
            return False
        window = (identity, int(NOW) // 60)
        count = used.get(window, 0)
        if count >= amount:
            return False
        used[window] = count + 1
        path = request.target.partition(b"?")[0].split(b"/")
        need = routes.get((request.method, len(path) - 3, path[3]))
        return need is not None and held & need == need

    return lambda: [floor(request) for request in case.requests]


def measure(asks: dict[str, Ask], rounds: int) -> dict[str, float]:
    """Return nanoseconds for a question to each; whoever is slow is asked in fewer rounds."""
    times: dict[str, list[float]] = {name: [] for name in asks}
    expected = None
    for name, ask in asks.items():
        answers = ask()
        if expected is not None and answers != expected:
            raise SystemExit(f"{name} does not agree with the others")
        expected = answers
    for at in range(rounds):
        for name, ask in asks.items():
            if times[name] and times[name][0] > SLOW and at % 10:
                continue
            begun = time.thread_time_ns()
            ask()
            times[name].append((time.thread_time_ns() - begun) / QUESTIONS)
    return {name: median(found) for name, found in times.items()}


def main() -> None:
    """Measure every size and print the table."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = options.parse_args().rounds
    found = [_measured(setting(size), rounds) for size in SIZES]
    print(f"| CPU nanoseconds | {' | '.join(f'{size:,} operations' for size in SIZES)} | target |")
    print(f"|---|{'--:|' * len(SIZES)}---|")
    for name in found[0]:
        print(f"| {name} | {' | '.join(f'{times[name]:,.0f}' for times in found)} | |")
    ratios: dict[str, tuple[Callable[[dict[str, float]], float], str]] = {
        "decision / floor": (lambda times: times["decision"] / times["floor"], "≤ 2"),
        "decision / itself at 20": (lambda times: times["decision"] / found[0]["decision"], "≤ 1.3"),
        "fastest peer / decision": (lambda times: min(times["Casbin"], times["Cedar"]) / times["decision"], "≥ 5"),
        "whole request / its floor": (lambda times: times["whole request"] / times["its floor"], "≤ 5"),
    }
    for name, (ratio, target) in ratios.items():
        print(f"| {name} | {' | '.join(f'{ratio(times):.2f}' for times in found)} | {target} |")


def _measured(case: Setting, rounds: int) -> dict[str, float]:
    return measure(dict(decisions(case)), rounds) | measure(dict(requests(case)), rounds)


if __name__ == "__main__":
    main()
