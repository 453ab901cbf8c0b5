"""What the command says: to people, to programs, and when told to be quiet."""

import pytest

from myriad import __version__
from tests.clients.sdk.conftest import Myriad
from tests.clients.sdk.fake_service import FakeService


def test_project_is_made_and_listed_for_people(service: FakeService, myriad: Myriad) -> None:
    made = myriad("project", "create", "Casings", "--kind", "detection")
    (project,) = service.tenant.projects
    assert (made.code, made.out, made.err) == (0, f"Project Casings (DETECTION) made: {project}\n", "")

    listed = myriad("project", "list")
    heading, row = listed.out.splitlines()
    assert heading.split() == ["ID", "NAME", "KIND", "IMAGES", "LABELLED", "MADE"]
    assert row.split()[:4] == [project, "Casings", "DETECTION", "0"]


def test_quiet_prints_the_bare_answer(service: FakeService, myriad: Myriad) -> None:
    made = myriad("--quiet", "project", "create", "Casings", "--kind", "Detection")
    assert (made.out, made.err) == (f"{next(iter(service.tenant.projects))}\n", "")
    assert len(myriad("project", "list", "-q").out.splitlines()) == 1


@pytest.mark.parametrize("place", [0, 1, 2])
def test_json_may_stand_anywhere(service: FakeService, myriad: Myriad, place: int) -> None:
    project = service.tenant.add_project("Casings")
    arguments = ["project", "list"]
    arguments.insert(place, "--json")
    assert myriad(*arguments).json_lines == [service.tenant.projects[project]]


def test_json_is_what_the_server_said_whole(service: FakeService, myriad: Myriad, project: str) -> None:
    image = service.tenant.add_image(project, "Gehäuse \udc80\x1b[2J.jpg", invented_tomorrow=[1, {"a": None}])
    shown = myriad("image", "show", image, "--json")
    assert shown.json == service.tenant.images[image]
    assert shown.out.isascii()
    assert shown.out.count("\n") == 1
    assert shown.err == ""


def test_names_cannot_command_the_terminal(service: FakeService, myriad: Myriad, project: str) -> None:
    service.tenant.add_image(project, "a\x1b[2J\r\nb.jpg")
    shown = myriad("image", "list", "--project", project)
    assert "\x1b" not in shown.out + shown.err
    assert "a\\x1b[2J\\r" in shown.out


def test_list_stops_at_its_limit_and_says_so(service: FakeService, myriad: Myriad, project: str) -> None:
    for number in range(7):
        service.tenant.add_image(project, f"{number}.jpg")

    some = myriad("image", "list", "-p", "Casings", "--limit", "5", "--json")
    assert [line["filename"] for line in some.json_lines] == [f"{number}.jpg" for number in range(5)]
    assert some.err == "There are more than these 5; --limit 0 shows all.\n"

    everything = myriad("image", "list", "-p", "Casings", "--limit", "0", "--json")
    assert (len(everything.json_lines), everything.err) == (7, "")


def test_empty_list_is_no_line_of_json(myriad: Myriad) -> None:
    assert (myriad("project", "list", "--json").out, myriad("job", "list").err) == ("", "There are none.\n")


def test_images_are_filtered(service: FakeService, myriad: Myriad, project: str) -> None:
    scratch = myriad("class", "create", "scratch", "-p", "Casings", "--json").json["id"]
    common = {"status": "FAILED", "split": "TEST", "metadata": {"camera": 3, "shift": "night"}}
    wanted = service.tenant.add_image(project, "a.jpg", classes=[scratch], **common)
    service.tenant.add_image(project, "b.jpg", **common)
    filters = ["--status", "failed", "--split", "test", "--meta", "camera=3", "--meta", "shift=night"]

    listed = myriad("image", "list", "-p", "Casings", "--class", "scratch", *filters, "--json")

    assert [line["id"] for line in listed.json_lines] == [wanted]
    missing = myriad("image", "list", "-p", "Casings", "--class", "dent")
    assert (missing.code, missing.err.splitlines()[0]) == (3, "error: The project has no class 'dent'.")


def test_image_is_shown_with_its_error(service: FakeService, myriad: Myriad, project: str) -> None:
    error = {"code": "truncated", "message": "The image ends too early.", "hint": "Copy it again."}
    image = service.tenant.add_image(project, "a.jpg", status="FAILED", size=1234567, error=error)
    lines = dict(line.split("  ", 1) for line in myriad("image", "show", image).out.splitlines())
    told = {name: value.strip() for name, value in lines.items()}
    assert told["bytes"] == "1,234,567"
    assert told["pixels"] == "4 x 3"
    assert told["error"] == "The image ends too early. (truncated)"
    assert told["hint"] == "Copy it again."


def test_classes_are_listed(myriad: Myriad, project: str) -> None:
    myriad("class", "create", "scratch", "--project", "Casings", "--definition", "A line.")
    (row,) = myriad("class", "list", "--project", "Casings", "--quiet").out.splitlines()
    assert row.split()[1:] == ["scratch", "0", "0", "A", "line."]


def test_job_is_watched_to_its_end(service: FakeService, myriad: Myriad) -> None:
    job = service.tenant.add_job(progress={"done": 0, "total": 8, "message": ""})
    ended = myriad("job", "watch", job, "--json")
    assert (ended.code, ended.json["state"], ended.json["progress"]["done"]) == (0, "SUCCEEDED", 8)


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_job_that_does_not_succeed_exits_with_4(service: FakeService, myriad: Myriad, state: str) -> None:
    error = {"code": "poison", "message": "It was tried three times.", "hint": "Ask support."}
    ended = myriad("job", "watch", service.tenant.add_job(state=state, error=error))
    assert ended.code == 4
    assert "hint         Ask support." in ended.out.splitlines() or "hint      Ask support." in ended.out


def test_job_that_takes_too_long_exits_with_4(service: FakeService, myriad: Myriad) -> None:
    service.tenant.looks_a_job = 10**9
    job = service.tenant.add_job()
    assert myriad("job", "watch", job, "--timeout", "0").code == 4
    assert myriad("job", "show", job).code == 0


def test_key_is_shown_once_and_revoked(service: FakeService, myriad: Myriad) -> None:
    made = myriad("key", "create", "CI", "--scope", "upload", "--expires", "2027-01-01")
    (key,) = service.tenant.keys
    assert made.out == f"Key CI made: {key}\nmyr_newkey00_shown\n"
    assert service.tenant.keys[key]["scopes"] == ["upload"]
    assert service.tenant.keys[key]["expires_at"].startswith("2027-01-01T00:00:00")
    assert "myr_newkey00_shown" not in myriad("key", "list").out
    assert myriad("key", "revoke", key, "--json").json == {"id": key, "removed": True}
    assert service.tenant.keys == {}


def test_who_one_is(service: FakeService, myriad: Myriad) -> None:
    assert myriad("whoami").out.splitlines() == [
        f"service  {service.url}",
        "tenant   Acme Casings (acme-id)",
        "member   alice@acme.example, OWNER",
        "key      canary00",
        "scopes   read upload",
        "images   12 of 1,000",
        "bytes    34 of 5,600",
    ]


def test_invitation_is_accepted_with_a_password_from_standard_input(
    service: FakeService, myriad: Myriad, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.delenv("MYRIAD_API_KEY")
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse \n"))

    accepted = myriad("invitation", "accept", "good-token", "--name", "Bob", "--password-stdin", "-q")

    assert (accepted.code, accepted.out, accepted.err) == (0, "myr_first000_shown\n", "")
    assert service.received[0].json == {"token": "good-token", "name": "Bob", "password": "correct horse "}


def test_version_and_help(myriad: Myriad) -> None:
    assert myriad("--version").out == f"myriad, version {__version__}\n"
    assert myriad("image", "upload", "--help").out.startswith("Usage: myriad image upload [OPTIONS] DIR...")


def test_password_is_asked_for_without_a_pipe(
    service: FakeService, myriad: Myriad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: "correct horse")
    accepted = myriad("invitation", "accept", "good-token", "--name", "Bob")
    assert accepted.out == (
        "Welcome to Acme Casings as LABELER. Your API key, for MYRIAD_API_KEY:\nmyr_first000_shown\n"
    )
    assert service.received[0].json["password"] == "correct horse"


def test_members_and_invitations_are_listed_and_made(service: FakeService, myriad: Myriad) -> None:
    bob = {"id": "n1", "email": "bob@acme.example", "role": "LABELER", "token": "inv_shown_once"}
    member = {"id": "m1", "email": "alice@acme.example", "name": "Alice", "role": "OWNER"}
    service.fail("POST", "/api/v1/invitations", 201, bob)
    service.fail("GET", "/api/v1/invitations", 200, {"next": None, "results": [bob]})
    service.fail("GET", "/api/v1/members", 200, {"next": None, "results": [member]})
    service.fail("DELETE", "/api/v1/invitations/n1", 204)

    made = myriad("invitation", "create", "bob@acme.example", "--role", "labeler")
    assert made.out == "Invitation of bob@acme.example as LABELER made: n1\ninv_shown_once\n"
    assert made.err == "Keep it; it is not shown again.\n"
    assert myriad("invitation", "list", "-q").out.split() == ["n1", "bob@acme.example", "LABELER", "-", "-"]
    assert myriad("member", "list", "-q").out.split() == ["m1", "alice@acme.example", "Alice", "OWNER"]
    assert myriad("invitation", "revoke", "n1").out == "Invitation n1 revoked.\n"
