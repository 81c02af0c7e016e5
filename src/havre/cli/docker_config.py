"""The user's config.json, as docker keeps it: what we do not know stays, and it is written whole or not at all."""

from __future__ import annotations

import os

from havre.client.errors import ClientError

_MAX_BYTES = 4 << 20


def config_folder() -> str:
    """Where it is: DOCKER_CONFIG, else ~/.docker."""
    return os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")


class DockerConfig:
    """One config.json. A file that is not there is empty."""

    __slots__ = ("document", "path")

    def __init__(self, folder: str = "") -> None:
        self.path = os.path.join(folder or config_folder(), "config.json")
        self.document: dict[str, object] = {}
        try:
            with open(self.path, "rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return
        except OSError as error:
            raise ClientError(f"loading config file: {self.path}: {error.strerror}") from None
        self.document = _decoded(data, self.path)

    def text(self, key: str) -> str:
        """A value that is a text; empty for what is none."""
        found = self.document.get(key)
        return found if isinstance(found, str) else ""

    def table(self, key: str) -> dict[str, object]:
        """A value that is an object, to be changed in place."""
        found = self.document.get(key)
        if not isinstance(found, dict):
            found = self.document[key] = {}
        return found

    def save(self) -> None:
        """Write it with mode 0600: next to itself first, also where its name is a link."""
        import json

        target = os.path.realpath(self.path)
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        staged = f"{target}.{os.getpid()}.{os.urandom(4).hex()}"
        handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(json.dumps(self.document, indent="\t", ensure_ascii=False).encode())
                file.flush()
                os.fsync(file.fileno())
            os.replace(staged, target)
        except BaseException:
            os.unlink(staged)
            raise


def _decoded(data: bytes, path: str) -> dict[str, object]:
    import json

    try:
        document = json.loads(data) if data.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ClientError(f"loading config file: {path}: {error}") from None
    if len(data) > _MAX_BYTES or not isinstance(document, dict):
        raise ClientError(f"loading config file: {path}: it is no config file")
    return document
