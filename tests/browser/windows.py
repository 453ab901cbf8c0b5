"""A Chromium without a window, and the way in. Knows nothing of Django, so that benchmarks may use it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

# No background networking: nothing but the service is asked for anything.
QUIET = ("gpu", "quic", "background-networking", "component-update", "sync", "default-apps", "extensions")
WIDE, NARROW = (1280, 860), (390, 844)


def sign_in(page: Page, url: str, email: str, password: str) -> None:
    """As a person does it."""
    page.goto(f"{url}/sign-in")
    page.fill("[name=email]", email)
    page.fill("[name=password]", password)
    page.click("button:has-text('Sign in')")
    page.wait_for_load_state("networkidle")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A real Chromium without a window. CHROMIUM names it where it is not on the path."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise RuntimeError("the browser tests need Chromium: `make browser` installs it, or name it in CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in QUIET)]
        )
        try:
            yield browser
        finally:
            browser.close()
