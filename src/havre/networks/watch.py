"""Tells when somebody else changed what is ours: heard from the kernel, so that nothing is asked in vain."""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from havre.kernel.netlink.addresses import RTM_DELADDR, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, parse_address
from havre.kernel.netlink.codec import MalformedMessage, Message, parse_attributes, to_text
from havre.kernel.netlink.connection import NETLINK_NETFILTER, Netlink
from havre.kernel.netlink.links import RTM_DELLINK, RTM_NEWLINK, RTNLGRP_LINK, link_index, parse_link

_NFNLGRP_NFTABLES = 7
_NFTABLES = 10
_NEW_GENERATION = 15
_CHANGES = {2, 3, 5, 6, 8, 11, 12, 14}
"""enum nf_tables_msg_types: tables, chains, rules, sets and elements removed; chains, rules, elements added."""
_TABLE_NAME = 1  # the same number in all of NFTA_*_TABLE and NFTA_TABLE_NAME
_GEN_PROC_PID = 2
_GENERIC_HEADER = struct.Struct("=BBH")  # struct nfgenmsg


@dataclass(frozen=True, slots=True)
class Ours:
    """What to look out for: bridges, tables, and the thread whose own changes are no news.

    No *tables* means any: the rules of others are followed too.
    """

    bridge_indexes: frozenset[int]
    tables: frozenset[str]
    thread_id: int


class LinkWatch:
    """Listens for changes of links and addresses."""

    def __init__(self) -> None:
        self.netlink = Netlink()
        self.netlink.join(RTNLGRP_LINK)
        self.netlink.join(RTNLGRP_IPV4_IFADDR)
        self.netlink.join(RTNLGRP_IPV6_IFADDR)

    def news(self, ours: Ours) -> bool:
        """Read what arrived: whether a bridge went away, went down or lost an address."""
        return _heard(self.netlink, lambda messages: any(concerns_bridge(each, ours) for each in messages))


class RuleWatch:
    """Listens for changes of nftables."""

    def __init__(self) -> None:
        self.netlink = Netlink(NETLINK_NETFILTER)
        self.netlink.join(_NFNLGRP_NFTABLES)

    def news(self, ours: Ours) -> bool:
        """Read what arrived: whether somebody else's transaction touched our tables."""
        return _heard(self.netlink, lambda messages: touches_table(messages, ours))


def touches_table(messages: Iterable[Message], ours: Ours) -> bool:
    """Whether these hold another thread's change of our tables.

    The changes of a transaction come first, then the generation that they make, with the thread that made it.
    """
    changed = False
    for message in messages:
        subsystem, what = divmod(message.kind, 256)
        if subsystem != _NFTABLES:
            continue
        found = parse_attributes(message.body[_GENERIC_HEADER.size :])
        if what == _NEW_GENERATION:
            by_us = int.from_bytes(found.get(_GEN_PROC_PID, b""), "big") == ours.thread_id
            if changed and not by_us:
                return True
            changed = False
        elif what in _CHANGES:
            changed = changed or not ours.tables or to_text(found.get(_TABLE_NAME, b"")) in ours.tables
    return changed  # its generation is still to come: better one look too many


def concerns_bridge(message: Message, ours: Ours) -> bool:
    """Whether a message tells that a bridge went away, went down or lost an address."""
    if message.kind == RTM_DELADDR:
        address = parse_address(message)
        return address is not None and address.index in ours.bridge_indexes
    if message.kind not in {RTM_NEWLINK, RTM_DELLINK} or link_index(message) not in ours.bridge_indexes:
        return False
    return message.kind == RTM_DELLINK or not parse_link(message).up


def _heard(netlink: Netlink, judge: Callable[[list[Message]], bool]) -> bool:
    """The verdict on what arrived; when some of it was lost or cannot be read, the worst is believed."""
    try:
        return judge(netlink.heard())
    except (OSError, MalformedMessage):
        return True
