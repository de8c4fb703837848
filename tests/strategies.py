"""Draws policies, specifications and requests: whatever the language can say of who may do what, these can draw."""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st

Dict = dict[str, Any]
KINDS = {"token": "several scopes", "session": "one scope", "root": "every scope"}
PLANS = ("free", "paid")
OBJECTS = ("public", "private")
URLS = {"live": "https://api.example/v1", "test": "https://sandbox.example/v1"}
CHECKS = ("transport", "syntax", "key", "limit", "path", "method", "scope", "body", "object")
#: No check stands before one on whose result it depends.
NEEDS = {
    "key": {"syntax"},
    "path": {"syntax"},
    "method": {"path"},
    "scope": {"key", "method"},
    "body": {"method"},
    "object": {"key", "method"},
}
#: Path below a resource -> the methods that may be there. `search` is a literal beside the parameter.
PATHS = {
    "": ("get", "post"),
    "/{id}": ("get", "patch", "put", "delete"),
    "/search": ("get", "post"),
    "/{id}/send": ("post",),
}
WRITING = ["GET", "POST", "PUT", "PATCH", "DELETE"]
FAMILIES = {"<thing>_read": {"methods": ["GET"]}, "<thing>_write": {"methods": WRITING, "includes": ["<thing>_read"]}}


@st.composite
def specifications(draw: st.DrawFn) -> Dict:
    """Draw an OpenAPI document: some resources, each with some operations, each with some security or none."""
    paths: Dict = {}
    for resource in draw(st.lists(st.sampled_from(["leads", "users", "bills"]), min_size=1, unique=True)):
        for below, methods in PATHS.items():
            chosen = draw(st.lists(st.sampled_from(methods), unique=True))
            if chosen:
                parameters = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
                path = f"/{resource}{below}"
                paths[path] = {"parameters": parameters} if "{id}" in below else {}
                paths[path] |= {method: _operation(draw, resource, path, method) for method in chosen}
    if not paths:
        paths["/leads"] = {"get": _operation(draw, "leads", "/leads", "get")}
    servers = [{"url": url} for url in URLS.values()]
    return {"openapi": "3.1.0", "info": {"title": "drawn", "version": "1"}, "servers": servers, "paths": paths}


def _operation(draw: st.DrawFn, resource: str, path: str, method: str) -> Dict:
    name = method + path.replace("/", "_").replace("{id}", "one")
    operation: Dict = {"operationId": name, "tags": [resource], "responses": {"200": {"description": "done"}}}
    security = draw(_security(resource))
    return operation if security is None else {**operation, "security": security}


@cache
def _security(resource: str) -> st.SearchStrategy[Any]:
    scopes = st.lists(st.sampled_from([f"{resource}:read", f"{resource}:write", "trusted"]), max_size=2, unique=True)
    # Of several schemes each must be named like a kind of key; of one scheme any name will do.
    several = st.lists(st.dictionaries(st.sampled_from(["token", "root"]), scopes, max_size=1), max_size=3)
    one = st.lists(st.fixed_dictionaries({"bearer": scopes}), min_size=1, max_size=2)
    return st.none() | several | one


@st.composite
def contracts(draw: st.DrawFn) -> tuple[Dict, Dict]:
    """Draw a policy with the specification that it speaks of."""
    specification = draw(specifications())
    kinds = draw(st.lists(st.sampled_from(list(KINDS)), min_size=1, unique=True))
    policy: Dict = {
        "version": 1,
        "documentation": "https://api.example/docs",
        "specification": "drawn.openapi.yaml",
        "base_url": draw(st.sampled_from([URLS, URLS["live"]])),
        "environments": list(URLS),
        "plans": list(PLANS),
        "keys": {
            "sent_as": [{"Authorization": "Bearer <key>"}],
            "kinds": {name: {"holds": KINDS[name]} for name in kinds},
        },
        "scopes": _scopes(draw),
        "error_format": {"content_type": "application/json", "body": {"code": "<code>"}},
        "errors": {"no": {"status": 403, "when": ["insufficient_scope"]}},
    }
    if draw(st.booleans()):
        policy["objects"] = list(OBJECTS)
    if draw(st.booleans()):
        policy["precedence"] = list(_order(draw))
    policy["capabilities"] = _capabilities(draw, policy, specification)
    return policy, specification


def _order(draw: st.DrawFn) -> Iterator[str]:
    """Yield the nine checks, each somewhere after those that it needs."""
    left, done = list(CHECKS), set[str]()
    while left:
        check = draw(st.sampled_from([each for each in left if NEEDS.get(each, set()) <= done]))
        left.remove(check)
        done.add(check)
        yield check


def _scopes(draw: st.DrawFn) -> Dict:
    """Draw scopes that include each other; one that includes another has its methods too."""
    rows: Dict = dict(FAMILIES) if draw(st.booleans()) else {}
    includable: list[tuple[str, list[str] | None]] = [("leads_read", ["GET"]), ("leads_write", WRITING)] if rows else []
    for name in ("one", "two", "three", "four")[: draw(st.integers(1, 4))]:
        includes = (
            draw(st.lists(st.sampled_from(includable), max_size=2, unique_by=lambda each: each[0]))
            if includable
            else []
        )
        methods = draw(st.none() | st.lists(st.sampled_from(WRITING), min_size=1, unique=True))
        if any(theirs is None for _, theirs in includes):
            methods = None
        if methods is not None:
            methods = sorted({*methods, *(method for _, theirs in includes for method in theirs or ())})
        rows[name] = {} if methods is None else {"methods": methods}
        if includes:
            rows[name]["includes"] = [included for included, _ in includes]
        includable.append((name, methods))
    if len(includable) > 1 and draw(st.booleans()):
        rows["everything"] = {"includes": ["<any>"]}
    return rows


def _capabilities(draw: st.DrawFn, policy: Dict, specification: Dict) -> Dict:
    """Draw rows of which each operation falls to one: by itself, with its resource, or with everything."""
    operations = list(_operations(specification))
    own = {each["id"] for each in operations if draw(st.integers(0, 2)) == 0}
    rows: list[tuple[Any, list[Dict]]] = [(_itself(draw, each), [each]) for each in operations if each["id"] in own]
    left = [each for each in operations if each["id"] not in own]
    for resource in sorted({each["tag"] for each in left}):
        whole = [each for each in operations if each["tag"] == resource]
        if len(whole) < len(operations) and draw(st.booleans()):
            rows.append((draw(st.sampled_from([{"tag": resource}, f"/{resource}/*"])), [x for x in whole if x in left]))
            left = [each for each in left if each not in whole]
    if left:
        rows.append(("/*", left))
    found: Dict = {}
    for index, (selector, decided) in enumerate(rows):
        # A row for each kind of object, or one for all: the narrower selector decides for every kind all the same.
        for kind in draw(st.sampled_from([policy["objects"], [None]])) if "objects" in policy else [None]:
            row = {"requires": _requirement(draw, policy, decided), "operations": [selector]}
            found[f"row {index} {kind or ''}".strip()] = row if kind is None else {**row, "objects": [kind]}
    return found


def _itself(draw: st.DrawFn, operation: Dict) -> str:
    by_id = str(operation["id"])
    return by_id if draw(st.booleans()) else f"{operation['method']} {operation['path']}"


def _requirement(draw: st.DrawFn, policy: Dict, operations: Sequence[Dict]) -> Any:
    """Draw something that a key can have for each of the operations."""
    kinds = list(policy["keys"]["kinds"])
    choices = [st.sampled_from(["any key", "no key"]), st.sampled_from([*PLANS, *kinds])]
    if all(_is_said(each["security"], policy) for each in operations):
        choices.append(st.just("as specified"))
    methods = {each["method"] for each in operations}
    rows = policy["scopes"]
    scopes = [
        *(name for name in rows if "<" not in name),
        *(["leads_read", "leads_write"] if FAMILIES.keys() & rows else []),
    ]
    counting = [name for name in scopes if methods <= set(_methods(rows, name))]
    if counting:
        enough = _together(counting, [*PLANS, kinds[0]])
        # Beside one that is enough, others may count on some of the methods only.
        more = st.lists(_together(scopes, [*scopes, *PLANS, *kinds]), min_size=1, max_size=2)
        several = st.tuples(enough, more).map(lambda each: {"any_of": _unique([each[0], *each[1]])})
        choices += [enough, several.filter(lambda row: len(row["any_of"]) > 1)]
    return draw(st.one_of(choices))


def _together(scopes: Sequence[str], others: Sequence[str]) -> st.SearchStrategy[Any]:
    """Draw a scope, or a scope and something else that are needed together."""
    scope = st.sampled_from(scopes)
    both = st.tuples(scope, st.sampled_from(others)).map(lambda names: {"all_of": _unique(names)})
    return scope | both.filter(lambda row: len(row["all_of"]) > 1)


def _unique(values: Sequence[Any]) -> list[Any]:
    return [value for index, value in enumerate(values) if value not in values[:index]]


def _methods(rows: Mapping[str, Any], scope: str) -> list[str]:
    family = f"<thing>_{scope.partition('_')[2]}"
    row = rows.get(scope, rows.get(family))
    return [] if row is None else row.get("methods", WRITING)


def _is_said(security: list[Dict] | None, policy: Dict) -> bool:
    """Tell whether the specification says who may, so that somebody may."""
    kinds = policy["keys"]["kinds"]
    if security is None:
        return False
    schemes = {scheme for entry in security for scheme in entry}
    clear = len(schemes) < 2 or schemes <= set(kinds)
    holders = ["token"] if "token" in kinds else []
    return clear and all(not entry or holders for entry in security)


def _operations(specification: Dict) -> Iterator[Dict]:
    for path, item in specification["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield {
                    "id": operation["operationId"],
                    "method": method.upper(),
                    "path": path,
                    "tag": operation["tags"][0],
                    "security": operation.get("security"),
                }


def request(drawn: random.Random, policy: Dict, specification: Dict, scopes: Sequence[str]) -> Dict:
    """Return a random well-formed request with all that holds of it, as `naive_requests.first_cause` takes it.

    Drawn from a seed: a draw of Hypothesis costs more than the decision that is to be tested.
    """
    operation = drawn.choice(list(_operations(specification)))
    path = operation["path"].replace("{id}", drawn.choice(("42", "42", "search")))
    environment = drawn.choice(list(URLS))
    usual: Dict = {
        "scheme": "https",
        "environment": environment,
        "method": operation["method"],
        "path": path,
        "key": _key(drawn, policy, scopes, environment),
        "state": "active",
        "throttled": False,
        "object_kind": drawn.choice(policy.get("objects", [None])),
        "object": "own",
        "body": "valid",
        "key_state": False,
    }
    unusual: Dict = {
        "scheme": "http",
        "environment": drawn.choice(list(URLS)),
        "method": drawn.choice(("HEAD", "OPTIONS", *WRITING)),
        "path": drawn.choice((f"{path}/", f"/v0{path}", path.upper(), "/", f"{path}/42")),
        "key": None,
        "state": drawn.choice(("grace", "expired", "revoked", "unknown", "malformed", "conflicting")),
        "throttled": True,
        "object": drawn.choice(("foreign", "absent")),
        "body": "invalid",
        "key_state": True,
    }
    return usual | {word: unusual[word] for word in drawn.sample(list(unusual), drawn.choice((0, 0, 0, 1, 1, 2, 4)))}


def _key(drawn: random.Random, policy: Dict, scopes: Sequence[str], environment: str) -> Dict:
    kind = drawn.choice(list(policy["keys"]["kinds"]))
    most = {"one scope": 1, "several scopes": min(3, len(scopes)), "every scope": 0}[KINDS[kind]]
    held = drawn.sample(scopes, drawn.randint(min(1, most), most))
    return {"kind": kind, "scopes": held, "plan": drawn.choice((None, *PLANS)), "environment": environment}
