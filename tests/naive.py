"""A second opinion on who may do what: it walks the YAML and OpenAPI documents as they are written, plainly and slowly.

It shares no line with the engine or the loader, so that a mistake of theirs shows as a disagreement.
"""

import re
from collections.abc import Mapping
from typing import Any

PART = re.compile(r"<[a-z_]+>")
Row = Mapping[str, Any]


class SecondOpinion:
    """Answers for a policy and a specification, both as plain dicts.

    An operation is a dict of id, method, path, tags and security; a key is None or a dict of kind, scopes and plan.
    """

    def __init__(self, policy: Row, specification: Row) -> None:
        self.policy = policy
        usual = {"tags": (), "security": specification.get("security")}
        self.operations = [
            {**usual, **operation, "id": operation["operationId"], "method": method.upper(), "path": path}
            for path, item in specification["paths"].items()
            for method, operation in item.items()
            if "operationId" in operation
        ]
        self.known = self._known()

    def answer(self, operation_id: str, kind_of_object: str | None, key: Row | None) -> str:
        """Return `allowed`, or the cause of the refusal."""
        operation = next(each for each in self.operations if each["id"] == operation_id)
        wanted = self._wanted(operation, kind_of_object)
        if wanted is None:
            return "allowed"
        if key is None:
            return "insufficient_scope" if self.is_open(operation) else "missing"
        lacking = [{name for name in names if not self._holds(key, name, operation["method"])} for names in wanted]
        if any(not names for names in lacking):
            return "allowed"
        plans = set(self.policy.get("plans", ()))
        return "insufficient_plan" if any(names <= plans for names in lacking) else "insufficient_scope"

    def is_open(self, operation: Row) -> bool:
        return any(self._wanted(operation, kind) is None for kind in self.policy.get("objects", [None]))

    def _holds(self, key: Row, name: str, method: str) -> bool:
        if name in self.policy.get("plans", ()):
            return bool(key["plan"] == name)
        if name in self.policy["keys"]["kinds"]:
            return bool(key["kind"] == name)
        every = self.policy["keys"]["kinds"][key["kind"]]["holds"] == "every scope"
        counts = {"HEAD": "GET"}.get(method, method) in self._row(name)[0].get("methods", [method, "GET"])
        return counts and any(name in self._reach(scope, set()) for scope in (self.known if every else key["scopes"]))

    def _wanted(self, operation: Row, kind_of_object: str | None) -> list[set[str]] | None:
        """Return the sets of names of which one suffices; None: no key is needed."""
        match self.deciding(operation, kind_of_object)["requires"]:
            case "no key":
                return None
            case "any key":
                return [set()]
            case "as specified":
                entries, kinds = operation["security"], set(self.policy["keys"]["kinds"])
                if not entries or {} in entries:
                    return None
                return [{s for scopes in entry.values() for s in scopes} | (kinds & set(entry)) for entry in entries]
            case {"any_of": several}:
                return [set(each["all_of"]) if isinstance(each, dict) else {each} for each in several]
            case {"all_of": names}:
                return [set(names)]
            case name:
                return [{name}]

    def deciding(self, operation: Row, kind_of_object: str | None) -> Row:
        """Return the capability that decides: the one that lies inside each other one that names the operation."""
        claims: list[tuple[Row, list[set[str]]]] = []
        for row in self.policy["capabilities"].values():
            extents = [{each["id"] for each in self.operations if _names(it, each)} for it in row["operations"]]
            extents = [ids for ids in extents if operation["id"] in ids]
            if extents and (kind_of_object is None or kind_of_object in row.get("objects", [kind_of_object])):
                claims.append((row, extents))
        for row, extents in claims:
            wider = [ids for other, theirs in claims if other is not row for ids in theirs]
            if all(any(mine < ids for mine in extents) for ids in wider):
                return row
        raise AssertionError(f"no row decides {operation['id']}")

    def _known(self) -> set[str]:
        """Return every scope that something names, and what families bring in with it."""
        rows = self.policy.get("scopes", {})
        requirements = [row["requires"] for row in self.policy["capabilities"].values()]
        known = {name for each in requirements for name in _texts(each)} - {"no key", "any key", "as specified"}
        known -= {*self.policy.get("plans", ()), *self.policy["keys"]["kinds"]}
        known |= set(rows) | {name for row in rows.values() for name in row.get("includes", ())}
        if "as specified" in requirements:
            known |= {scope for each in self.operations for scope in _texts(list(each["security"] or ()))}
        while True:
            more = set(known)
            for scope in known:
                row, binding = self._row(scope)
                more |= {_filled(name, binding) for name in row.get("includes", ())}
                more |= {_filled(name, binding) for name in rows if binding and PART.findall(name) == list(binding)}
            known, before = {name for name in more if not PART.search(name)}, known
            if known == before:
                return known

    def _row(self, scope: str) -> tuple[Row, dict[str, str]]:
        """Return what the policy says of a scope, and what the parts of a family's name stand for."""
        rows = self.policy.get("scopes", {})
        if scope in rows:
            return rows[scope], {}
        for name, row in rows.items():
            if PART.search(name) and (found := _form(name).fullmatch(scope)):
                return row, dict(zip(PART.findall(name), found.groups(), strict=True))
        return {}, {}

    def _reach(self, scope: str, seen: set[str]) -> set[str]:
        if scope in self.known - seen:
            seen.add(scope)
            row, binding = self._row(scope)
            for name in row.get("includes", ()):
                for other in [each for each in self.known if _form(_filled(name, binding)).fullmatch(each)]:
                    self._reach(other, seen)
        return seen


def _names(selector: Any, operation: Row) -> bool:
    if isinstance(selector, dict):
        return selector["tag"] in operation["tags"]
    method, _, path = selector.rpartition(" ")
    if not path.startswith("/"):
        return bool(selector == operation["id"])
    below = path.endswith("/*") and f"{operation['path']}/".startswith(path[:-1])
    return (below or path == operation["path"]) and method in ("", operation["method"])


def _texts(value: Any) -> list[str]:
    parts = value.values() if isinstance(value, dict) else value
    return [value] if isinstance(value, str) else [text for each in parts for text in _texts(each)]


def _form(name: str) -> re.Pattern[str]:
    return re.compile("([^ ]+)".join(re.escape(piece) for piece in PART.split(name)))


def _filled(name: str, binding: Mapping[str, str]) -> str:
    return PART.sub(lambda part: binding.get(part[0], part[0]), name)
