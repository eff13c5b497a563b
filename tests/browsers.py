"""A Chromium of the system, without a window and without a network."""

import contextlib
import shutil

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@contextlib.contextmanager
def chromium(*options):
    """A browser of its own, driven by playwright; the test is skipped where one of both is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="a browser is driven by playwright")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"there is no browser: none of {', '.join(BROWSERS)}")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=[*OPTIONS, *options])
        yield found
        found.close()
