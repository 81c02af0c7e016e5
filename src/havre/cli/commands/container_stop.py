"""`havre stop`: stop one or more running containers."""

from __future__ import annotations

from havre.cli.ending import ending_command

COMMAND = ending_command("stop", "Stop one or more running containers")
