"""Requests and response checks from Schemathesis; the only module that imports it, since its inner parts change often.

What it does here behind nobody's back: no file in the working folder, no hooks from the environment, no network, no
credentials of its own, and no word to the terminal.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from hypothesis import Phase, given
from hypothesis import seed as seeded
from hypothesis.errors import HypothesisException

from ._hypothesis import quiet, undisturbed

Mode: TypeAlias = Literal["positive", "negative", "coverage"]

#: Fields that are about the connection or that the caller sets himself.
_OURS = frozenset(
    {"user-agent", "accept", "accept-encoding", "connection", "host", "content-length", "content-type"}
    | {"authorization", "x-schemathesis-testcaseid"}
)
#: Coverage walks boundaries in an order of its own; so many are looked at before some are chosen.
_COVERAGE_SEEN = 60
#: Characters of what Schemathesis says of a response; it quotes whole schemas.
LONGEST = 300
_BOUNDARY = b"authcontract-boundary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """One generated request, without any credential."""

    operation_id: str
    mode: Mode
    method: str
    #: After the path of the base URL, percent-encoded.
    path: str
    #: As it stands behind the question mark.
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    #: None where no body is sent.
    media_type: str | None = None
    #: What is special about it, in Schemathesis' words.
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many requests each operation gets, and how many operations of a large specification are drawn."""

    positive: int = 3
    negative: int = 3
    coverage: int = 10
    operations: int = 40


class Schemas:
    """One specification as Schemathesis reads it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._schema = _loaded(document)

    def corpus(self, operations: Iterable[str], seed: int, counts: Counts) -> tuple[Generated, ...]:
        """Return requests for a sample of the operations, the simplest first; the same for the same seed."""
        names = sorted(operations)
        chance = random.Random(seed)  # noqa: S311  a seed must reproduce it
        if len(names) > counts.operations:
            names = sorted(chance.sample(names, counts.operations))
        # A schema remembers which undocumented methods it has tried, and does not try them again.
        self._schema = _loaded(self._document)
        with undisturbed():
            found = dict.fromkeys(
                generated
                for name in names
                for generated in self._of(name, random.Random(f"{seed}/{name}"), counts)  # noqa: S311  likewise
            )
        return tuple(sorted(found, key=_size))

    def _of(self, name: str, chance: random.Random, counts: Counts) -> Iterator[Generated]:
        from schemathesis import GenerationMode  # noqa: PLC0415  as above

        operation = self._operation(name)
        if operation is None:
            return
        drawn: list[tuple[Mode, Any]] = []
        drawn += [("positive", c) for c in _cases(operation, GenerationMode.POSITIVE, counts.positive, chance)]
        # A path parameter that takes any text has no wrong value: a second of draws would all be thrown away.
        deniable = operation.body or any(p.location.value != "path" for p in operation.iter_parameters())
        if deniable:
            drawn += [("negative", c) for c in _cases(operation, GenerationMode.NEGATIVE, counts.negative, chance)]
        boundaries = _coverage(self._schema, operation)
        drawn += [("coverage", c) for c in chance.sample(boundaries, min(counts.coverage, len(boundaries)))]
        for mode, case in drawn:
            generated = _plain(name, mode, case)
            if generated is not None:
                yield generated

    def _operation(self, name: str) -> Any:
        from schemathesis.errors import InvalidSchema, OperationNotFound  # noqa: PLC0415  as above

        try:
            return self._schema.find_operation_by_id(name)
        except (InvalidSchema, OperationNotFound):
            return None

    def problems(
        self,
        operation_id: str,
        status: int,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        *,
        may_lack: Collection[str] = (),
    ) -> tuple[str, ...]:
        """Return what of a response is not as documented: status, content type, headers, and the body's schema.

        Headers that it `may_lack`, in lower case, are missed by nobody.
        """
        import requests  # noqa: PLC0415  comes with Schemathesis, which compares its responses
        import schemathesis  # noqa: PLC0415  as above
        from schemathesis import checks  # noqa: PLC0415  as above
        from schemathesis.errors import FailureGroup  # noqa: PLC0415  as above

        operation = self._operation(operation_id)
        if operation is None:
            return ()
        lines: dict[str, list[str]] = {}
        for name, value in headers:
            lines.setdefault(name.lower(), []).append(value)
        with undisturbed():
            named = re.findall(r"\{([^{}]+)\}", operation.path)
            case = operation.Case(path_parameters=dict.fromkeys(named, "any"))
            response = schemathesis.Response(
                status_code=status,
                headers=lines,
                content=body,
                request=requests.Request(operation.method.upper(), "http://target/").prepare(),
                elapsed=0.0,
                verify=False,
            )
            try:
                case.validate_response(
                    response,
                    checks=[
                        checks.status_code_conformance,
                        checks.content_type_conformance,
                        checks.response_headers_conformance,
                        checks.response_schema_conformance,
                    ],
                )
            except FailureGroup as group:
                # A group is no Exception, so that Hypothesis would let it through unshrunk; its parts are.
                wrong = (failure for failure in group.exceptions if not _lacks_only(failure, may_lack))
                return tuple(sorted(_sentence(failure) for failure in wrong))
        return ()


def _loaded(document: Mapping[str, Any]) -> Any:
    with undisturbed():
        os.environ.pop("SCHEMATHESIS_HOOKS", None)
        import schemathesis  # noqa: PLC0415  takes half a second, which only a run that generates should pay

        config = schemathesis.Config.from_dict(
            {
                "base-url": "http://target",
                "max-redirects": 0,
                "cache": {"enabled": False},
                "output": {"sanitization": {"enabled": False}},
                "generation": {"with-security-parameters": False, "database": "none"},
            }
        )
        return schemathesis.openapi.from_dict(dict(document), config=config)


def _lacks_only(failure: Any, may_lack: Collection[str]) -> bool:
    """Tell whether a failure is that headers are missing, all of which may be."""
    missing = getattr(failure, "missing_headers", None)
    return missing is not None and all(name.lower() in may_lack for name in missing)


def _sentence(failure: Any) -> str:
    """Return a failure in one line: its title and what it says."""
    title = str(getattr(failure, "title", type(failure).__name__))
    message = " ".join(str(getattr(failure, "message", "")).split())
    return f"{title}: {message[:LONGEST]}" if message else title


def _cases(operation: Any, mode: Any, count: int, chance: random.Random) -> list[Any]:
    """Draw cases; none where the operation has nothing of this mode."""
    found: list[Any] = []

    @seeded(chance.getrandbits(32))
    @quiet(max_examples=count, phases=(Phase.generate,))
    @given(operation.as_strategy(generation_mode=mode))
    def draw(case: Any) -> None:
        found.append(case)

    try:
        draw()
    except HypothesisException:
        return found[:count]
    return found[:count]


def _coverage(schema: Any, operation: Any) -> list[Any]:
    from schemathesis.generation.drivers import CoverageGenerator  # noqa: PLC0415  as above
    from schemathesis.generation.feedback import NO_FEEDBACK  # noqa: PLC0415  as above
    from schemathesis.generation.overrides import Override  # noqa: PLC0415  as above

    generation = schema.config.generation_for(operation=operation, phase="coverage")
    cases = CoverageGenerator(
        operation=operation,
        generation_modes=generation.modes,
        generation_config=generation,
        auth_storage=None,
        override=Override(query={}, headers={}, cookies={}, path_parameters={}),
        feedback=NO_FEEDBACK,
    )
    return [case for _, case in zip(range(_COVERAGE_SEEN), cases, strict=False)]


def _plain(name: str, mode: Mode, case: Any) -> Generated | None:
    """Return a case as plain text and bytes; None where no HTTP request can carry it."""
    import requests  # noqa: PLC0415  as above

    try:
        wanted = case.as_transport_kwargs(base_url="http://target")
        prepared = requests.Request(**wanted).prepare()
        url = urlsplit(prepared.url or "")
    except (requests.RequestException, ValueError, TypeError):
        return None
    body, media = prepared.body or b"", prepared.headers.get("Content-Type")
    if isinstance(body, str):
        body = body.encode("utf-8", "surrogateescape")
    if not isinstance(body, bytes):
        return None
    media = _text(media) if media is not None else None
    if media is not None and "boundary=" in media:
        # `requests` draws a boundary that no seed reproduces.
        boundary = media.partition("boundary=")[2].encode()
        body, media = body.replace(boundary, _BOUNDARY), media.replace(boundary.decode(), _BOUNDARY.decode())
    headers = [(str(key), _text(value)) for key, value in prepared.headers.items() if key.lower() not in _OURS]
    if any(not value.isprintable() for _, value in headers) or not (media or "").isprintable():
        return None
    data = getattr(case.meta.phase, "data", None) if case.meta else None
    return Generated(
        operation_id=name,
        mode=mode,
        method=str(prepared.method),
        path=url.path or "/",
        query=url.query,
        headers=tuple(sorted(headers)),
        body=body,
        media_type=media if body else None,
        description=str(getattr(data, "description", "") or ""),
    )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value.encode("utf-8").decode("latin-1")


def _size(generated: Generated) -> tuple[Any, ...]:
    """Order requests from the one that is easiest to understand."""
    whole = len(generated.path) + len(generated.query) + len(generated.body) + sum(map(len, generated.headers))
    return (
        generated.mode != "positive",
        generated.method != "GET",
        bool(generated.body or generated.query or generated.headers),
        whole,
        repr(generated),
    )
