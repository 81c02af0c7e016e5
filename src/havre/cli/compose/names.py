"""The verbs of compose; each is a module `cli.commands.compose_<verb>`."""

from __future__ import annotations

VERBS = (
    "attach", "build", "commit", "config", "cp", "create", "down", "events", "exec", "export", "images", "kill", "logs",
    "ls", "pause", "port", "ps", "pull", "push", "restart", "rm", "run", "scale", "start", "stats", "stop", "top",
    "unpause", "up", "version", "volumes", "wait", "watch",
)  # fmt: skip
ALIASES = {"convert": "config"}
REFUSED = {
    "alpha": "experimental commands of Docker Compose",
    "bridge": "conversion to other platforms",
    "publish": "publishing applications as OCI artifacts",
}
