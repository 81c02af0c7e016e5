"""`havre system dial-stdio`: standard input and output become a connection to the daemon (for ssh)."""

from __future__ import annotations

import os
import select
import socket

from havre.cli.command import Command
from havre.cli.flags import Given
from havre.cli.screen import STDIN, STDOUT, Screen, write_all
from havre.client.client import Client


def run(given: Given, client: Client, screen: Screen) -> int:
    """Copy both ways until the daemon ends the connection."""
    del given, screen
    stream = client.address.connect()
    poll = select.poll()
    poll.register(STDIN, select.POLLIN)
    poll.register(stream, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == STDIN:
                if data := os.read(STDIN, 65536):
                    stream.sendall(data)
                else:
                    poll.unregister(STDIN)
                    stream.shutdown(socket.SHUT_WR)
            elif data := stream.recv(65536):
                write_all(STDOUT, data)
            else:
                return 0


COMMAND = Command(summary="Proxy the stdio stream to the daemon connection", usage="", at_most=0, run=run)
