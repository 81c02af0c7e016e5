"""Files from the web: ADD of an address, and contexts that the engine fetches itself. http and https, nothing else."""

import email.utils
import hashlib
import http.client
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Final

from havre.base.exhaustion import exhaustion
from havre.build.model import NOTHING_LENT, BuildFailed, Lent
from havre.content.space import Reserve

_TIMEOUT_S: Final = 60.0
_PIECE_BYTES: Final = 1 << 20
_MODE: Final = 0o600
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def name_of(address: str, *, needed: bool) -> str:
    """The file name that *address* ends with: one component. Raises BuildFailed for none where it is *needed*."""
    path = urllib.parse.unquote(urllib.parse.urlsplit(address).path)
    name = path.rpartition("/")[2]
    if name in {"", ".", ".."} or "\0" in name:
        if needed:
            raise BuildFailed(f"cannot determine filename from url: {address[:256]}")
        return "download"
    return name


def fetch(address: str, path: Path, checksum: str = "", lent: Lent = NOTHING_LENT) -> None:
    """Fetch *address* into the new file *path*; blocks. Its time is what the server says, its mode 0600.

    The secrets `HTTP_AUTH_HEADER_<host>` and `HTTP_AUTH_TOKEN_<host>` are shown to that host alone.

    Raises BuildFailed for a failure or a wrong *checksum* (`sha256:…`), ResourceExhausted.
    """
    try:
        with _opener().open(_request(address, lent), timeout=_TIMEOUT_S) as answer:
            _store(answer, path, checksum)
    except urllib.error.HTTPError as error:
        raise BuildFailed(
            f"ADD failed: failed to GET {address[:256]} with status {error.code} {error.reason}"
        ) from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ValueError) as error:
        reason = "unexpected EOF" if isinstance(error, http.client.IncompleteRead) else getattr(error, "reason", error)
        raise BuildFailed(f"ADD failed: failed to GET {address[:256]}: {reason}") from error


def _request(address: str, lent: Lent) -> urllib.request.Request:
    request = urllib.request.Request(address)  # noqa: S310  the opener knows http and https alone
    host = urllib.parse.urlsplit(address).hostname or ""
    if (header := lent.secrets.get(f"HTTP_AUTH_HEADER_{host}")) is not None:
        request.add_unredirected_header("Authorization", header.decode(errors="replace").strip())
    elif (token := lent.secrets.get(f"HTTP_AUTH_TOKEN_{host}")) is not None:
        request.add_unredirected_header("Authorization", f"Bearer {token.decode(errors='replace').strip()}")
    return request


def _opener() -> urllib.request.OpenerDirector:
    """One that knows no scheme besides http and https, whatever a server redirects to."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _store(answer: http.client.HTTPResponse, path: Path, checksum: str) -> None:
    digest = hashlib.sha256()
    with exhaustion(f"fetching {path.name}"):
        handle = os.open(path, _NEW, _MODE)
        try:
            reserve = Reserve(handle, "fetching a file")
            while piece := answer.read(_PIECE_BYTES):
                reserve.spend(len(piece))
                digest.update(piece)
                left = memoryview(piece)
                while left:
                    left = left[os.write(handle, left) :]
            if answer.length:  # what reads in pieces is not told that the rest never came: http.client
                raise http.client.IncompleteRead(b"", answer.length)
            _set_time(handle, answer.headers.get("Last-Modified", ""))
        finally:
            os.close(handle)
    if checksum and checksum != f"sha256:{digest.hexdigest()}":
        raise BuildFailed(f"digest mismatch sha256:{digest.hexdigest()}: {checksum}")


def _set_time(handle: int, told: str) -> None:
    try:
        moment = email.utils.parsedate_to_datetime(told).timestamp() if told else 0.0
    except (ValueError, OverflowError):  # no date, or none that this machine's clock knows
        moment = 0.0
    os.utime(handle, (moment, moment))
