"""Shared by all tests: shapes are checked at run time, and real data is found or the test skips."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

import dettrack.config  # noqa: F401  before the hook: settings check their own values, as tests of them show

# What nobody foresaw is a traceback in tests, not the one line that users get.
os.environ.setdefault("DETTRACK_TRACEBACK", "1")

# Checks every jaxtyping shape in the package while the tests run, and only then.
install_import_hook("dettrack", "beartype.beartype")

# Where CI says that it runs, the same examples every time: what random ones find is found at home.
settings.register_profile("default", deadline=None, print_blob=True, derandomize=bool(os.environ.get("CI")))
settings.load_profile("default")

SHARED = Path(os.environ.get("DETTRACK_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(autouse=True)
def _loggers_are_heard() -> None:
    """Libraries that configure logging disable the loggers that they find."""
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("dettrack") and isinstance(logger, logging.Logger):
            logger.disabled = False


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with `data/`, `evaluator/`: real videos, models, annotations and evaluator cases."""
    if not SHARED.is_dir():
        pytest.skip("the shared data is absent (set DETTRACK_SHARED to its folder)")
    return SHARED


@pytest.fixture(scope="session")
def videos(shared: Path) -> Path:
    return shared / "data" / "videos"


@pytest.fixture(scope="session")
def weights(shared: Path) -> Path:
    return shared / "data" / "weights"


@pytest.fixture(scope="session")
def annotated(shared: Path) -> Path:
    return shared / "data" / "annotated"


@pytest.fixture(scope="session")
def cases(shared: Path) -> Path:
    """Small inputs on which programs of this kind fail."""
    return shared / "cases"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="browser tests need playwright: pip install playwright"
    )
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium; or name it with CHROMIUM)")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
