"""What is judged: the addresses of a deployment and the keys that its owner lends, as a minimal target file says.

```yaml
url: https://staging.example.com/api/v1     # or a table by environment
plaintext: http://staging.example.com       # where plain HTTP is tried
trust: staging-ca.pem                       # certificate authority, beside this file
exclude: [deleteOrganization]               # operations never called
untested: [LIFE-5]                          # clauses that need not be settled for a verdict
keys:
  - {name: reader, from_environment: KEY_READ, scopes: [read], plan: starter, environment: production, organisation: A}
```
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from authcontract_engine import KeyRecord
from authcontract_policy import Diagnostic, Dimension, Document, Policy, Span, read_document

from authcontract_conformance.driver._http2 import PROTOCOLS
from authcontract_conformance.driver._keys import Declared
from authcontract_conformance.driver._wire import Origin


@cache
def target_schema() -> Mapping[str, Any]:
    """Return the JSON Schema of a target file."""
    text = files("authcontract_conformance").joinpath("schemas/target.schema.json").read_text("utf-8")
    schema: Mapping[str, Any] = json.loads(text)
    return schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A deployment, ready to be connected to."""

    name: str
    #: Base URL by environment; None where one serves all.
    urls: Mapping[str | None, str]
    #: Where plain HTTP is tried, by environment like `urls`; empty: nowhere.
    plaintext: Mapping[str | None, str] = field(default_factory=dict)
    #: PEM text of the certificate authority; None: the system's.
    trust: str | None = None
    keys: tuple[Declared, ...] = ()
    exclude: frozenset[str] = frozenset()
    untested: frozenset[str] = frozenset()
    environments: tuple[str, ...] = field(default=())

    def origins(self) -> Mapping[tuple[str, str | None], Origin]:
        """Return the address for each channel and environment."""
        found: dict[tuple[str, str | None], Origin] = {
            ("tls", environment): origin(url, self.trust) for environment, url in self.urls.items()
        }
        clear = {
            ("clear", environment): replace(where, tls=None) for (_, environment), where in found.items() if where.tls
        }
        plain = {("plain", environment): origin(url, None) for environment, url in self.plaintext.items()}
        return found | clear | plain


def by_environment(urls: str | Mapping[str, str]) -> Mapping[str | None, str]:
    """Return one URL for all as the row of no environment, or a table as it is."""
    return {None: urls} if isinstance(urls, str) else dict(urls.items())


def origin(url: str, trust: str | None) -> Origin:
    """Return the address that a URL names; a key goes there and nowhere else."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    tls, http2 = (_context(trust), _context(trust)) if secure else (None, None)
    if http2 is not None:
        http2.set_alpn_protocols(PROTOCOLS)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Origin(host=parts.hostname or "", port=port, tls=tls, http2=http2, path=parts.path.rstrip("/"))


def _context(trust: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=trust)


def load_target(path: Path, policy: Policy, url: str | None = None) -> tuple[Target | None, tuple[Diagnostic, ...]]:
    """Return the target that a file describes, at another URL if one is given, and what is wrong with it."""
    document, problems = read_document(path, target_schema())
    if document is None:
        return None, problems
    target, found = read_target(document, policy)
    if target is not None and url is not None:
        target = replace(target, name=url, urls={None: url})
    return target, (*problems, *found)


def read_target(
    document: Document, policy: Policy, environment: Mapping[str, str] = os.environ
) -> tuple[Target | None, tuple[Diagnostic, ...]]:
    """Return the target that a document describes, and what is wrong with it; the document has the schema's shape."""
    value = document.value
    problems: list[Diagnostic] = []
    keys: list[Declared] = []
    for index, row in enumerate(value.get("keys", ())):
        secret, problem = _secret(document, index, row, environment)
        if problem is not None:
            problems.append(problem)
            continue
        problems += _unknown_names(document, index, row, policy)
        keys.append(_declared(index, row, secret, policy))
    trust = None
    if "trust" in value:
        path = Path(document.file).parent / value["trust"]
        try:
            trust = path.read_text()
            ssl.create_default_context(cadata=trust)
        except (OSError, ssl.SSLError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            problems.append(_problem(document, ("trust",), "cannot-read-certificate", f"`{value['trust']}`: {reason}"))
    if problems:
        return None, tuple(problems)
    url = value["url"]
    target = Target(
        name=url if isinstance(url, str) else ", ".join(url.values()),
        urls=by_environment(url),
        plaintext=by_environment(value["plaintext"]) if "plaintext" in value else {},
        trust=trust,
        keys=tuple(keys),
        exclude=frozenset(value.get("exclude", ())),
        untested=frozenset(value.get("untested", ())),
        environments=tuple(value.get("environments", ())),
    )
    return target, ()


def _secret(
    document: Document, index: int, row: Mapping[str, str], environment: Mapping[str, str]
) -> tuple[bytes, Diagnostic | None]:
    if ("from_environment" in row) == ("from_file" in row):
        message = "a key comes from one place: `from_environment` or `from_file`"
        return b"", _problem(
            document, ("keys", index), "missing-key", message, "name the variable or the file that holds it"
        )
    if "from_environment" in row:
        name = row["from_environment"]
        found = environment.get(name, "")
        if found:
            return found.strip().encode(), None
        path = ("keys", index, "from_environment")
        return b"", _problem(
            document, path, "missing-key", f"the environment has no variable `{name}`", "export it first"
        )
    file = Path(document.file).parent / row["from_file"]
    try:
        return file.read_bytes().strip(), None
    except OSError as error:
        place = ("keys", index, "from_file")
        return b"", _problem(document, place, "missing-key", f"the file `{row['from_file']}`: {error.strerror}")


def _unknown_names(document: Document, index: int, row: Mapping[str, object], policy: Policy) -> list[Diagnostic]:
    known = {"kind": tuple(policy.keys.kinds), "plan": policy.plans, "environment": policy.environments}
    found = []
    for word, names in known.items():
        if word in row and row[word] not in names:
            allowed = ", ".join(names) or "none"
            message = f"the policy declares no {word} `{row[word]}`"
            found.append(_problem(document, ("keys", index, word), "unknown-name", message, f"declared: {allowed}"))
    return found


def _declared(index: int, row: Mapping[str, object], secret: bytes, policy: Policy) -> Declared:
    name = str(row.get("name", f"key-{index + 1}"))
    scopes = row.get("scopes", ())
    state = str(row.get("state", "active"))
    record = KeyRecord(
        id=str(row.get("id", name)),
        digest="",
        kind=str(row.get("kind", next(iter(policy.keys.kinds)))),
        scopes=frozenset(str(scope) for scope in scopes) if isinstance(scopes, list) else frozenset(),
        plan=str(row["plan"]) if "plan" in row else next(iter(policy.plans), None),
        environment=str(row["environment"]) if "environment" in row else _environment(secret, policy),
        organisation=str(row.get("organisation", "A")),
        lineage=str(row.get("id", name)),
        issued_at=0.0,
        revoked_at=0.0 if state == "revoked" else None,
        expires_at=0.0 if state == "expired" else None,
    )
    return Declared(record=record, secret=secret, organisation=record.organisation, state=state)


def _environment(secret: bytes, policy: Policy) -> str | None:
    """Return the environment that a key shows in its prefix, else the first one of the policy."""
    for kind in policy.keys.kinds.values():
        for environment in policy.environments:
            prefix = (
                kind.prefix.lookup({Dimension.ENVIRONMENT: environment, Dimension.KIND: kind.name})
                if kind.prefix
                else None
            )
            if prefix and secret.startswith(prefix.encode()):
                return environment
    return next(iter(policy.environments), None)


def _problem(document: Document, path: tuple[str | int, ...], code: str, message: str, help_: str = "") -> Diagnostic:
    span = document.values.get(path) or document.span(path)
    fallback = Span(file=document.file, line=1, column=1, end=1, text="")
    return Diagnostic(code=code, message=message, span=span or fallback, help=help_)
