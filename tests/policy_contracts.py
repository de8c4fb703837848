"""The eight contracts that the language must be able to state, and slips in them."""

from pathlib import Path

from authcontract_policy import Diagnostic, Loaded, assemble, parse_policy, parse_specification

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "tests" / "contracts"
#: Contract -> its policy file.
FILES = {
    **{name: FOLDER / f"{name}.yaml" for name in ("github", "harbour", "kube", "roles", "spotify", "stripe")},
    "digitalocean": ROOT / "policy" / "digitalocean.yaml",
    "synaptiq": ROOT / "policy" / "synaptiq.yaml",
}
#: Contract -> its specification, for the six that stand here.
SPECIFICATIONS = {
    "roles": FOLDER / "draftboard.openapi.yaml",
    **{name: next(FOLDER.glob(f"{name}.openapi.*")) for name in ("github", "harbour", "kube", "spotify", "stripe")},
}

Edits = tuple[tuple[str, str], ...]


def edited(path: Path, edits: Edits) -> str:
    """Return the text of a file with each `old` replaced by `new`; an edit that changes nothing is a mistake."""
    text = path.read_text("utf-8")
    for old, new in edits:
        assert old in text, f"{path.name} has no {old!r}"
        text = text.replace(old, new, 1)
    return text


def slip(contract: str, policy: Edits = (), specification: Edits = ()) -> Loaded:
    """Load one of the six contracts with slips in its policy or specification."""
    written = edited(SPECIFICATIONS[contract], specification).encode()
    return assemble(
        parse_policy(edited(FILES[contract], policy).encode(), f"{contract}.yaml"),
        parse_specification(written, SPECIFICATIONS[contract].name),
    )


def underlined(diagnostic: Diagnostic) -> str:
    """Return the text over the carets."""
    span = diagnostic.span
    return span.text[span.column - 1 : span.end - 1]
