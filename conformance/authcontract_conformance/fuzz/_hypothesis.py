"""Hypothesis as a library: the same draws for the same seed wherever it runs, nothing printed, no files left behind."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Verbosity, configuration, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants


def quiet(**changes: Any) -> settings:
    """Return settings with everything stated, so that neither an environment nor a file changes them."""
    stated: dict[str, Any] = {
        "deadline": None,
        "database": None,
        "derandomize": False,
        "print_blob": False,
        "report_multiple_bugs": False,
        "suppress_health_check": tuple(HealthCheck),
        "verbosity": Verbosity.quiet,
    }
    return settings(**{**stated, **changes})


@contextmanager
def undisturbed() -> Iterator[None]:
    """Draw by the seed alone, keep the libraries' warnings to themselves, and write nothing where the user stands.

    Hypothesis mixes in constants that it finds in the source of whatever local modules are loaded, so that the same
    seed would draw other values from a checkout than from an installation. No setting turns that off.
    """
    _prepare_home()
    usual = providers._get_local_constants  # noqa: SLF001  see above; a test notices when it is gone
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        providers._get_local_constants = Constants  # noqa: SLF001  as above
        providers.CONSTANTS_CACHE.cache.clear()
        try:
            yield
        finally:
            providers._get_local_constants = usual  # noqa: SLF001  as above
            providers.CONSTANTS_CACHE.cache.clear()


def _prepare_home() -> None:
    """Let Hypothesis keep its tables of Unicode, which take two seconds to make, in the user's cache.

    Otherwise it makes a `.hypothesis` in whatever folder the user stands.
    """
    if "HYPOTHESIS_STORAGE_DIRECTORY" in os.environ:
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "authcontract" / "hypothesis"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        cache = Path(tempfile.mkdtemp(prefix="authcontract-"))
    configuration.set_hypothesis_home_dir(cache)
