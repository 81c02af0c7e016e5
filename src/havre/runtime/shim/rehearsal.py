"""What a worker goes through while it waits for a launch that may come: see init.rehearsal for what that saves."""

import contextlib

from msgspec import Raw

from havre.runtime.bundle import LogTarget, Stdio
from havre.runtime.cradle import fits
from havre.runtime.init.cradle import usual_bundle
from havre.runtime.messages import Head, Launch, decode_bundle, decode_to_shim, encode
from havre.runtime.shim.loop import Loop
from havre.runtime.shim.streams import Streams


def rehearse(loop: Loop) -> None:
    """Open an order like most, ask whether it fits, make streams for it, and let go of all that."""
    packed = Raw(encode(usual_bundle()))
    head = Head("", "", Stdio(), LogTarget(), "", own_pids=True, joins=0)
    order = decode_to_shim(encode(Launch(head, packed, [])))
    if isinstance(order, Launch):
        fits(decode_bundle(order.bundle), order.head.cgroup)
    streams = Streams(Stdio(), loop)
    with contextlib.suppress(OSError):  # the launch will meet it again, and tell
        streams.open()
    streams.close()
