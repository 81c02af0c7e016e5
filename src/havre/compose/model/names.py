"""The names of applications and of what Compose makes for them, and its labels."""

from __future__ import annotations

import re
from typing import Final

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*\Z", re.ASCII)
_SERVICE = re.compile(r"[a-zA-Z0-9._-]+\Z", re.ASCII)

PREFIX: Final = "com.docker.compose."
PROJECT: Final = f"{PREFIX}project"
SERVICE: Final = f"{PREFIX}service"
NUMBER: Final = f"{PREFIX}container-number"
CONFIG_HASH: Final = f"{PREFIX}config-hash"
ONEOFF: Final = f"{PREFIX}oneoff"
SLUG: Final = f"{PREFIX}slug"
IMAGE: Final = f"{PREFIX}image"
DEPENDS_ON: Final = f"{PREFIX}depends_on"
WORKING_DIR: Final = f"{PREFIX}project.working_dir"
CONFIG_FILES: Final = f"{PREFIX}project.config_files"
ENVIRONMENT_FILE: Final = f"{PREFIX}project.environment_file"
REPLACE: Final = f"{PREFIX}replace"
NETWORK: Final = f"{PREFIX}network"
VOLUME: Final = f"{PREFIX}volume"
VERSION: Final = f"{PREFIX}version"
CONTENTS: Final = "org.havre.compose.contents"

COMPOSE_VERSION: Final = "2.40.3"


def normalised(name: str) -> str:
    """A project name made of any text: lower case, only letters, digits, `-` and `_`, none of these two first."""
    return re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")


def is_project_name(name: str) -> bool:
    """Whether *name* may be a project's."""
    return len(name) <= 200 and _PROJECT.match(name) is not None


def is_service_name(name: str) -> bool:
    """Whether *name* may be a service's (or a network's, volume's, secret's or config's key)."""
    return len(name) <= 200 and _SERVICE.match(name) is not None
