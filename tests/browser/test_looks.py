"""Every main page, in light, dark and narrow: it stands, nothing sticks out, everybody can use it.

`SCREENSHOTS=FOLDER` makes pictures of all, for eyes.
"""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.furnishing import Furnished
from tests.browser.site import NARROW, WIDE, Seen, Site

# Name → path below the tenant's address.
PAGES = {
    "projects": "projects",
    "project": "projects/{project}",
    "images": "projects/{project}/images",
    "images-failed": "projects/{project}/images?status=FAILED",
    "upload": "projects/{project}/upload",
    "image": "images/{image}",
    "imports": "projects/{project}/imports",
    "import": "imports/{importing}",
    "snapshots": "projects/{project}/snapshots",
    "snapshot": "snapshots/{snapshot}",
    "runs": "projects/{project}/runs",
    "run": "runs/{run}",
    "models": "projects/{project}/models",
    "model": "models/{model}",
    "model-predictions": "models/{model}/predictions",
    "members": "members",
    "keys": "keys",
    "audit": "audit",
}
# Outside any tenant.
PLAIN = {"tenants": "/tenants", "account": "/account", "api-docs": "/api/v1/docs"}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"dark": False, "size": WIDE},
    "dark": {"dark": True, "size": WIDE},
    "narrow": {"dark": False, "size": NARROW},
}
GRAVE = ("serious", "critical")
# What is wider than the window, and no child of something that scrolls by itself.
STICKING_OUT = """() => {
    const room = document.documentElement.clientWidth;
    const scrolls = (e) => e && e !== document.documentElement
        && (getComputedStyle(e).overflowX !== "visible" || scrolls(e.parentElement));
    return [...document.querySelectorAll("main *, header *")].filter((e) => {
        const box = e.getBoundingClientRect();
        return box.width && box.right > room + 1 && !scrolls(e.parentElement);
    }).map((e) => `${e.tagName.toLowerCase()}.${e.className}`.slice(0, 120)).slice(0, 5);
}"""


def settled(page: Page) -> None:
    """Until what the page loads by itself is there."""
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")


def judge(page: Page, *, accessible: bool = True) -> None:
    assert page.locator("h1:visible").count() == 1, page.locator("h1").all_inner_texts()
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    sticking = page.evaluate(STICKING_OUT)
    assert widths[0] <= widths[1], (widths, sticking)
    assert not sticking
    if accessible:
        found = Axe().run(page).response["violations"]
        grave = {
            one["id"]: [f"{node['target']}: {node['failureSummary']}" for node in one["nodes"][:4]]
            for one in found
            if one["impact"] in GRAVE
        }
        assert not grave, grave


@pytest.mark.timeout(400)
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_stands_and_everybody_can_use_it(
    name: str, look: str, site: Site, browser: Browser, furnished: Furnished
) -> None:
    with site.browsing(browser, "alice", **LOOKS[look]) as seen:
        page = seen.open(PAGES[name].format(**vars(furnished)))
        settled(page)
        seen.shot(f"{name}-{look}")
        judge(page)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PLAIN)
def test_pages_outside_a_tenant(name: str, look: str, site: Site, browser: Browser, furnished: Furnished) -> None:
    with site.browsing(browser, "alice", **LOOKS[look]) as seen:
        answer = seen.page.goto(site.url + PLAIN[name])
        assert answer
        assert answer.ok
        settled(seen.page)
        seen.shot(f"{name}-{look}")
        # Swagger UI's own contrasts and names are its makers' business.
        judge(seen.page, accessible=name != "api-docs")


@pytest.mark.parametrize("look", LOOKS)
def test_the_sign_in(look: str, site: Site, browser: Browser) -> None:
    dark, (width, height) = LOOKS[look]["dark"], LOOKS[look]["size"]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
    seen = Seen(context.new_page(), site.url)
    page = seen.open("sign-in")
    settled(page)
    seen.shot(f"sign-in-{look}")
    judge(page)
    assert not seen.complaints
    context.close()


@pytest.mark.parametrize("name", ["projects", "images", "image", "imports", "snapshots", "runs", "models", "members"])
def test_a_viewer_finds_no_button_that_refuses(name: str, site: Site, browser: Browser, furnished: Furnished) -> None:
    """What a form of the page would do is allowed to whoever sees it."""
    with site.browsing(browser, "vera") as seen:
        page = seen.open(PAGES[name].format(**vars(furnished)))
        settled(page)
        forms = page.locator("main form[method=post]")
        assert forms.count() == 0, forms.first.inner_html()
        expect(page.get_by_role("link", name="API keys")).to_have_count(0)
