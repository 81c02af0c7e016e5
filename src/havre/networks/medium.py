"""What sandboxes are plugged into: one contract for bridges and for links that hang on a link of the host."""

from dataclasses import dataclass
from typing import Protocol

from havre.kernel.netlink.codec import Request
from havre.networks.model import Endpoint


@dataclass(frozen=True, slots=True)
class Plug:
    """Where the inner end of a cable goes. *index* 0 leaves the link's number to the kernel.

    *reflecting* lets a frame leave by the port it came from: for a sandbox with published ports.
    """

    sandbox_id: str
    netns_fd: int
    index: int = 0
    reflecting: bool = False


class Medium(Protocol):
    """The kernel's side of one network: `ensure`, then `lay` and `settle` for each endpoint, `remove` at the end.

    `silence` and `unplug` are for endpoints that go; both may be repeated.
    """

    index: int
    numbered: bool
    """Whether a link gets the number that its plug asks for."""

    def ensure(self) -> None:
        """Make it what the network is to be; it changes nothing that is so already. Raises HavreError, OSError."""

    def remove(self) -> None:
        """Take away what was made here."""

    def lay(self, endpoint: Endpoint, plug: Plug) -> list[Request]:
        """What gives the namespace its link, down."""

    def settle(self, endpoint: Endpoint) -> None:
        """Wait until frames pass."""

    def replug(self, endpoint: Endpoint, *, reflecting: bool) -> None:
        """Put our end of a cable back."""

    def silence(self, endpoint: Endpoint) -> None:
        """Let no frame pass any more."""

    def unplug(self, endpoint: Endpoint) -> None:
        """Take the cable away."""
