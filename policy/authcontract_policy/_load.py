"""From files to a policy, a specification and their resolution: the only module that reads files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath

from ._build import build
from ._check import check
from ._diagnostics import Diagnostic, has_errors, in_order
from ._model import Policy, Span
from ._operations import Specification
from ._resolution import Resolution
from ._schema import violations
from ._specification import parse_specification
from ._yaml import SPECIFICATION_BYTES, read_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What could be read; a part is None exactly where errors kept it from being built."""

    policy: Policy | None
    specification: Specification | None
    resolution: Resolution | None
    #: Everything wrong or noteworthy, sorted by file, line and column.
    diagnostics: tuple[Diagnostic, ...]


def parse_policy(data: bytes, file: str) -> tuple[Policy | None, tuple[Diagnostic, ...]]:
    """Return the policy that a YAML text states, if it is well formed, and what is wrong with it."""
    document, problems = read_yaml(data, file)
    if document is None:
        return None, in_order(problems)
    problems = in_order((*problems, *violations(document)))
    if has_errors(problems):
        return None, problems
    return build(document), problems


def load_specification(path: str | FilePath) -> tuple[Specification | None, tuple[Diagnostic, ...]]:
    """Return the specification in this file, if it resolves, and what is wrong with it."""
    data = _bytes(FilePath(path))
    return (None, (data,)) if isinstance(data, Diagnostic) else parse_specification(data, str(path))


def load(policy_path: str | FilePath, specification_path: str | FilePath | None = None) -> Loaded:
    """Read a policy and its specification, by default the one that the policy names beside itself."""
    data = _bytes(FilePath(policy_path))
    if isinstance(data, Diagnostic):
        return Loaded(policy=None, specification=None, resolution=None, diagnostics=(data,))
    policy, problems = parse_policy(data, str(policy_path))
    if specification_path is None and policy is not None:
        specification_path = FilePath(policy_path).parent / policy.specification
    specification: Specification | None = None
    if specification_path is not None:
        specification, found = load_specification(specification_path)
        problems = (*problems, *found)
    resolution: Resolution | None = None
    if policy is not None:
        resolution, found = check(policy, specification)
        problems = (*problems, *found)
    return Loaded(policy=policy, specification=specification, resolution=resolution, diagnostics=in_order(problems))


def _bytes(path: FilePath) -> bytes | Diagnostic:
    """Return a file's content, or why it cannot be read; no more is read than any file may have."""
    try:
        with path.open("rb") as file:
            return file.read(SPECIFICATION_BYTES + 1)
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        return Diagnostic(
            code="cannot-read-file",
            message=f"the file cannot be read: {reason.lower()}",
            span=Span(file=str(path), line=1, column=1, end=1, text=""),
        )
