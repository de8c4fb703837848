"""Sources and silences: what is cited exists, and what a source speaks of stands beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ._diagnostics import Diagnostic, Related, Severity, quote, suggestion
from ._model import OTHERS, Path, Policy
from ._places import at_key, at_value, key_span

_SILENCE: Final = re.compile(r"[A-Z]{1,8}-[0-9]{1,3}")
_EACH: Final = object()
#: Every block that may say its `source`; elsewhere the word is the author's own, e.g. a field of a body.
_BLOCKS: Final[tuple[tuple[Any, ...], ...]] = (
    (),
    ("keys",),
    ("keys", "rotation"),
    ("keys", "managed_by"),
    ("keys", "kinds", _EACH),
    ("scopes", _EACH),
    ("capabilities", _EACH),
    ("error_format",),
    ("errors", _EACH),
    ("rate_limits", _EACH),
    ("not_covered", _EACH),
)


def check_sources(policy: Policy) -> Iterator[Diagnostic]:
    """Yield sources that cite an unknown silence or speak of a field that is not there."""
    for path, block, source in _sources(policy.document.value):
        yield from _source(policy, (*path, "source"), source, block)


def check_silences(policy: Policy) -> Iterator[Diagnostic]:
    """Yield silences that are assumed and confirmed at once, and note those that nothing cites."""
    silences = policy.document.value.get("silences", {})
    assumed, confirmed = silences.get("assumed", {}), silences.get("confirmed", {})
    for name in confirmed:
        if name in assumed:
            yield at_key(
                policy.document,
                ("silences", "confirmed", name),
                "silence-twice",
                f"{quote(name)} is assumed and confirmed at once",
                help="delete the assumed one",
                related=(Related(span=key_span(policy.document, ("silences", "assumed", name)), label="assumed here"),),
            )
    cited = {each for _, _, source in _sources(policy.document.value) for each in _leaves(source)}
    for name, silence in policy.silences.items():
        if not silence.confirmed and not silence.otherwise and name not in cited:
            yield at_key(
                policy.document,
                ("silences", "assumed", name),
                "silence-uncited",
                f"no `source` cites {quote(name)}: it describes what the engine does anyway",
                severity=Severity.INFO,
                help="editing the sentence changes no decision",
            )


def _sources(whole: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any], Any]]:
    for steps in _BLOCKS:
        for path, block in _blocks(whole, steps, ()):
            if "source" in block:
                yield path, block, block["source"]


def _blocks(value: Any, steps: tuple[Any, ...], path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    if not steps:
        yield path, value
    elif steps[0] is _EACH:
        for step, below in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _blocks(below, steps[1:], (*path, step))
    elif steps[0] in value:
        yield from _blocks(value[steps[0]], steps[1:], (*path, steps[0]))


def _leaves(source: Any) -> Iterator[str]:
    if isinstance(source, str):
        yield source
    else:
        for below in source.values():
            yield from _leaves(below)


def _source(policy: Policy, path: Path, source: Any, beside: Any) -> Iterator[Diagnostic]:
    if isinstance(source, str):
        if _SILENCE.fullmatch(source) and source not in policy.silences:
            help_ = suggestion(source, policy.silences)
            yield at_value(policy.document, path, "unknown-silence", f"there is no silence {quote(source)}", help=help_)
        return
    for word, below in source.items():
        if word == OTHERS:
            yield from _source(policy, (*path, word), below, beside)
        elif isinstance(beside, Mapping) and word in beside and word != "source":
            yield from _source(policy, (*path, word), below, beside[word])
        else:
            known = [each for each in beside if each != "source"] if isinstance(beside, Mapping) else []
            message = f"nothing beside this source is called {quote(word)}"
            yield at_key(policy.document, (*path, word), "source-of-nothing", message, help=suggestion(word, known))
