"""Where a request comes from, as far as that can be known."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The client's IP address; of IPv6 the network of 64 bits, all of which one client may use.

    Behind TRUSTED_PROXIES proxies of our own, each of which adds the address that it was asked from to
    X-Forwarded-For, the client's is that many from the right; what stands left of it anyone may have written. With
    fewer there, or nonsense, it is that of the connection.
    """
    connected = request.META.get("REMOTE_ADDR", "")
    trusted: int = settings.TRUSTED_PROXIES
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    told = hops[-trusted].strip() if 0 < trusted <= len(hops) else ""
    return _normal(told) or _normal(connected) or "unknown"


def _normal(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)
