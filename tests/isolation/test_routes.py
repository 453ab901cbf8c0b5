"""No endpoint without a guard, none without a line in the matrix, and no way in beside the declared methods."""

import uuid
from typing import Any, ClassVar

import pytest
from django.urls import path, resolve
from pytest_django import Settings
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.api.views import PublicView, TenantView
from tenants.permissions import Permission
from tests.isolation.observing import ask
from tests.isolation.routes import METHODS, Route, routes
from tests.isolation.rows import OPENS_NEW, PUBLIC, ROWS, Row
from tests.isolation.web_rows import PAGE_ROWS, PLAIN, PageRow
from tests.isolation.world import Holdings, World, state_of

TENANTS = "t/<slug:tenant>/"
GUARDED = [route for route in routes() if route.pattern not in {*PUBLIC, *PLAIN}]
PAGES = [route for route in GUARDED if route.pattern.startswith(TENANTS)]
ENDPOINTS = [route for route in GUARDED if route not in PAGES]
NOWHERE = Holdings.nowhere()


def pattern_of(row: Row) -> str:
    _, address, _ = row.request(named=NOWHERE, own=NOWHERE)
    return resolve(address.partition("?")[0]).route


def pattern_of_page(row: PageRow) -> str:
    _, address, _ = row.request(named=NOWHERE, own=NOWHERE)
    return resolve(f"/t/any/{address.partition('?')[0]}").route


LINES = {(row.method, pattern_of(row)) for row in ROWS}
PAGE_LINES = {(row.method, pattern_of_page(row)) for row in PAGE_ROWS}


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.pattern)
def test_every_route_is_guarded_or_stands_in_the_list_of_public_ones(route: Route) -> None:
    assert route.lacks() == ""


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.pattern)
def test_every_endpoint_has_a_line_in_the_matrix(route: Route) -> None:
    assert {(method, route.pattern) for method in route.methods} <= LINES | PAGE_LINES


def test_lists_hold_nothing_that_is_gone() -> None:
    there = {route.pattern for route in routes()}
    assert {*PUBLIC, *PLAIN} <= there
    assert {pattern for _, pattern in LINES | PAGE_LINES} <= there


def test_scripts_ask_the_api_only_by_a_session_below_a_tenants_address() -> None:
    """`door` mounts a view of the API there; no page stands there, and no such view anywhere else."""
    for route in PAGES:
        is_api = route.view is not None and issubclass(route.view, TenantView)
        assert is_api == route.pattern.startswith(f"{TENANTS}api/"), route.pattern


def test_every_data_route_has_a_line_that_leaks_when_nothing_guards_it() -> None:
    red = {(row.method, pattern_of(row)) for row in ROWS if not row.holds}
    exempt = {(row.method, pattern_of(row)): row.holds for row in ROWS if (row.method, pattern_of(row)) not in red}
    assert exempt == dict.fromkeys([("POST", "api/v1/invitations"), ("POST", "api/v1/keys")], OPENS_NEW)


def test_a_public_view_knows_nobody() -> None:
    for route in routes():
        if route.pattern in PUBLIC and route.view is not None:
            initial = getattr(route.callback, "initkwargs", {})
            classes = initial.get("authentication_classes", route.view.authentication_classes)  # type: ignore[attr-defined]
            assert not classes, route.pattern


def test_public_answers_hold_nothing_of_a_tenants(world: World) -> None:
    for pattern in set(PUBLIC) - {"api/v1/invitations/accept"}:
        answer = ask(world.cast.charlie.api, "GET", f"/{pattern}", None)
        assert answer.status == 200
        assert not [mark for mark in world.marks if mark in answer.text]
        assert "acme" not in answer.text.lower()


class _Sealed(TenantView):
    needs: ClassVar = {"GET": Permission.READ}

    def get(self, request: Request) -> Response:
        return Response()


class _HalfSaid(_Sealed):
    def post(self, request: Request) -> Response:
        return Response()


class _Open(_Sealed):
    permission_classes = (AllowAny,)


class _OwnWay(_Sealed):
    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return Response()


class _Bare(APIView):
    def get(self, request: Request) -> Response:
        return Response()


urlpatterns = [path("half-said", _HalfSaid.as_view()), path("bare", _Bare.as_view())]


@pytest.mark.parametrize(
    ("view", "lack"),
    [
        (_Sealed.as_view(), ""),
        (_HalfSaid.as_view(), "does not say what POST needs"),
        (_Open.as_view(), "has its own permission_classes"),
        (_OwnWay.as_view(), "has its own dispatch"),
        (_Sealed.as_view(permission_classes=[AllowAny]), "is set up anew where it is routed"),
        (_Bare.as_view(), "is no TenantView"),
        (PublicView.as_view(), "is no TenantView"),
        (lambda _request: Response(), "is no TenantView"),
    ],
)
def test_the_walk_finds_a_route_without_a_guard(view: Any, lack: str) -> None:
    (found,) = routes([path("made-up", view)])
    assert found.lacks() == lack


@pytest.mark.parametrize(("method", "address"), [("post", "/half-said"), ("get", "/bare")])
def test_deny_is_the_default(method: str, address: str, world: World, settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__
    assert getattr(world.cast.alice.api, method)(address).status_code == 403
    assert getattr(world.cast.anonymous, method)(address).status_code == 401


@pytest.mark.parametrize("route", ENDPOINTS, ids=lambda route: route.pattern)
def test_no_other_method_passes_for_anybody(route: Route, world: World) -> None:
    line = next(row for row in ROWS if pattern_of(row) == route.pattern)
    _, address, _ = line.request(named=world.acme, own=world.acme)
    before = state_of(world.acme.tenant)
    people = {"Alice": world.cast.alice.api, "Charlie": world.cast.charlie.api, "nobody": world.cast.anonymous}
    for method in sorted(set(METHODS) - route.methods):
        answers = {person: client.generic(method, address).status_code for person, client in people.items()}
        assert answers == {"Alice": 405, "Charlie": 405, "nobody": 401}, method
    assert state_of(world.acme.tenant) == before


@pytest.mark.parametrize("row", [row for row in ROWS if row.method == "GET"], ids=str)
def test_head_tells_no_more_than_get(row: Row, world: World) -> None:
    _, address, _ = row.request(named=world.acme, own=world.bolt)
    charlie = world.cast.charlie.api
    got, head = charlie.get(address), charlie.head(address)
    assert head.status_code == got.status_code
    assert head.content == b""
    _, address, _ = row.request(named=world.acme, own=world.acme)
    assert world.cast.alice.api.head(address).status_code == row.owner
    assert world.cast.anonymous.head(address).status_code == 401


def test_an_address_that_is_none_answers_as_a_missing_id(world: World) -> None:
    api = world.cast.charlie.api
    missing = api.get(f"/api/v1/projects/{uuid.uuid4()}")
    for address in ("/api/v1/nothing", "/api/v1/projects/not-an-id", f"/api/v1/tenants/{world.acme.tenant}"):
        answer = api.get(address)
        assert (answer.status_code, answer["Content-Type"]) == (404, missing["Content-Type"])
        assert answer.json() == missing.json()
