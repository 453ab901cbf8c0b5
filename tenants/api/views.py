"""The base of every view under a tenant: scope, idempotency, deny by default."""

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.views import APIView

from tenants.api import limits, problems
from tenants.api.authentication import SeatAuthentication
from tenants.api.etags import etag_of, expectation, is_known
from tenants.domain import idempotency
from tenants.permissions import Permission, Principal
from tenants.rate_limits import Verdict
from tenants.refusals import Expectation, Invalid, Refusal
from tenants.scope import tenant_scope


class TenantView(APIView):
    """A view whose handler runs in the scope of the key's tenant.

    `needs` names, for each method, the permission it asks for; a method without one is denied. A view that talks
    to S3 sets `scoped = False`, and its domain verb opens short scopes itself.
    """

    needs: ClassVar[Mapping[str, Permission]] = {}
    scoped: ClassVar[bool] = True
    # False where an answer may not be kept, because it holds presigned addresses, and repeating it does no harm.
    replays: ClassVar[bool] = True
    # Bytes of a request's body. Parsed JSON takes some twenty times as much memory, so doors are no wider than needed.
    max_body: ClassVar[int] = 1024 * 1024
    # The serializer whose answers carry an ETag; PATCH and DELETE then hand `self.expected` to their verb.
    tagged: ClassVar[Any] = None
    # The schema answers what OPTIONS would.
    http_method_names = [name for name in APIView.http_method_names if name not in ("options", "trace")]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """APIView.dispatch, with the scope and the idempotency record around the handler."""
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            refuse_unreadable(request, max_body=self.max_body)
            self.initial(self.request, *args, **kwargs)
            response = self._tag(self._answer(self.request, *args, **kwargs))
        except Exception as error:  # noqa: BLE001 - handle_exception re-raises what it does not know
            response = self.handle_exception(error)
        self.response = self.finalize_response(self.request, response, *args, **kwargs)
        return self.response

    def get_authenticators(self) -> list[BaseAuthentication]:
        """A key's, or below a tenant's web address (`tenants.web.door`) the session's."""
        if hasattr(self.request, "seat_slug"):
            return [SeatAuthentication()]
        return super().get_authenticators()

    def perform_authentication(self, request: Request) -> None:
        """Also takes from the rate limits: those of who asks or, where the key opens nothing, of the address."""
        try:
            super().perform_authentication(request)
        except AuthenticationFailed:
            self._limit(limits.take_for_failure(request._request))
            raise
        asker: object = request.user
        if isinstance(asker, Principal):
            self._limit(limits.take_for(asker))

    def _limit(self, verdict: Verdict) -> None:
        self.headers |= limits.headers_of(verdict)
        if not verdict.allowed:
            raise limits.RateLimited(verdict)

    @property
    def expected(self) -> Expectation | None:
        """What the request's If-Match says of the row that it changes."""
        return expectation(self.request.headers.get("If-Match"), serializer=self.tagged)

    def _tag(self, response: Response) -> Response:
        if self.tagged is None or response.status_code != 200 or self.request.method == "DELETE":
            return response
        tag = etag_of(response.data, serializer=self.tagged)
        held = self.request.headers.get("If-None-Match")
        if self.request.method != "PATCH" and is_known(tag, if_none_match=held):
            response = Response(status=304)
        response["ETag"], response["Cache-Control"] = tag, "private, no-cache"
        return response

    @property
    def principal(self) -> Principal:
        """Who asks; present because `DeclaredPermission` lets nobody else in."""
        principal: object = self.request.user
        assert isinstance(principal, Principal)
        return principal

    def _answer(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        method = (request.method or "").lower()
        named = getattr(self, method, None) if method in self.http_method_names else None
        handler = named or self.http_method_not_allowed
        key = request.headers.get("Idempotency-Key")
        if request.method in ("POST", "PATCH"):
            # Read, and without a key parsed, before a scope opens: a slow sender must not hold a transaction.
            refuse_cut_short(request)
            if key is None:
                _ = request.data
        if request.method != "POST" or key is None:
            return self._scoped(lambda: handler(request, *args, **kwargs))
        return self._once(key, request, lambda: handler(request, *args, **kwargs))

    def _scoped(self, work: Callable[[], Response]) -> Response:
        if not self.scoped:
            return work()
        with tenant_scope(self.principal.tenant_id):
            return work()

    def _once(self, key: str, request: Request, work: Callable[[], Response]) -> Response:
        if not (1 <= len(key) <= 255 and key.isprintable()):
            raise Invalid("Idempotency-Key", "An Idempotency-Key has 1 to 255 printable characters.")
        by = self.principal
        boundary = (request._request.content_params or {}).get("boundary", "")
        content = idempotency.request_hash(
            method="POST", path=request.get_full_path(), body=request.body, boundary=boundary
        )
        with tenant_scope(by.tenant_id):
            begun = idempotency.begin(key=key, request=content, by=by)
        if isinstance(begun, idempotency.Replay):
            return _replayed(begun) if self.replays else self._scoped(work)
        try:
            # In a scoped view the answer is kept in the transaction of the effect: both or neither.
            return self._scoped(lambda: self._keep(begun, work()))
        except Exception as error:  # noqa: BLE001 - answered, or raised again
            return self._refused(begun, error)

    def _refused(self, record_id: uuid.UUID, error: Exception) -> Response:
        """Keeps a refusal as the key's answer; after a failure of ours the key is free again."""
        try:
            response: Response | None = self.handle_exception(error)
        except Exception:  # noqa: BLE001 - an unknown error: raised again below
            response = None
        if response is None or response.status_code >= 500:
            with tenant_scope(self.principal.tenant_id):
                idempotency.abandon(record_id=record_id)
            raise error
        return self._keep(record_id, response)

    def _keep(self, record_id: uuid.UUID, response: Response) -> Response:
        with tenant_scope(self.principal.tenant_id):
            idempotency.finish(
                record_id=record_id,
                status=response.status_code,
                body=json.loads(json.dumps(response.data, cls=JSONEncoder)) if self.replays else None,
                location=response.headers.get("Location", ""),
            )
        return response


def _replayed(kept: idempotency.Replay) -> Response:
    headers = {"Idempotency-Replayed": "true"} | ({"Location": kept.location} if kept.location else {})
    content_type = problems.CONTENT_TYPE if kept.status >= 400 else None
    return Response(kept.body, status=kept.status, headers=headers, content_type=content_type)


def checked(serializer: Any, request: Request) -> dict[str, Any]:
    """The request's body as `serializer` (a class) reads it; raises ValidationError."""
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    validated: dict[str, Any] = given.validated_data
    return validated


class TooLarge(Refusal):
    status = 413
    code = "too_large"
    title = "Too large"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"More than {most} bytes do not pass this door.",
            hint="Send less at a time; files go straight to storage (POST /api/v1/projects/{id}/uploads).",
        )


def refuse_unreadable(request: HttpRequest, *, max_body: int) -> None:
    """Raises TooLarge by what the client declares (the server reads no more than that), Invalid on a NUL in the query.

    PostgreSQL takes no NUL in any text, so none can name anything.
    """
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if not declared.isdecimal() or len(declared) > 15 or int(declared) > max_body:
        raise TooLarge(max_body)
    for name, values in request.GET.lists():
        if "\x00" in name + "".join(values):
            raise Invalid(name.replace("\x00", ""), "A parameter holds no NUL character.")


def refuse_cut_short(request: Request) -> None:
    """Reads the body; raises ParseError when the client died before the end of what it announced.

    The server answers a dead connection with an early end of file. Half a form can be parsed, and an answer to half a
    body must not be kept under the Idempotency-Key that the client will send the whole with.
    """
    announced, came = int(request.META.get("CONTENT_LENGTH") or "0"), len(request.body)
    if came != announced:
        raise ParseError(f"The body ended too early: {came} of {announced} bytes came.")


class PublicView(APIView):
    """A view for everybody. Each stands, with its reason, in the allow-list of the route test."""

    authentication_classes = ()
    permission_classes = ()
    max_body: ClassVar[int] = 16 * 1024

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        refuse_unreadable(request._request, max_body=self.max_body)
        if request.method == "POST":
            verdict = limits.take_for_address(request._request)
            self.headers |= limits.headers_of(verdict)
            if not verdict.allowed:
                raise limits.RateLimited(verdict)
        super().initial(request, *args, **kwargs)
