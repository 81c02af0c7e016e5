"""Every command by its path, and the module of `cli.commands` that holds it."""

from __future__ import annotations

GROUPS = {
    "builder": "Manage builds",
    "container": "Manage containers",
    "image": "Manage images",
    "manifest": "Manage Docker image manifests and manifest lists",
    "network": "Manage networks",
    "registry": "Serve a registry of images",
    "system": "Manage Havre",
    "volume": "Manage volumes",
}

_CONTAINER = (
    "attach", "commit", "cp", "create", "debug", "diff", "exec", "export", "inspect", "kill", "logs", "ls", "pause",
    "port", "rename", "restart", "rm", "run", "start", "stats", "stop", "top", "unpause", "update", "upgrade", "wait",
    "prune",
)  # fmt: skip
_IMAGE = (
    "bootstrap", "build", "history", "import", "inspect", "load", "ls", "pull", "push", "prune", "rm", "save", "tag",
)  # fmt: skip
_TOP = (
    "attach", "commit", "cp", "create", "debug", "diff", "exec", "export", "kill", "logs",
    "pause", "port", "rename", "restart", "rm", "run", "start", "stop",
    "top", "unpause", "update", "upgrade", "wait", "stats",
)  # fmt: skip

_NETWORK = ("connect", "create", "disconnect", "inspect", "ls", "prune", "rm")
_VOLUME = (
    "clone", "create", "export", "import", "inspect", "ls", "prune", "rename", "resize", "rm", "snapshot", "update",
)  # fmt: skip

COMMANDS: dict[tuple[str, ...], str] = {
    **{("container", verb): f"container_{verb}" for verb in _CONTAINER},
    **{("image", verb): f"image_{verb}" for verb in _IMAGE},
    **{("manifest", verb): f"manifest_{verb}" for verb in ("annotate", "create", "inspect", "push", "rm")},
    **{("network", verb): f"network_{verb}" for verb in _NETWORK},
    ("registry", "serve"): "registry_serve",
    ("system", "check"): "system_check",
    ("system", "df"): "system_df",
    ("system", "info"): "system_info",
    ("system", "prune"): "system_prune",
    ("system", "events"): "system_events",
    ("system", "dial-stdio"): "system_dial_stdio",
    ("system", "shutdown"): "system_shutdown",
    **{("volume", verb): f"volume_{verb}" for verb in _VOLUME},
    ("builder", "du"): "builder_du",
    ("builder", "prune"): "builder_prune",
    ("compose",): "compose",
    ("inspect",): "inspect",
    ("login",): "login",
    ("logout",): "logout",
    ("search",): "search",
    ("version",): "version",
    ("lease",): "lease",
}
ALIASES: dict[tuple[str, ...], tuple[str, ...]] = {
    **{(verb,): ("container", verb) for verb in _TOP},
    ("ps",): ("container", "ls"),
    ("container", "ps"): ("container", "ls"),
    ("container", "list"): ("container", "ls"),
    ("container", "remove"): ("container", "rm"),
    ("images",): ("image", "ls"),
    ("image", "list"): ("image", "ls"),
    ("image", "remove"): ("image", "rm"),
    ("rmi",): ("image", "rm"),
    ("history",): ("image", "history"),
    ("build",): ("image", "build"),
    ("builder", "build"): ("image", "build"),
    ("import",): ("image", "import"),
    ("load",): ("image", "load"),
    ("save",): ("image", "save"),
    ("tag",): ("image", "tag"),
    ("pull",): ("image", "pull"),
    ("push",): ("image", "push"),
    ("network", "list"): ("network", "ls"),
    ("network", "remove"): ("network", "rm"),
    ("volume", "list"): ("volume", "ls"),
    ("volume", "remove"): ("volume", "rm"),
    ("info",): ("system", "info"),
    ("events",): ("system", "events"),
}
