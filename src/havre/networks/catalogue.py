"""The networks that there are: found by name, id, or the beginning of an id."""

from collections.abc import Iterable, Iterator

from havre.base.errors import InvalidInput
from havre.base.ids import is_id_prefix
from havre.networks.model import Network, NoSuchNetwork
from havre.networks.store import Store


class Catalogue:
    """Every network, in memory and in the store. Readers may be on any thread; one thread at a time writes."""

    def __init__(self, store: Store, networks: Iterable[Network]) -> None:
        self._store = store
        self._networks = {network.id: network for network in networks}

    def __iter__(self) -> Iterator[Network]:
        return iter(tuple(self._networks.values()))

    def by_id(self, network_id: str) -> Network:
        """The network with exactly this id. Raises NoSuchNetwork."""
        try:
            return self._networks[network_id]
        except KeyError:
            raise NoSuchNetwork(f"network {network_id} not found") from None

    def get(self, ref: str) -> Network:
        """The network with this name, id, or unambiguous beginning of an id. Raises NoSuchNetwork, InvalidInput."""
        if (whole := self._networks.get(ref)) is not None:
            return whole
        everyone = tuple(self._networks.values())
        for network in everyone:
            if ref == network.name:
                return network
        found = [network for network in everyone if is_id_prefix(ref) and network.id.startswith(ref)]
        if len(found) > 1:
            raise InvalidInput(f"network {ref} is ambiguous ({len(found)} matches found on ID prefix)")
        if not found:
            raise NoSuchNetwork(f"network {ref} not found")
        return found[0]

    def add(self, network: Network) -> None:
        """Keep *network*, durably."""
        self._store.save_network(network)
        self._networks = {**self._networks, network.id: network}

    def drop(self, network: Network) -> None:
        """Let *network* go, durably."""
        self._store.forget_network(network.id)
        self._networks = {key: each for key, each in self._networks.items() if key != network.id}
