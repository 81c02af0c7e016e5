"""`havre system check`: verify every blob, layer and record that the daemon keeps."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, switch
from havre.cli.screen import Screen
from havre.client.client import Client, json_lines


def run(given: Given, client: Client, screen: Screen) -> int:
    """A line for each problem; 1 when one stays."""
    response = client.send("POST", "/system/check", {"repair": given.switch("repair")})
    found = mended = 0
    for line in json_lines(response):
        found += 1
        mended += bool(line.get("Repaired"))
        if not given.switch("quiet"):
            state = " (repaired)" if line.get("Repaired") else ""
            screen.line(f"{line.get('Kind')} {line.get('Name')}: {line.get('Problem')}{state}")
    if not given.switch("quiet"):
        screen.line(f"{found} problems, {mended} repaired" if found else "No problems")
    return 0 if found == mended else 1


COMMAND = Command(
    summary="Verify images, layers and blobs on disk",
    usage="[OPTIONS]",
    flags=(
        switch("quiet", "Only tell by the exit code", short="q"),
        switch("repair", "Make damaged layers again from their archives, and remove what cannot be mended"),
    ),
    at_most=0,
    run=run,
)
