"""The next exec session's process, forked ahead of need: where one has been, another often follows within moments.

It has joined nothing yet, neither the container's cgroup nor a namespace, so nobody inside or outside takes it for a
part of the container. Not for a group in a v2 tree, which is joined at birth or at the price of a grace period.
"""

import contextlib

from msgspec import Raw

from havre.kernel.channel import Channel, ChannelClosed
from havre.kernel.namespaces import CLONE, clone3
from havre.runtime.init import enter
from havre.runtime.init.finish import Pipes, Terminal
from havre.runtime.init.progress import Progress
from havre.runtime.messages import Enter, encode
from havre.runtime.spawn import EXEC_FAILED, Birth, Host


class Guest:
    """A child that waits. It is taken once, or buried."""

    def __init__(self, birth: Birth, channel: Channel) -> None:
        self._birth = birth
        self._channel = channel

    def take(self, request: Raw, stdio: Pipes | Terminal, *, bare: bool) -> Birth | None:
        """Let it become the packed *request*; None when it is gone."""
        fds = () if isinstance(stdio, Terminal) else stdio
        try:
            self._channel.send(encode(Enter(request, bare)), fds)
        except (ChannelClosed, OSError):
            self.bury()
            return None
        return self._birth

    def bury(self) -> None:
        """End it."""
        self._birth.bury()


def make_guest(host: Host, progress: Progress, last: Raw) -> Guest | None:
    """Fork a child that waits for a session in *host*; None when this cannot be.

    It is shown the request of the session before, the packed *last*, so that it can rehearse.
    """
    ours, theirs = Channel.pair()
    try:
        pid, pidfd = clone3(CLONE.CLEAR_SIGHAND)
    except OSError:
        ours.close()
        theirs.close()
        return None
    if pid == 0:
        ours.close()
        enter.wait(theirs, progress, host)
    theirs.close()
    with contextlib.suppress(ChannelClosed):  # it is gone already: that is for the next session to find
        ours.send(encode(Enter(last, bare=False)))
    return Guest(Birth(pid, pidfd, ours, progress, EXEC_FAILED), ours)
