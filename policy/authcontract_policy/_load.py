"""From bytes to a policy, a specification and their resolution; `load` and `load_specification` alone read files."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, TypeAlias

from ._build import build
from ._check import check
from ._diagnostics import Diagnostic, first_of, has_errors, in_order
from ._model import Document, Policy, Span
from ._operations import Specification
from ._resolution import Resolution
from ._schema import misshapen, violations
from ._specification import parse_specification
from ._yaml import SPECIFICATION_BYTES, read_yaml

#: What a file holds, if it is sound, and what is wrong with it.
ParsedPolicy: TypeAlias = tuple[Policy | None, tuple[Diagnostic, ...]]
ParsedSpecification: TypeAlias = tuple[Specification | None, tuple[Diagnostic, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What could be read; a part is None exactly where errors kept it from being built."""

    policy: Policy | None
    specification: Specification | None
    resolution: Resolution | None
    #: Everything wrong or noteworthy, sorted by file, line and column.
    diagnostics: tuple[Diagnostic, ...]


def parse_policy(data: bytes, file: str) -> ParsedPolicy:
    """Return the policy that a YAML text states, if it is well formed, and what is wrong with it."""
    document, problems = read_yaml(data, file)
    if document is None:
        return None, in_order(problems)
    problems = in_order((*problems, *first_of(violations(document))))
    return (None if has_errors(problems) else build(document)), problems


def assemble(policy: ParsedPolicy, specification: ParsedSpecification) -> Loaded:
    """Relate a policy to its specification and check what they mean together."""
    resolution, problems = check(policy[0], specification[0]) if policy[0] is not None else (None, ())
    return Loaded(
        policy=policy[0],
        specification=specification[0],
        resolution=resolution,
        diagnostics=in_order((*policy[1], *specification[1], *problems)),
    )


def load(policy_path: str | FilePath, specification_path: str | FilePath | None = None) -> Loaded:
    """Read a policy and its specification, by default the one that the policy names relative to itself."""
    data = _bytes(FilePath(policy_path))
    policy: ParsedPolicy = (None, (data,)) if isinstance(data, Diagnostic) else parse_policy(data, str(policy_path))
    if specification_path is None and policy[0] is not None:
        specification_path = os.path.normpath(FilePath(policy_path).parent / policy[0].specification)
    return assemble(policy, load_specification(specification_path) if specification_path is not None else (None, ()))


def read_document(path: str | FilePath, schema: Mapping[str, Any]) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    """Read a YAML file of another kind, as strictly as a policy, by its own schema (see `misshapen`)."""
    data = _bytes(FilePath(path))
    if isinstance(data, Diagnostic):
        return None, (data,)
    document, problems = read_yaml(data, str(path))
    if document is not None:
        problems = (*problems, *first_of(misshapen(document, schema)))
    return (None if has_errors(problems) else document), in_order(problems)


def load_specification(path: str | FilePath) -> ParsedSpecification:
    """Read the specification in this file."""
    data = _bytes(FilePath(path))
    return (None, (data,)) if isinstance(data, Diagnostic) else parse_specification(data, str(path))


def _bytes(path: FilePath) -> bytes | Diagnostic:
    """Return a file's content, or why it cannot be read; no more is read than any file may have."""
    try:
        with path.open("rb") as file:
            return file.read(SPECIFICATION_BYTES + 1)
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
    except ValueError:
        # A path with a NUL in it.
        reason = "no file can be called so"
    span = Span(file=str(path), line=1, column=1, end=1, text="")
    return Diagnostic(code="cannot-read-file", message=f"the file cannot be read: {reason.lower()}", span=span)
