"""Havre as a plugin of docker's own command line: linked as `docker-compose` into `~/.docker/cli-plugins`.

docker asks a plugin `docker-cli-plugin-metadata` once, and then passes its own arguments on, global flags first and the
plugin's name among them (docker/cli, cli-plugins/manager).
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES = {"docker-compose": "compose", "docker-buildx": "buildx"}
_COMMANDS = {"compose": "compose", "buildx": "builder"}
_SUMMARIES = {"compose": "Define and run multi-container applications", "buildx": "Build images"}
_QUESTION = "docker-cli-plugin-metadata"
_CALLED_BY_DOCKER = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"


def words_of(program: str, words: Sequence[str]) -> list[str]:
    """What *words* mean to `havre` when typed to it under the name *program*, `docker-compose` or `docker-buildx`."""
    name = _NAMES[program]
    command = _COMMANDS[name]
    if name not in words or not os.environ.get(_CALLED_BY_DOCKER):
        return [command, *words]
    place = list(words).index(name)
    return [*words[:place], command, *words[place + 1 :]]


def metadata(program: str, words: Sequence[str]) -> str:
    """The answer to docker's question which plugin *program* is; empty when *words* ask something else."""
    if list(words) != [_QUESTION]:
        return ""
    import json

    from havre.base.version import VERSION

    summary = _SUMMARIES[_NAMES[program]]
    return json.dumps({"SchemaVersion": "0.1.0", "Vendor": "Havre", "Version": VERSION, "ShortDescription": summary})
