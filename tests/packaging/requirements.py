"""Print what the lock must hold: the build's, the project's and the groups' requirements, and what editables need."""

import tomllib
from pathlib import Path


def requirements(pyproject: Path) -> list[str]:
    """Return every requirement that pyproject.toml states, each once."""
    stated = tomllib.loads(pyproject.read_text("utf-8"))
    return list(
        dict.fromkeys(
            [
                *stated["build-system"]["requires"],
                "editables",  # hatchling asks for it when it installs editable, and the lock is all that pip may use
                *stated["project"]["dependencies"],
                *(each for group in stated["dependency-groups"].values() for each in group),
            ]
        )
    )


if __name__ == "__main__":
    print("\n".join(requirements(Path("pyproject.toml"))))  # noqa: T201  its output is what it is for
