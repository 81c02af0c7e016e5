"""Published ports: held on the host, and led by whichever endpoint is the sandbox's way to the world."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import msgspec

from havre.base.ids import SHORT_LENGTH
from havre.networks.model import Attachment, Endpoint, Network, PortBusy, PortWish, PublishedPort, Wishes
from havre.networks.nft_words import family_of
from havre.networks.options import parse_options
from havre.networks.planning import choose_gateways
from havre.networks.port_rules import Forward
from havre.networks.reservations import Reservations, host_ips


@dataclass(frozen=True, slots=True)
class Publisher:
    """Holds ports and tells which rules lead them. *network* gives the record behind an id."""

    reservations: Reservations
    default_binding: str
    network: Callable[[str], Network]

    def reserve(self, attachment: Attachment, wishes: Wishes) -> Attachment:
        """*attachment* with the ports of *wishes*, all held or none. Raises PortBusy in Docker's words.

        A sandbox without a way to the world publishes nothing, as with Docker; where a version of IP is routed a port
        is opened at the sandbox's own address, and none of the host is taken.
        """
        gate = self._gate(attachment)
        if gate is None or not wishes.ports:
            return attachment
        binding = parse_options(self.network(gate.network_id).options).binding or self.default_binding
        asked = [replace(wish, host_ips=_host_ips(wish, binding)) for wish in wishes.ports]
        routed = self._routed(attachment)
        held = [
            replace(wish, host_ips=tuple(each for each in wish.host_ips if family_of(each).version not in routed))
            for wish in asked
        ]
        opened = dict.fromkeys(
            PublishedPort("", 0, wish.protocol, wish.port)
            for wish, rest in zip(asked, held, strict=True)
            if wish.host_ips != rest.host_ips
        )
        held = [wish for wish in held if wish.host_ips]
        try:
            ports = self.reservations.reserve(attachment.sandbox_id, held, gate.ip_address or gate.ipv6_address)
        except PortBusy as busy:
            where = f"endpoint {wishes.name or attachment.sandbox_id[:SHORT_LENGTH]} ({gate.endpoint_id})"
            raise PortBusy(
                "failed to set up container networking: driver failed programming external connectivity on "
                f"{where}: {busy.message}"
            ) from busy
        return msgspec.structs.replace(attachment, ports=(*ports, *opened))

    def retake(self, attachment: Attachment) -> None:
        """Hold the ports of a sandbox that lives since before this process."""
        held = [port for port in attachment.ports if port.host_ip]
        gate = self._gate(attachment)
        if held and gate is not None:
            self.reservations.retake(attachment.sandbox_id, held, gate.ip_address or gate.ipv6_address)

    def retarget(self, attachment: Attachment) -> None:
        """Lead what the kernel leaves to us to the gate that *attachment* has now."""
        gate = self._gate(attachment)
        if gate is not None:
            self.reservations.retarget(attachment.sandbox_id, gate.ip_address or gate.ipv6_address)

    def leads(self, attachment: Attachment) -> bool:
        """Whether the sandbox has a way to the world that ports can be published by."""
        return self._gate(attachment) is not None

    def release(self, sandbox_id: str) -> None:
        """Let the ports of a sandbox go; an unknown one is no error."""
        self.reservations.release(sandbox_id)

    def reflecting(self, attachment: Attachment, endpoint: Endpoint) -> bool:
        """Whether frames of this endpoint may come back by its own port: it leads published ports."""
        return bool(attachment.ports) and endpoint in self._gates(attachment)

    def forwards(self, attachment: Attachment) -> Iterator[Forward]:
        """The ports that the kernel leads on; those without an address of their family are the relay's."""
        if not attachment.ports:
            return
        gates = choose_gateways(attachment.endpoints)
        v4 = gates.v4.ip_address if gates.v4 is not None and gates.v4.driver == "bridge" else ""
        v6 = gates.v6.ipv6_address if gates.v6 is not None and gates.v6.driver == "bridge" else ""
        for port in attachment.ports:
            targets = (v4, v6) if not port.host_ip else (v6 if ":" in port.host_ip else v4,)
            for target in filter(None, targets):
                yield Forward(port.host_ip, port.host_port, port.protocol, target, port.port)

    def _routed(self, attachment: Attachment) -> frozenset[int]:
        """The versions of IP of the host whose ports lead to an address that other hosts name themselves.

        Those of a version that the sandbox lacks lead to its address of the other one.
        """
        gates = choose_gateways(attachment.endpoints)
        routed = {4: self._is_routed(gates.v4, 4), 6: self._is_routed(gates.v6, 6)}
        here = {4: routed[4 if gates.v4 else 6], 6: routed[6 if gates.v6 else 4]}
        return frozenset(version for version, direct in here.items() if direct)

    def _is_routed(self, gate: Endpoint | None, version: int) -> bool:
        if gate is None or gate.driver != "bridge":
            return False
        options = parse_options(self.network(gate.network_id).options)
        return (options.mode4 if version == 4 else options.mode6) == "routed"

    def _gates(self, attachment: Attachment) -> list[Endpoint]:
        gates = choose_gateways(attachment.endpoints)
        return [each for each in (gates.v4, gates.v6) if each is not None and each.driver == "bridge"]

    def _gate(self, attachment: Attachment) -> Endpoint | None:
        return next(iter(self._gates(attachment)), None)


def _host_ips(wish: PortWish, binding: str) -> tuple[str, ...]:
    return wish.host_ips or tuple(host_ips("", binding))
