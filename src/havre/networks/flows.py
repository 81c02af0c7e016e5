"""Datagrams that went elsewhere before a port was led: the kernel leads all that follow as it led the first."""

import logging
from collections.abc import Callable, Iterable

from havre.kernel.netlink.codec import MalformedMessage
from havre.kernel.netlink.connection import Netlink
from havre.kernel.netlink.flows import Flow, forget_flows, list_flows
from havre.networks.nft_words import family_of
from havre.networks.port_rules import ANY, Forward

_log = logging.getLogger(__name__)


class Flows:
    """What connection tracking remembers of published ports. *netlink* is a socket of nfnetlink.

    For one thread, and one that nobody waits for: each call takes the kernel up to tens of milliseconds. A flow that
    is forgotten needlessly is judged anew with its next datagram, so that late is no harm.
    """

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink

    def turn(self, forwards: Iterable[Forward]) -> None:
        """Let datagrams to these ports that went elsewhere until now follow the rules."""
        self._forget(forwards, lambda flow, forward: _meant_for(flow, forward) and flow.answering != forward.address)

    def end(self, forwards: Iterable[Forward]) -> None:
        """Let datagrams to these ports go where they went no more."""
        self._forget(forwards, lambda flow, forward: _meant_for(flow, forward) and flow.answering == forward.address)

    def _forget(self, forwards: Iterable[Forward], chosen: Callable[[Flow, Forward], bool]) -> None:
        """Nothing is refused because of a kernel that does not tell: its flows end when they are quiet for a while."""
        by_version: dict[int, list[Forward]] = {}
        for each in forwards:
            if each.protocol == "udp" and each.host_ip:
                by_version.setdefault(family_of(each.address).version, []).append(each)
        for version, led in by_version.items():
            ports = {each.host_port for each in led}
            try:
                flows = list_flows(self._netlink, version, ports.pop() if len(ports) == 1 else 0)
                forget_flows(self._netlink, [flow for flow in flows if any(chosen(flow, each) for each in led)])
            except (OSError, MalformedMessage) as error:
                _log.warning("datagrams to published ports may go astray for a while: %s", error)


def _meant_for(flow: Flow, forward: Forward) -> bool:
    return flow.port == forward.host_port and forward.host_ip in {*ANY, flow.address}
