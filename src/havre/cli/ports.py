"""The PORTS column."""

from __future__ import annotations

from havre.wire.containers import Port


def ports_column(ports: list[Port]) -> str:
    """Sorted; runs of ports whose private and public numbers agree are shown as a range."""
    runs: list[list[Port]] = []
    for port in sorted(ports, key=_order):
        if runs and _continues(runs[-1][-1], port):
            runs[-1].append(port)
        else:
            runs.append([port])
    return ", ".join(map(_shown, runs))


def _order(port: Port) -> tuple[int, str, str, int]:
    return (port.get("PrivatePort") or 0, port.get("Type") or "", port.get("IP") or "", port.get("PublicPort") or 0)


def _continues(before: Port, port: Port) -> bool:
    def same(name: str) -> bool:
        return before.get(name) == port.get(name)

    if not (same("IP") and same("Type") and (port.get("PrivatePort") or 0) == (before.get("PrivatePort") or 0) + 1):
        return False
    public, public_before = port.get("PublicPort") or 0, before.get("PublicPort") or 0
    return public == public_before == 0 or (public == port.get("PrivatePort") and public == public_before + 1)


def _shown(run: list[Port]) -> str:
    first, last = run[0], run[-1]
    inside = _range(first.get("PrivatePort") or 0, last.get("PrivatePort") or 0)
    end = f"{inside}/{first.get('Type') or 'tcp'}"
    if not first.get("PublicPort"):
        return end
    address = first.get("IP") or ""
    address = f"[{address}]" if ":" in address else address
    return f"{address}:{_range(first.get('PublicPort') or 0, last.get('PublicPort') or 0)}->{end}"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
