"""`havre restart`: restart one or more containers."""

from __future__ import annotations

from havre.cli.ending import ending_command

COMMAND = ending_command("restart", "Restart one or more containers")
