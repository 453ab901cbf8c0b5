"""Every main page, in light, dark and narrow: it stands, nothing sticks out, everybody can use it.

`SCREENSHOTS=FOLDER` makes pictures of all, for eyes.
"""

import json
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it says nothing of types
from playwright.sync_api import Browser, Page, expect

from tests.browser.furnishing import Furnished
from tests.browser.site import Seen, Site
from tests.browser.windows import NARROW, WIDE

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


def faults_of(page: Page, *, accessible: bool = True) -> list[str]:
    """What is wrong with the page that is open."""
    faults = []
    heads = page.locator("h1:visible").all_inner_texts()
    if len(heads) != 1:
        faults.append(f"its headings are {heads}")
    width, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    sticking = page.evaluate(STICKING_OUT)
    if width > room or sticking:
        faults.append(f"{width} pixels wide, in {room}: {sticking}")
    for one in Axe().run(page).response["violations"] if accessible else []:
        if one["impact"] in GRAVE:
            places = [f"{node['target']} {node['failureSummary']}" for node in one["nodes"][:4]]
            faults.append(f"{one['id']} ({len(one['nodes'])}): {places}")
    return faults


@pytest.mark.timeout(600)
@pytest.mark.parametrize("look", LOOKS)
def test_every_page_stands_and_everybody_can_use_it(
    look: str, site: Site, browser: Browser, furnished: Furnished
) -> None:
    addresses = {name: f"{site.url}/t/acme-casings/{path}".format(**vars(furnished)) for name, path in PAGES.items()}
    addresses |= {name: site.url + path for name, path in PLAIN.items()}
    faults: dict[str, list[str]] = {}
    with site.browsing(browser, "alice", **LOOKS[look]) as seen:
        for name, address in addresses.items():
            answer = seen.page.goto(address)
            assert answer
            settled(seen.page)
            seen.shot(f"{name}-{look}")
            # Swagger UI's own contrasts and names are its makers' business.
            found = faults_of(seen.page, accessible=name != "api-docs") + seen.complaints
            seen.complaints.clear()
            if found or not answer.ok:
                faults[name] = [str(answer.status), *found]
    assert not faults, json.dumps(faults, indent=1)


@pytest.mark.parametrize("look", LOOKS)
def test_the_sign_in(look: str, site: Site, browser: Browser) -> None:
    dark, (width, height) = LOOKS[look]["dark"], LOOKS[look]["size"]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
    seen = Seen(context.new_page(), site.url)
    page = seen.open("sign-in")
    settled(page)
    seen.shot(f"sign-in-{look}")
    assert not faults_of(page)
    assert not seen.complaints
    context.close()


@pytest.mark.parametrize("look", ["light", "narrow"])
def test_long_names_are_cut(look: str, site: Site, browser: Browser) -> None:
    name = f"{look}_{'casings_of_a_line_' * 10}"
    made = site.ask("alice", "POST", "projects", {"name": name, "kind": "DETECTION", "description": name * 2})
    site.ask("alice", "POST", f"projects/{made['id']}/classes", {"name": name[:100], "definition": name})
    faults = {}
    with site.browsing(browser, "alice", **LOOKS[look]) as seen:
        for place in ("", "/images", "/upload", "/imports", "/snapshots", "/runs", "/models"):
            page = seen.open(f"projects/{made['id']}{place}")
            settled(page)
            seen.shot(f"long-{place.strip('/') or 'project'}-{look}")
            wide = page.locator("aside").evaluate(
                "(aside) => [...aside.querySelectorAll('a')].some("
                "(a) => a.getBoundingClientRect().right > aside.getBoundingClientRect().right)"
            )
            faults[place] = faults_of(page, accessible=False) + ["the navigation is cut"] * wide
        seen.open("projects")
        faults["projects"] = faults_of(seen.page, accessible=False)
    site.ask("alice", "DELETE", f"projects/{made['id']}")
    assert not any(faults.values()), faults


@pytest.mark.parametrize("name", ["projects", "images", "image", "imports", "snapshots", "runs", "models", "members"])
def test_a_viewer_finds_no_button_that_refuses(name: str, site: Site, browser: Browser, furnished: Furnished) -> None:
    """What a form of the page would do is allowed to whoever sees it."""
    with site.browsing(browser, "vera") as seen:
        page = seen.open(PAGES[name].format(**vars(furnished)))
        settled(page)
        buttons = page.locator("main form[method=post] button")
        assert buttons.count() == 0, buttons.all_inner_texts()
        expect(page.get_by_role("link", name="API keys")).to_have_count(0)
