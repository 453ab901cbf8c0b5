"""Every address of the service, from the URL configuration itself, and whether it is guarded."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.settings import api_settings

from tenants.api.views import TenantView
from tenants.web.pages import TenantPage

# HEAD is GET without the body; Django gives it to every view that has GET.
PAGE_HANDLERS = {"GET": "read", "POST": "act"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


@dataclass(frozen=True)
class Route:
    """One pattern, as Django writes it (`projects/<uuid:project_id>`), from the root."""

    pattern: str
    callback: Callable[..., Any]

    @property
    def view(self) -> type | None:
        """The view's class; None for a function."""
        found: type | None = getattr(self.callback, "cls", None) or getattr(self.callback, "view_class", None)
        return found

    @property
    def methods(self) -> set[str]:
        """What the view has a handler for; a function may answer to anything."""
        if self.view is None:
            return set(METHODS)
        if issubclass(self.view, TenantPage):
            return {method for method, name in PAGE_HANDLERS.items() if hasattr(self.view, name)}
        allowed = getattr(self.view, "http_method_names", ())
        return {name for name in METHODS if name.lower() in allowed and hasattr(self.view, name.lower())}

    def lacks(self) -> str:
        """What it lacks to be guarded; empty when it is."""
        view = self.view
        if view is not None and issubclass(view, TenantPage):
            return self._page_lacks(view)
        if view is None or not issubclass(view, TenantView):
            return "is no TenantView"
        unsaid = self.methods - set(view.needs)
        if unsaid:
            return f"does not say what {', '.join(sorted(unsaid))} needs"
        if getattr(self.callback, "initkwargs", {}):
            return "is set up anew where it is routed"
        own_ways = [
            name
            for name, standard in (
                ("authentication_classes", api_settings.DEFAULT_AUTHENTICATION_CLASSES),
                ("permission_classes", api_settings.DEFAULT_PERMISSION_CLASSES),
                *((name, getattr(TenantView, name)) for name in ("dispatch", "initial", "check_permissions")),
            )
            if getattr(view, name) != standard
        ]
        return f"has its own {', '.join(own_ways)}" if own_ways else ""

    def _page_lacks(self, view: type[TenantPage]) -> str:
        unsaid = self.methods - set(view.needs)
        if unsaid:
            return f"does not say what {', '.join(sorted(unsaid))} needs"
        if getattr(self.callback, "view_initkwargs", {}):
            return "is set up anew where it is routed"
        standard = ("dispatch", "_answer", "_done", "_shown", "_seated", "get", "post", "http_method_names")
        own_ways = [name for name in standard if getattr(view, name, None) != getattr(TenantPage, name, None)]
        return f"has its own {', '.join(own_ways)}" if own_ways else ""


def routes(patterns: Sequence[URLPattern | URLResolver] | None = None, prefix: str = "") -> Iterator[Route]:
    """Every route below `patterns`, or of the whole service."""
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        pattern = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry.url_patterns, pattern)
        else:
            yield Route(pattern, entry.callback)
