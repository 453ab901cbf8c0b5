"""In and out by the door that a person takes."""

from playwright.sync_api import Browser, expect

from tests.browser.site import Seen, Site


def test_sign_in_look_around_and_sign_out(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/t/acme-casings/members")
    assert page.url.startswith(f"{site.url}/sign-in?next=")

    page.fill("[name=email]", "alice@acme.example")
    page.fill("[name=password]", "not her password")
    page.click("button:has-text('Sign in')")
    expect(page.get_by_role("alert")).to_contain_text("do not open an account")

    page.fill("[name=password]", "correct horse battery staple")
    page.click("button:has-text('Sign in')")
    expect(page.get_by_role("heading", name="Members")).to_be_visible()
    assert page.url == f"{site.url}/t/acme-casings/members"

    page.get_by_label("Your account").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto(f"{site.url}/t/acme-casings/members")
    assert "/sign-in" in page.url
    context.close()


def test_the_theme_is_kept(alice: Seen) -> None:
    page = alice.open("projects")
    assert page.evaluate("document.documentElement.dataset.theme") is None
    page.get_by_label("Light or dark").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_nothing_but_our_own_files_may_run(alice: Seen) -> None:
    page = alice.open("projects")
    page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "document.title = 'taken over'";
        document.body.append(script);
    }""")
    assert "taken over" not in page.title()
    refused = [text for text in alice.complaints if "Content Security Policy" in text]
    assert refused
    alice.complaints.clear()


def test_a_seat_that_is_removed_ends_at_once(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    made = site.ask("alice", "POST", "invitations", {"email": "temp@acme.example", "role": "VIEWER"})
    page.goto(f"{site.url}/accept-invitation#{made['token']}")
    assert page.url.endswith("/accept-invitation")  # the token is in no address any more
    page.fill("[name=name]", "Temp")
    page.fill("[name=password]", "correct horse battery staple")
    page.click("button:has-text('Take the seat')")
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    seats = site.ask("alice", "GET", "members")["results"]
    seat = next(seat for seat in seats if seat["email"] == "temp@acme.example")
    site.ask("alice", "DELETE", f"members/{seat['id']}")
    answer = page.reload()
    assert answer is not None
    assert answer.status == 404
    assert "Acme" not in page.content()
    page.goto(site.url)
    expect(page.get_by_text("You have no seat in any tenant")).to_be_visible()
    context.close()
