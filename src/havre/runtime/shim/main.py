"""A shim's life: forked by the launcher, it serves until its container is over and all clients are gone."""

import os

from havre.kernel.channel import Channel
from havre.kernel.process import set_name, set_subreaper
from havre.runtime.shim.container import Container
from havre.runtime.shim.loop import Loop
from havre.runtime.shim.server import Server
from havre.runtime.shim.session import see_children_die
from havre.runtime.shim.starter import Tools


def serve(channel: Channel, tools: Tools) -> None:
    """Launch what the first message on *channel* says, and stay until it is over."""
    os.setsid()
    see_children_die()
    set_name("havre-shim")
    set_subreaper()
    loop = Loop()
    container = Container(tools, loop)
    server = Server(container, loop)

    def over() -> None:
        loop.stopped = True

    container.on_over = over
    server.add(channel)
    loop.run()
    server.close()
