"""Keeps the copy of the host's own input rules in step with the host and with the ports that are published."""

import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from havre.kernel.nft import Nft, NftRefused
from havre.networks.host_rules import (
    TABLE,
    Guarded,
    NotUnderstood,
    change_ports,
    closed_table,
    judges,
    remove_table,
    replace_table,
)
from havre.networks.model import OpenPorts
from havre.networks.port_rules import Forward

_OURS = frozenset({"havre", TABLE})
_TABLE_LINE = re.compile(r"^table (?P<family>ip|ip6|inet) (?P<name>\S+)$", re.MULTILINE)
_OLD_TABLES = tuple(Path(f"/proc/thread-self/net/{name}_tables_names") for name in ("ip", "ip6"))
_log = logging.getLogger(__name__)


class HostFirewall:
    """For one thread at a time. A host without rules for incoming packets costs nothing."""

    def __init__(self, nft: Nft, opened: Sequence[OpenPorts]) -> None:
        self._nft = nft
        self._opened = tuple(opened)
        self._active = False
        self._warned = False
        self._asked = ""
        self._shown = ""

    def close(self) -> None:
        """Give the library's context back; the table stays."""
        self._nft.close()

    def sync(self, forwards: Iterable[Forward], inner: Sequence[str]) -> None:
        """Copy the host's rules as they are now, for these ports; *inner* are the bridges that are not outside.

        Where they cannot be copied the ports are closed to the outside. Raises NftRefused.
        """
        self._warn_of_old_rules()
        listed = [text for text in map(self._list, self._tables()) if judges(text)]
        if not listed:
            self._forget()
            return
        ports = [self._guarded(each) for each in forwards if self._is_judged(each)]
        try:
            asked = replace_table(listed, ports, inner)
            if asked == self._asked and self._list(("inet", TABLE)) == self._shown:
                return
            self._nft.text(asked)
        except (NftRefused, NotUnderstood) as refused:
            asked = closed_table(ports, inner)
            if asked == self._asked and self._list(("inet", TABLE)) == self._shown:
                return
            _log.error(
                "published ports are closed to other hosts: the host's input rules cannot be followed (%s); "
                "open them with publish-allowed or publish-past-firewall in daemon.json",
                refused,
            )
            self._nft.text(asked)
        self._active, self._asked, self._shown = True, asked, self._list(("inet", TABLE))

    def judge(self, forwards: Iterable[Forward]) -> None:
        """Let the host's rules judge these ports too; before they are led on. Raises NftRefused."""
        ports = [self._guarded(each) for each in forwards if self._is_judged(each)]
        if self._active and ports:
            self._nft.text(change_ports("add", ports))
            self._asked = ""

    def let_go(self, forwards: Iterable[Forward]) -> None:
        """They are led on no more; one that was not judged is no error. Raises NftRefused."""
        for each in forwards if self._active else ():
            if self._is_judged(each):
                self._asked = ""
                try:
                    self._nft.text(change_ports("delete", [self._guarded(each)]))
                except NftRefused as error:
                    if not error.names_nothing:
                        raise

    def _warn_of_old_rules(self) -> None:
        """Once: rules of the kernel's older interface cannot be read here."""
        tables = [path for path in _OLD_TABLES if path.exists() and "filter" in path.read_text().split()]
        if tables and not self._warned:
            self._warned = True
            _log.warning("this host has rules of iptables-legacy (%s); published ports do not follow them", tables[0])

    def _forget(self) -> None:
        if self._active or ("inet", TABLE) in self._named():
            self._nft.text(remove_table())
        self._active, self._asked, self._shown = False, "", ""

    def _named(self) -> list[tuple[str, str]]:
        return [(found["family"], found["name"]) for found in _TABLE_LINE.finditer(self._nft.text("list tables"))]

    def _tables(self) -> list[tuple[str, str]]:
        return [(family, name) for family, name in self._named() if name not in _OURS]

    def _list(self, table: tuple[str, str]) -> str:
        try:
            return self._nft.text(f"list table {table[0]} {table[1]}")
        except NftRefused as error:
            if error.names_nothing:
                return ""  # it went away meanwhile
            raise

    def _is_judged(self, forward: Forward) -> bool:
        return bool(forward.host_ip) and not any(
            each.protocol == forward.protocol and each.first <= forward.host_port <= each.last for each in self._opened
        )

    @staticmethod
    def _guarded(forward: Forward) -> Guarded:
        return Guarded(forward.host_ip, forward.protocol, forward.host_port)
