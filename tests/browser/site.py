"""The service as it runs, and people with browsers in front of it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from deploy.local.services import ROOT
from myriad import Client
from tests.browser.windows import WIDE, sign_in
from tests.cast import PASSWORD
from tests.chaos.ground import Ground, TenantKey


@dataclass(frozen=True)
class Someone:
    email: str
    tenant: str
    key: str


class Site(Ground):
    """An installation whose pages are meant: it knows its own address."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, worker_app="tests.chaos.brief")  # a training takes seconds
        self.people: dict[str, Someone] = {}
        self._states: dict[str, object] = {}

    def extra_env(self) -> dict[str, str]:
        limits = {f"RATE_LIMIT_{name}": "10000/100000" for name in ("KEY", "TENANT", "ADDRESS", "FAILURES")}
        return {"PUBLIC_URL": self.url, **limits}

    def _make_tenants(self, count: int) -> list[TenantKey]:
        command = [sys.executable, "-m", "tests.browser.people"]
        made = subprocess.run(command, cwd=ROOT, env=self.env, check=True, stdout=subprocess.PIPE)
        self.people = {name: Someone(**fields) for name, fields in json.loads(made.stdout).items()}
        return []

    def client(self, who: str) -> Client:
        """The person's API client, for what a test needs to be there."""
        return Client(self.url, self.people[who].key)

    def ask(self, who: str, method: str, path: str, body: object = None) -> Any:
        """The API's answer to the person's key; fails on a refusal."""
        headers = {"Authorization": f"Bearer {self.people[who].key}"}
        answer = httpx.request(method, f"{self.url}/api/v1/{path}", json=body, headers=headers, timeout=60)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    @contextmanager
    def browsing(
        self, browser: Browser, who: str, *, dark: bool = False, size: tuple[int, int] = WIDE
    ) -> Iterator["Seen"]:
        """A browser in which the person is signed in; fails at its end on anything that its console complains of."""
        if who not in self._states:
            with self._context(browser, dark=dark, size=size) as context:
                sign_in(context.new_page(), self.url, self.people[who].email, PASSWORD)
                self._states[who] = context.storage_state()
        with self._context(browser, dark=dark, size=size, state=self._states[who]) as context:
            seen = Seen(context.new_page(), f"{self.url}/t/{self.people[who].tenant}")
            yield seen
            assert not seen.complaints, seen.complaints

    @contextmanager
    def _context(
        self, browser: Browser, *, dark: bool, size: tuple[int, int], state: object = None
    ) -> Iterator[BrowserContext]:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            storage_state=state,  # type: ignore[arg-type]  # what it gave out itself
        )
        context.set_default_timeout(20_000)
        try:
            yield context
        finally:
            context.close()


class Seen:
    """A page, and what the browser complained of meanwhile."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("requestfailed", self._failed)

    def open(self, path: str) -> Page:
        """Opens a page of the person's tenant and waits until it stands."""
        answer = self.page.goto(f"{self.base}/{path}")
        assert answer is not None
        assert answer.ok, f"{answer.status} {path}"
        return self.page

    def shot(self, name: str) -> None:
        """A picture of the whole page, where SCREENSHOTS names a folder for them."""
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _failed(self, request: Request) -> None:
        # A page that is left drops what it still loads.
        if "ERR_ABORTED" not in (request.failure or ""):
            self.complaints.append(f"failed: {request.url.partition('?')[0]} {request.failure}")
