"""Users and bcrypt hashes in Apache's htpasswd form; the file is read again whenever it changes."""

import asyncio
import hashlib
import hmac
import os
import threading
import time
from pathlib import Path
from typing import Final

import bcrypt

from havre.base.errors import InvalidInput
from havre.base.tasks import in_thread
from havre.registry.server.refusal import Code, Refusal

_LIMIT_BYTES: Final = 4 << 20
_REMEMBERED_S: Final = 300.0
_REMEMBERED: Final = 4096
_SLOTS: Final = 2
_WAITING: Final = 100
_PREFIXES: Final = (b"$2y$", b"$2b$", b"$2a$")


class Htpasswd:
    """The users of the file *path*. Raises InvalidInput when it holds a line that is not `user:bcrypt`.

    A right password is remembered for minutes, as a keyed hash, so that a push of hundreds of requests costs
    one bcrypt. At most two of them are computed at once, and few wait: guessing costs the guesser, not the others.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._slots = asyncio.Semaphore(_SLOTS)
        self._waiting = 0
        self._key = os.urandom(32)
        self._state: tuple[int, int, int] | None = None
        self._users: dict[str, bytes] = {}
        self._right: dict[bytes, float] = {}
        self._nobody = bcrypt.hashpw(os.urandom(16).hex().encode(), bcrypt.gensalt(10))
        self._refresh()

    async def check(self, user: str, password: str) -> bool:
        """Whether *password* is that of *user*: known in a tenth of a second, as long for an unknown user.

        Raises Refusal (429) when too many ask at once.
        """
        stored = self._stored(user)
        secret = password.encode()
        proof = hmac.digest(self._key, b"\0".join((user.encode(), stored or b"", secret)), "sha256")
        if self._right.get(proof, 0.0) > time.monotonic():
            return True
        if self._waiting >= _WAITING:
            raise Refusal(Code.TOOMANYREQUESTS, "too many log-ins at once", headers={"Retry-After": "1"})
        self._waiting += 1
        try:
            async with self._slots:
                right = await in_thread(_matches, secret, stored or self._nobody) and stored is not None
        finally:
            self._waiting -= 1
        if right:
            if len(self._right) >= _REMEMBERED:
                self._right.clear()
            self._right[proof] = time.monotonic() + _REMEMBERED_S
        return right

    def fingerprint(self, user: str) -> str:
        """What changes when the password of *user* does, and is empty when there is no such user."""
        stored = self._stored(user)
        return hashlib.sha256(stored).hexdigest()[:32] if stored is not None else ""

    def _stored(self, user: str) -> bytes | None:
        self._refresh()
        return self._users.get(user)

    def _refresh(self) -> None:
        try:
            found = self._path.stat()
        except OSError as error:
            raise InvalidInput(f"htpasswd file {self._path}: {error.strerror}") from error
        state = (found.st_mtime_ns, found.st_size, found.st_ino)
        with self._lock:
            if state != self._state:
                self._users = parse_htpasswd(self._read())
                self._state = state

    def _read(self) -> bytes:
        with self._path.open("rb") as file:
            return file.read(_LIMIT_BYTES + 1)


def parse_htpasswd(data: bytes) -> dict[str, bytes]:
    """Users and hashes. Raises InvalidInput for a line that is neither empty, a comment, nor `user:bcrypt`."""
    if len(data) > _LIMIT_BYTES:
        raise InvalidInput(f"a htpasswd file has at most {_LIMIT_BYTES} bytes")
    users: dict[str, bytes] = {}
    for number, line in enumerate(data.splitlines(), 1):
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        user, colon, stored = text.partition(b":")
        if not (user and colon and stored.startswith(_PREFIXES) and len(stored) == 60):
            raise InvalidInput(f"htpasswd line {number}: only bcrypt entries are taken (htpasswd -B)")
        try:
            users[user.decode()] = stored
        except UnicodeDecodeError:
            raise InvalidInput(f"htpasswd line {number}: the user's name is not UTF-8") from None
    return users


def _matches(secret: bytes, stored: bytes) -> bool:
    try:
        return bcrypt.checkpw(secret, stored)
    except ValueError:  # longer than the 72 bytes that bcrypt reads, or a NUL in it
        return False
