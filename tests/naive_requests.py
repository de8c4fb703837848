"""A second opinion on whole requests: collect everything that is wrong, then name what the stated order puts first."""

from collections.abc import Iterator

from naive import Row, SecondOpinion

USUAL_ORDER = ("transport", "syntax", "key", "limit", "path", "method", "scope", "body", "object")
OBJECT = {"absent": "unknown_object", "foreign": "foreign_object"}


def first_cause(opinion: SecondOpinion, request: Row) -> str:
    """Return `allowed`, or the cause that refuses a well-formed request.

    A request is a dict of scheme, environment, method, path (below the base URL), key and state of the key (or the
    cause why it is none), and of what holds meanwhile: throttled, object_kind, object, body, key_state.
    """
    order = opinion.policy.get("precedence", USUAL_ORDER)
    wrong = sorted(_wrong(opinion, request), key=lambda each: order.index(each[0]))
    return wrong[0][1] if wrong else "allowed"


def _wrong(opinion: SecondOpinion, request: Row) -> Iterator[tuple[str, str]]:
    """Yield every (check, cause) that speaks against the request."""
    there = _at(opinion, request["path"])
    method = {"HEAD": "GET"}.get(request["method"], request["method"])
    operation = next((each for each in there if each["method"] == method), None)
    if request["scheme"] == "http":
        yield "transport", "plaintext"
    if request["throttled"]:
        yield "limit", "throttled"
    if request["body"] == "invalid":
        yield "body", "invalid_body"
    if not there:
        yield "path", "unknown_path"
    if operation is not None:
        yield from _on_operation(opinion, request, operation)
    if operation is None and request["method"] == "OPTIONS":
        return  # it asks what is possible; it needs no key
    if operation is None:
        yield "method", "method_not_allowed"
    yield from _of_key(opinion, request, operation)


def _on_operation(opinion: SecondOpinion, request: Row, operation: Row) -> Iterator[tuple[str, str]]:
    cause = opinion.answer(operation["id"], request["object_kind"], request["key"])
    if cause not in ("allowed", "missing"):
        yield "scope", cause
    if request["object"] in OBJECT:
        yield "object", OBJECT[request["object"]]
    elif request["key_state"]:
        yield "object", "key_state"


def _of_key(opinion: SecondOpinion, request: Row, operation: Row | None) -> Iterator[tuple[str, str]]:
    key = request["key"]
    if key is None:
        if operation is None or not opinion.is_open(operation):
            yield "key", "missing"
    elif request["state"] not in ("active", "grace"):
        yield "key", request["state"]
    elif isinstance(opinion.policy["base_url"], dict) and key["environment"] != request["environment"]:
        yield "key", "wrong_environment"


def _at(opinion: SecondOpinion, path: str) -> list[Row]:
    """Return the operations at a path; seen from the left, a literal segment goes before a parameter."""
    fits = [each for each in opinion.operations if _leads(each["path"], path)]
    best = min((_parameters(each["path"]) for each in fits), default=None)
    return [each for each in fits if _parameters(each["path"]) == best]


def _leads(template: str, path: str) -> bool:
    wanted, got = template.split("/"), path.split("/")
    pairs = zip(wanted, got, strict=False)
    return len(wanted) == len(got) and all(a == b or (a.startswith("{") and b) for a, b in pairs)


def _parameters(template: str) -> list[bool]:
    return [segment.startswith("{") for segment in template.split("/")]
