"""Tags and filters of every template: icons, addresses within the tenant, figures in words."""

import re
from datetime import datetime
from typing import Any

from django import template
from django.contrib.staticfiles.storage import staticfiles_storage
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tenants.permissions import Permission

register = template.Library()

_FOR_CLIENTS = re.compile(r" \((?:(?:GET|POST|PUT|PATCH|DELETE) /|Retry-After)[^)]*\)")
_STEPS = ((60, "second"), (60, "minute"), (24, "hour"), (30, "day"), (12, "month"))


@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    """A Lucide icon; the build puts those that templates name into one file."""
    sprite = staticfiles_storage.url("built/icons.svg")
    return format_html('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"></use></svg>', size, sprite, name)


@register.simple_tag(takes_context=True)
def here(context: dict[str, Any], name: str, *arguments: Any) -> str:
    """The address of a page of the tenant whose page this is: `{% here "project" project.id %}`."""
    address: str = reverse(name, args=[context["tenant"].slug, *arguments])
    return address


@register.simple_tag(takes_context=True)
def may(context: dict[str, Any], permission: str) -> bool:
    """Whether who looks has the permission: for showing only: `{% may "train" as can_train %}`."""
    allowed: bool = context["seat"].principal.may(Permission(permission))
    return allowed


@register.simple_tag(takes_context=True)
def with_query(context: dict[str, Any], **changes: Any) -> str:
    """This page's query string with some parameters changed; one that becomes empty goes, and so does the cursor."""
    query = context["request"].GET.copy()
    query.pop("cursor", None)
    for name, value in changes.items():
        if value in (None, ""):
            query.pop(name, None)
        else:
            query[name] = value
    return f"?{query.urlencode()}"


@register.filter
def for_people(hint: str) -> str:
    """A refusal's hint without what stands in brackets for clients of the API: its routes and headers."""
    return _FOR_CLIENTS.sub("", hint)


@register.filter
def ago(moment: datetime | None) -> str:
    """`3 minutes ago`."""
    if moment is None:
        return "never"
    left = (timezone.now() - moment).total_seconds()
    if left < 10:
        return "just now"
    for many, name in _STEPS:
        if left < many:
            return _counted(int(left), name) + " ago"
        left /= many
    return _counted(int(left), "year") + " ago"


@register.filter
def lasting(seconds: float | None) -> str:
    """`1 min 32 s`."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    shown = [f"{count} {unit}" for count, unit in parts if count][:2]
    return " ".join(shown) or "0 s"


@register.filter
def bytesize(count: int | None) -> str:
    """`3.2 MB`, in powers of ten as disks are sold."""
    size = float(count or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


@register.filter
def figure(value: float | None, digits: int = 2) -> str:
    """`0.44`; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


@register.filter
def short(name: Any) -> str:
    """The end of an id, which is where UUIDv7 of one minute differ."""
    return str(name)[-8:]


def _counted(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"
