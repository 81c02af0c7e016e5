"""The host's own rules for what comes in, said again for what is led on to a sandbox. Pure.

A packet for a published port is led on before the host's chains for incoming packets would see it. So those chains,
with all that they jump to and the sets that they ask, are copied into a table of ours, where they judge it first, as
if the port were the host's own. A copied chain stands at its own hook: what it accepts the next one still judges.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

TABLE = "havre_host"
_FIRST_PRIORITY = -140  # behind connection tracking, before anything is led on
_HEADER = re.compile(r"type filter hook input priority [^;]+;(?: policy (?P<policy>accept|drop);)?")
_JUMP = re.compile(r"\b(jump|goto) ([A-Za-z_][\w./-]*)")
_SET = re.compile(r"@([A-Za-z_][\w./-]*)")
_FLAGS = r"flags (?:all|skuid|ether|ip options|tcp [\w,]+)"
_LOG = re.compile(rf'\blog(?: (?:prefix "[^"]*"|level \w+|{_FLAGS}|group \d+|snaplen \d+|queue-threshold \d+))*')
_COUNTER = re.compile(r'\bcounter(?: (?:name "?[\w./-]+"?|packets \d+ bytes \d+))?')
_REJECT = re.compile(r"\breject\b(?: with \S+(?: type \S+| \S+)?)?")
_QUOTED = re.compile(r'"[^"]*"')
_UNKNOWN = re.compile(r"\bxt (?:match|target)\b|^#")
_HARMLESS = re.compile(r"\b(?:accept|return|continue)$")
_FAMILIES = {"ip": "ipv4", "ip6": "ipv6", "inet": ""}


class NotUnderstood(ValueError):
    """A listed table has more chains for incoming packets than were found in it."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """A published port: at any address of the host, or at one."""

    host_ip: str
    protocol: str
    port: int


@dataclass(slots=True)
class _Table:
    """One table as it is listed: its chains and sets by name, each as lines."""

    family: str
    chains: dict[str, list[str]] = field(default_factory=dict)
    sets: dict[str, list[str]] = field(default_factory=dict)


def replace_table(listed: Sequence[str], ports: Iterable[Guarded], inner: Sequence[str]) -> str:
    """The commands after which our table holds a copy of the input chains of *listed*, each a table in nft's words.

    The chains judge what begins towards *ports* and comes neither from this host nor from a bridge in *inner*.
    Raises NotUnderstood.
    """
    tables = [_parse(text) for text in listed]
    for text, table in zip(listed, tables, strict=True):
        if len(_HEADER.findall(text)) != len(_bases(table)):
            raise NotUnderstood(text.partition("\n")[0])
    chains = [line for at, table in enumerate(tables) for line in _copied(table, at)]
    lines = [f"add table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{"]
    lines += _subjects(ports, inner)
    lines += chains
    return "\n".join([*lines, "}"])


def closed_table(ports: Iterable[Guarded], inner: Sequence[str]) -> str:
    """The same where the host's chains cannot be copied: nothing from outside reaches *ports*."""
    lines = [f"add table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{"]
    return "\n".join([*lines, *_subjects(ports, inner), *_base_chain("closed", "", _FIRST_PRIORITY, ["drop"]), "}"])


def remove_table() -> str:
    """The commands after which our table is gone."""
    return f"add table inet {TABLE}\ndelete table inet {TABLE}"


def change_ports(verb: str, ports: Iterable[Guarded]) -> str:
    """The commands that `add` or `delete` ports."""
    return "\n".join(f"{verb} element inet {TABLE} {name} {{ {key} }}" for name, key in map(_element, ports))


def judges(text: str) -> bool:
    """Whether a listed table has a chain for incoming packets."""
    return _HEADER.search(text) is not None


def _subjects(ports: Iterable[Guarded], inner: Sequence[str]) -> list[str]:
    """The sets of what is judged."""
    elements: dict[str, list[str]] = {"any": [], "one": [], "one6": []}
    for name, key in map(_element, ports):
        elements[name].append(key)
    types = {
        "any": "inet_proto . inet_service",
        "one": "ipv4_addr . inet_proto . inet_service",
        "one6": "ipv6_addr . inet_proto . inet_service",
    }
    links = ", ".join(f'"{name}"' for name in ("lo", *inner))
    lines = ["set inner {", "type ifname", f"elements = {{ {links} }}", "}"]
    for name, kind in types.items():
        filled = [f"elements = {{ {', '.join(dict.fromkeys(elements[name]))} }}"] if elements[name] else []
        lines += [f"set {name} {{", f"type {kind}", *filled, "}"]
    return lines


def _element(port: Guarded) -> tuple[str, str]:
    key = f"{port.protocol} . {port.port}"
    if port.host_ip in {"0.0.0.0", "::"}:
        return "any", key
    return ("one6" if ":" in port.host_ip else "one"), f"{port.host_ip} . {key}"


def _parse(text: str) -> _Table:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    family = lines[0].split()[1] if lines and lines[0].startswith("table ") else ""
    table = _Table(family)
    for kind, name, body in _blocks(lines[1:-1]):
        if kind == "chain":
            table.chains[name] = list(_whole_lines(body))
        elif kind in {"set", "map"}:
            table.sets[name] = [kind, *body]
    return table


def _blocks(lines: Sequence[str]) -> Iterator[tuple[str, str, list[str]]]:
    """The parts of a table: their kind, name and lines."""
    depth, head, body = 0, "", list[str]()
    for line in lines:
        before = depth
        depth += _opening(line)
        if before == 0 and depth:
            head, body = line, []
        elif depth == 0 and head:
            words = head.split()
            yield words[0], words[1].strip('"'), body
            head = ""
        else:
            body.append(line)


def _opening(line: str) -> int:
    """How many braces a line leaves open; those in quotes are the user's words."""
    bare = _QUOTED.sub("", line)
    return bare.count("{") - bare.count("}")


def _whole_lines(lines: Iterable[str]) -> Iterator[str]:
    """Rules that were printed over several lines in one each."""
    kept = ""
    for line in lines:
        kept = f"{kept} {line}".strip()
        if _opening(kept) == 0:
            yield kept
            kept = ""


def _bases(table: _Table) -> dict[str, re.Match[str]]:
    """The chains that the kernel calls for incoming packets, and how each begins."""
    found = {name: next(filter(None, map(_HEADER.search, lines)), None) for name, lines in table.chains.items()}
    return {name: header for name, header in found.items() if header is not None}


def _copied(table: _Table, number: int) -> Iterator[str]:
    """The input chains of *table*, what they jump to, and the sets that they ask."""
    prefix = f"h{number}_"
    bases = _bases(table)
    wanted, waiting = dict[str, None](), list(bases)
    while waiting:
        name = waiting.pop()
        if name not in wanted and name in table.chains:
            wanted[name] = None
            waiting += [found[1] for line in table.chains[name] for found in _JUMP.findall(line)]
    asked = {found for name in wanted for line in table.chains[name] for found in _SET.findall(line)}
    for name in sorted(asked & table.sets.keys()):
        kind, *body = table.sets[name]
        yield f"{kind} {prefix}{name} {{"
        yield from body
        yield "}"
    for name in sorted(wanted, key=lambda one: one in bases):
        rules = [rule for line in table.chains[name] if (rule := _rule(line, prefix))]
        if name not in bases:
            yield f"chain {prefix}{name} {{"
            yield from rules
            yield "}"
            continue
        end = ["drop"] if bases[name]["policy"] == "drop" else []
        yield from _base_chain(f"{prefix}{name}", table.family, _FIRST_PRIORITY + number, [*rules, *end])


def _base_chain(name: str, family: str, priority: int, rules: Iterable[str]) -> Iterator[str]:
    """A chain that the kernel calls, and behind it the one that judges what concerns us."""
    version = _FAMILIES.get(family, "")
    service = "meta l4proto . th dport"
    yield f"chain {name}_body {{"
    yield from rules
    yield "}"
    yield f"chain {name}_base {{"
    yield f"type filter hook prerouting priority {priority}; policy accept;"
    yield "ct state established,related accept"
    yield "iifname @inner accept"
    if version:
        yield f"meta nfproto != {version} accept"
    yield f"{service} @any fib daddr type local goto {name}_body"
    yield f"ip daddr . {service} @one goto {name}_body"
    yield f"ip6 daddr . {service} @one6 goto {name}_body"
    yield "}"


def _rule(line: str, prefix: str) -> str:
    """A rule as it is copied; empty for one that decides nothing. What cannot be understood closes, never opens."""
    if line.startswith(("type ", "comment ")):
        return ""
    bare = _COUNTER.sub("", _LOG.sub("", line))
    if _UNKNOWN.search(bare):
        return "" if _HARMLESS.search(bare.strip()) or "LOG" in bare else "drop"
    bare = _REJECT.sub("drop", bare)
    bare = re.sub(r'\bcomment "[^"]*"', "", bare)
    return _SET.sub(rf"@{prefix}\1", _JUMP.sub(rf"\1 {prefix}\2", bare)).strip()
