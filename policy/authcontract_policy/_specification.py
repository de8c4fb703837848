"""The OpenAPI document as operations: what a contract needs of it, and where it is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeGuard

from ._diagnostics import Diagnostic, Related, has_errors, in_order, quote, suggestion
from ._json import read_json
from ._model import Document, Path
from ._operations import Operation, Parameter, Specification
from ._places import key_span, value_span
from ._references import References, references_in
from ._yaml import SPECIFICATION_BYTES, SPECIFICATION_DEPTH, read_yaml

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_WHERE: Final[tuple[Literal["path", "query", "header", "cookie"], ...]] = ("path", "query", "header", "cookie")

_OF_NAMES: Final = frozenset({"openapi-shape", "path-template", "no-operations"})


def parse_specification(data: bytes, file: str) -> tuple[Specification | None, tuple[Diagnostic, ...]]:
    """Return the operations of an OpenAPI 3.0 or 3.1 document (JSON or YAML), and what is wrong with it.

    There is a specification exactly when no diagnostic is an error.
    """
    if file.endswith(".json") or data[:64].lstrip()[:1] == b"{":
        document, problems = read_json(data, file)
    else:
        document, problems = read_yaml(data, file, limit=SPECIFICATION_BYTES, depth=SPECIFICATION_DEPTH)
    if document is None:
        return None, problems
    reader = _Reader(document)
    specification = reader.specification()
    problems = in_order((*problems, *reader.problems))
    return (None if has_errors(problems) else specification), problems


class _Reader:
    """Walks the document once; every part that is not as OpenAPI says becomes a diagnostic and is left out."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._references = References(document.value)
        self._ids: dict[str, Path] = {}
        self.problems: list[Diagnostic] = []

    def specification(self) -> Specification:
        whole = self._document.value
        if not self._is_block(whole, ()):
            return Specification(document=self._document, operations=())
        self._check_version(whole)
        self._check_references(whole)
        paths = whole.get("paths")
        operations = tuple(self._operations(whole, paths)) if self._is_block(paths, ("paths",)) else ()
        if not operations and not self.problems:
            self._refuse("no-operations", "the specification has no operation", ("paths",))
        return Specification(document=self._document, operations=operations, servers=self._servers(whole, ()))

    def _check_version(self, whole: Mapping[str, Any]) -> None:
        version = whole.get("openapi")
        if not (isinstance(version, str) and re.fullmatch(r"3\.[01](\.\d+)?", version)):
            self._refuse(
                "openapi-version",
                f"{quote(version)} is no version of OpenAPI that is read here"
                if "openapi" in whole
                else "this is no OpenAPI document: it does not say `openapi: 3.1.0`",
                ("openapi",),
                "versions 3.0 and 3.1 are read",
            )

    def _check_references(self, whole: Mapping[str, Any]) -> None:
        for path, reference in references_in(whole):
            try:
                self._references.lookup(reference)
            except KeyError:
                local = reference.startswith("#")
                self._refuse(
                    "reference-not-found" if local else "reference-elsewhere",
                    f"{quote(reference)} names nothing in this file"
                    if local
                    else f"{quote(reference)} lies outside this file",
                    path,
                    self._near(reference) if local else "bundle the specification into one file first",
                )

    def _near(self, reference: str) -> str:
        """Suggest a neighbour in the block where the reference looks."""
        around, _, name = reference.rpartition("/")
        try:
            block = self._references.lookup(around)
        except KeyError:
            return ""
        return suggestion(name, block) if isinstance(block, Mapping) else ""

    def _operations(self, whole: Mapping[str, Any], paths: Mapping[str, Any]) -> Iterator[Operation]:
        for template, item in paths.items():
            here: Path = ("paths", template)
            if template.startswith("x-"):
                continue
            if not template.startswith("/"):
                self._refuse("path-template", f"the path {quote(template)} does not begin with `/`", here)
                continue
            followed = self._follow(item)
            if not self._is_block(followed, here):
                continue
            shared = self._parameters(followed, here)
            for method in _METHODS:
                if method in followed and self._is_block(followed[method], (*here, method)):
                    yield self._operation(whole, followed, method, here, shared)

    def _operation(
        self, whole: Mapping[str, Any], item: Mapping[str, Any], method: str, above: Path, shared: tuple[Parameter, ...]
    ) -> Operation:
        here, block = (*above, method), item[method]
        template = str(above[-1])
        own = self._parameters(block, here)
        named = {(parameter.name, parameter.where) for parameter in own}
        body = self._follow(block.get("requestBody"))
        body = body if isinstance(body, Mapping) else {}
        tags = block.get("tags", [])
        return Operation(
            id=self._id(block, method.upper(), template, here),
            method=method.upper(),
            path=template,
            tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
            security=self._security(block.get("security", whole.get("security")), here),
            parameters=(*own, *(each for each in shared if (each.name, each.where) not in named)),
            request_body=self._content(body),
            body_required=body.get("required") is True,
            responses=self._responses(block, here),
            servers=self._servers(block, here) or self._servers(item, above),
        )

    def _id(self, block: Mapping[str, Any], method: str, template: str, here: Path) -> str:
        """Return the operationId, or `METHOD /path` where there is none."""
        if "operationId" not in block:
            return f"{method} {template}"
        found = block["operationId"]
        place = (*here, "operationId")
        if not isinstance(found, str) or not found:
            self._refuse("operation-id", "an operationId is a text", place)
            return f"{method} {template}"
        if found in self._ids:
            self._refuse(
                "operation-id-twice",
                f"two operations are called {quote(found)}",
                place,
                "give each operation a name of its own",
                Related(span=value_span(self._document, self._ids[found]), label="the first"),
            )
        self._ids.setdefault(found, place)
        return found

    def _parameters(self, block: Mapping[str, Any], here: Path) -> tuple[Parameter, ...]:
        written = block.get("parameters", [])
        found = []
        for index, each in enumerate(written if isinstance(written, list) else []):
            parameter = self._follow(each)
            if not isinstance(parameter, Mapping):
                continue
            name, where = parameter.get("name"), parameter.get("in")
            place = next((word for word in _WHERE if word == where), None)
            if not isinstance(name, str) or place is None:
                self._refuse(
                    "parameter", "a parameter needs a `name` and says where it is `in`", (*here, "parameters", index)
                )
                continue
            schema = parameter.get("schema")
            if schema is None:
                schema = next(iter(self._content(parameter).values()), {})
            found.append(
                Parameter(
                    name=name,
                    where=place,
                    required=place == "path" or parameter.get("required") is True,
                    schema=schema if isinstance(schema, Mapping) else {},
                )
            )
        return tuple(found)

    def _responses(self, block: Mapping[str, Any], here: Path) -> dict[str, dict[str, Mapping[str, Any]]]:
        responses = block.get("responses", {})
        if not self._is_block(responses, (*here, "responses")):
            return {}
        followed = {status: self._follow(response) for status, response in responses.items()}
        return {
            status: self._content(response) if isinstance(response, Mapping) else {}
            for status, response in followed.items()
            if not status.startswith("x-")
        }

    def _content(self, holder: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """Return media type -> schema; a media type without schema allows anything."""
        content = holder.get("content")
        if not isinstance(content, Mapping):
            return {}
        schemas = {kind: media.get("schema") for kind, media in content.items() if isinstance(media, Mapping)}
        return {kind: schema if isinstance(schema, Mapping) else {} for kind, schema in schemas.items()}

    def _security(self, written: Any, here: Path) -> tuple[dict[str, tuple[str, ...]], ...] | None:
        if written is None:
            return None
        sound = isinstance(written, list) and all(
            isinstance(entry, dict)
            and all(
                isinstance(scopes, list) and all(isinstance(each, str) for each in scopes) for scopes in entry.values()
            )
            for entry in written
        )
        if not sound:
            self._refuse("security", "`security` is a list of schemes with their lists of scopes", (*here, "security"))
            return None
        return tuple({scheme: tuple(scopes) for scheme, scopes in entry.items()} for entry in written)

    def _servers(self, holder: Mapping[str, Any], here: Path) -> tuple[str, ...]:
        written = holder.get("servers", [])
        found = []
        for index, server in enumerate(written if isinstance(written, list) else []):
            url = server.get("url") if isinstance(server, Mapping) else None
            if not isinstance(url, str):
                self._refuse("server", "a server needs a `url`", (*here, "servers", index))
                continue
            variables = server.get("variables")
            for name, variable in variables.items() if isinstance(variables, Mapping) else ():
                if isinstance(variable, Mapping):
                    url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
            found.append(url)
        return tuple(found)

    def _follow(self, value: Any) -> Any:
        """Return what a reference names; one that does not resolve has its diagnostic already."""
        try:
            return self._references.follow(value)
        except KeyError:
            return None

    def _is_block(self, value: Any, path: Path) -> TypeGuard[Mapping[str, Any]]:
        if isinstance(value, Mapping):
            return True
        self._refuse("openapi-shape", f"{quote(path[-1]) if path else 'the document'} must be a block of names", path)
        return False

    def _refuse(self, code: str, message: str, path: Path, help_: str = "", *related: Related) -> None:
        # A name is at fault where it, or the block that it names, is not what OpenAPI wants there.
        span = (key_span if code in _OF_NAMES else value_span)(self._document, path)
        self.problems.append(Diagnostic(code=code, message=message, span=span, help=help_, related=related))
