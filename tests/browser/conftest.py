"""One installation and one Chromium for all browser tests; each test has a window of its own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from myriad import Client
from tests.browser.furnishing import Furnished, furnish
from tests.browser.site import Seen, Site
from tests.browser.windows import chromium


@pytest.fixture(scope="package")
def site() -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="myriad-browser-"))
    made = Site(folder)
    try:
        made.start(tenants=0)
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def furnished(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Furnished:
    """A project with something of everything; made once, so tests leave it as it is."""
    return furnish(site, tmp_path_factory.mktemp("furnishing"))


@pytest.fixture
def alice(site: Site, browser: Browser) -> Iterator[Seen]:
    """Alice's window; what the console complains of fails the test."""
    with site.browsing(browser, "alice") as seen:
        yield seen


@pytest.fixture
def api(site: Site) -> Iterator[Client]:
    """Alice's API client, for what a test needs to be there."""
    with site.client("alice") as client:
        yield client
