"""Which proxy a request goes through, by the rules of the variables that Go programs know."""

from ipaddress import ip_address, ip_network

from havre.registry.client.exchange import origin
from havre.registry.client.following import is_local
from havre.registry.client.settings import Settings


def proxy_for(url: str, settings: Settings) -> str | None:
    """The proxy's URL, or None to go straight. This machine is never reached through one."""
    scheme, host, port = origin(url)
    proxy = settings.https_proxy if scheme == "https" else settings.http_proxy
    if not proxy or is_local(url) or any(_excepts(one.strip(), host, port) for one in settings.no_proxy.split(",")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _excepts(entry: str, host: str, port: int) -> bool:
    if entry in {"", "*"}:
        return entry == "*"
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        pass
    name, colon, number = entry.lower().rpartition(":")
    if colon and number.isdecimal():
        if int(number[:6]) != port:
            return False
    else:
        name = entry.lower()
    exact, suffix = name.removeprefix("*").removeprefix("."), "." + name.removeprefix("*").removeprefix(".")
    return host.endswith(suffix) or (host == exact and not name.startswith((".", "*")))
