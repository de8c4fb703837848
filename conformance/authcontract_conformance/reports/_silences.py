"""The ledger of silences on a terminal: what the target does where the documentation says nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from authcontract_conformance._events import SilenceJudged

#: State -> glyph, colour, and what is said of the target; the words always stand beside the glyph.
LOOKS: Mapping[str, tuple[str, str, str]] = {
    "as assumed": ("✔", "green", "does as assumed"),
    "otherwise": ("~", "cyan", "does otherwise"),
    "inconsistent": ("!", "yellow", "does both"),
    "not seen": ("?", "magenta", "not seen in this run"),
    "not shown": ("–", "dim", "cannot be seen from outside"),
}
#: What is told of each where not everything is asked for.
TOLD = frozenset({"otherwise", "inconsistent"})


def silences(found: Sequence[SilenceJudged], *, every: bool) -> RenderableType:
    """Return how many silences came to what, and each that the target does not answer as assumed, or all of them."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=7, no_wrap=True)
    table.add_column(ratio=1)
    shown = [silence for silence in found if every or silence.state in TOLD]
    for silence in shown:
        glyph, style, _ = LOOKS[silence.state]
        table.add_row(Text(f"{glyph} {silence.silence}", style=style), _row(silence))
    parts: list[RenderableType] = [_heading(found)]
    if shown:
        parts.append(Padding(table, (1, 0, 0, 0)))
    parts.append(_pointer(found, shown, every=every))
    return Padding(Group(*parts), (0, 0, 1, 0))


def _heading(found: Sequence[SilenceJudged]) -> Text:
    counts = [(state, sum(each.state == state for each in found)) for state in LOOKS]
    names = {
        "as assumed": "as assumed",
        "otherwise": "otherwise",
        "inconsistent": "both ways",
        "not seen": "not seen in this run",
        "not shown": "not to be seen from outside",
    }
    text = Text()
    text.append("Where the documentation is silent", style="bold")
    text.append(f", of {len(found)} points: ")
    text.append(", ".join(f"{number} {names[state]}" for state, number in counts if number) + ".")
    return text


def _row(silence: SilenceJudged) -> Text:
    """Say what the policy takes to be so, and what was seen; the latter may quote the target, so nothing is markup."""
    _, style, words = LOOKS[silence.state]
    text = Text(silence.answer)
    text.append(f"\n{words}", style=style)
    if silence.state == "otherwise" and silence.otherwise:
        numbers = " or ".join(map(str, silence.otherwise))
        text.append(f", as answer {numbers} of {silence.others} that the policy accepts too")
    if silence.seen:
        text.append(f": {silence.seen}")
    if silence.exchange is not None:
        more = f"{silence.responses} responses, " if silence.responses > 1 else ""
        text.append(f" ({more}see exchange {silence.exchange})", style="dim")
    if silence.confirmed:
        text.append("; confirmed by the owner", style="dim")
    return text


def _pointer(found: Sequence[SilenceJudged], shown: Iterable[SilenceJudged], *, every: bool) -> Text:
    example = next((each.silence for each in (*shown, *found)), "")
    more = "" if every else "; `verify --silences` lists all of them"
    return Text(f"`authcontract explain {example}` says what is accepted{more}.", style="dim")
