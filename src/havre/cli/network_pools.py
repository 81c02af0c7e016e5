"""From --subnet, --ip-range, --gateway and --aux-address to one entry a subnet, refused as Docker's client refuses."""

from __future__ import annotations

from havre.cli.flags import Given
from havre.client.errors import ClientError
from havre.wire.networks import IPAMConfig


def pools(given: Given) -> list[IPAMConfig]:
    """The subnets that were asked for. Raises ClientError."""
    if not any(given.many(name) for name in ("subnet", "ip-range", "gateway", "aux-address")):
        return []
    subnets, ranges, gateways = (_split(given.many(name)) for name in ("subnet", "ip-range", "gateway"))
    if len(subnets) < len(ranges) or len(subnets) < len(gateways):
        raise ClientError("every ip-range or gateway must have a corresponding subnet")
    made: dict[str, IPAMConfig] = {}
    for subnet in subnets:
        if any(_overlap(subnet, other) for other in made):
            raise ClientError("multiple overlapping subnet configuration is not supported")
        made[subnet] = {"Subnet": subnet, "AuxiliaryAddresses": {}}
    for text in ranges:
        pool = _pool_of(made, text, "range")
        if pool.get("IPRange"):
            raise ClientError(_twice("ranges", text, pool.get("IPRange"), "on", pool))
        pool["IPRange"] = text
    for text in gateways:
        pool = _pool_of(made, text, "gateway")
        if pool.get("Gateway"):
            raise ClientError(_twice("gateways", text, pool.get("Gateway"), "for", pool))
        pool["Gateway"] = text
    for entry in given.many("aux-address"):
        name, _, address = entry.partition("=")
        pool = _pool_of(made, address, "aux-address")
        pool["AuxiliaryAddresses"] = {**(pool.get("AuxiliaryAddresses") or {}), name: address}
    return list(made.values())


def _split(entries: list[str]) -> list[str]:
    return [part for entry in entries for part in entry.split(",")]


def _twice(what: str, text: str, before: str | None, word: str, pool: IPAMConfig) -> str:
    return f"cannot configure multiple {what} ({text}, {before}) {word} the same subnet ({pool.get('Subnet')})"


def _pool_of(made: dict[str, IPAMConfig], text: str, what: str) -> IPAMConfig:
    for subnet, pool in made.items():
        if _contains(subnet, text):
            return pool
    raise ClientError(f"no matching subnet for {what} {text}")


def _contains(subnet: str, text: str) -> bool:
    import ipaddress  # only here: the start of other commands shall not pay for it

    try:
        return ipaddress.ip_interface(text).ip in ipaddress.ip_network(subnet, strict=False)
    except ValueError as wrong:
        raise ClientError(f"invalid network address: {wrong}") from None


def _overlap(one: str, other: str) -> bool:
    import ipaddress  # as above

    try:
        first, second = (ipaddress.ip_network(text, strict=False) for text in (one, other))
    except ValueError:
        return False  # the daemon tells what is wrong with it
    return first.version == second.version and first.overlaps(second)
