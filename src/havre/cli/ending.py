"""`stop` and `restart`: verbs that end containers, with a signal and with patience."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.each import each
from havre.cli.flags import Given, number, text
from havre.cli.screen import Screen
from havre.client.client import Client


def ending_command(verb: str, summary: str) -> Command:
    """The command that posts *verb* for each container and prints its name."""

    def run(given: Given, client: Client, screen: Screen) -> int:
        query = {
            "t": next((given.text(name) for name in ("timeout", "time") if given.changed(name)), None),
            "signal": given.text("signal"),
        }
        return each(given.args, lambda name: client.act("POST", f"/containers/{name}/{verb}", query), screen)

    return Command(
        summary=summary,
        usage="[OPTIONS] CONTAINER [CONTAINER...]",
        flags=(
            text("signal", "Signal to send to the container", short="s"),
            number("timeout", "Seconds to wait before killing the container", short="t"),
            number("time", "Seconds to wait before killing the container (deprecated: use --timeout)"),
        ),
        at_least=1,
        run=run,
    )
