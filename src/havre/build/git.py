"""Git repositories as files: one commit, fetched by the git of this machine, which runs nothing of what it fetches.

Refused are transports that are commands or local paths (`ext::`, `file://`), also those that submodules name:
CVE-2022-39253, CVE-2019-13139.
"""

import base64
import fcntl
import os
import re
import signal
import threading
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from havre.build.dockerfile.remotes import GitSource
from havre.build.model import BuildFailed, Lent

_SCHEMES: Final = ("http://", "https://", "git://", "ssh://")
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}", re.ASCII)
_CONFIG: Final = {
    "advice.detachedHead": "false",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "gc.auto": "0",
    "init.defaultBranch": "main",
    "maintenance.auto": "false",
}
_SSH: Final = "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=accept-new"
_PASSED_ON: Final = re.compile(r"PATH|(HTTPS?|ALL|NO)_PROXY|SSL_CERT_(FILE|DIR)|GIT_SSL_CAINFO", re.IGNORECASE)
_HEAD: Final = "refs/havre/head"
_SHALLOW: Final = "shallow capabilities"
_TEXT_BYTES: Final = 1 << 20


class Clone:
    """One clone into the empty *folder*. `make` blocks; `stop` ends it from another thread."""

    def __init__(self, source: GitSource, folder: Path, lent: Lent) -> None:
        self._source = source
        self._folder = folder
        self._lent = lent
        self._lock = threading.Lock()
        self._running = 0
        self._stopped = False

    def make(self) -> str:
        """The commit whose files are in the folder now, beside git's own folder. Raises BuildFailed."""
        source = self._source
        if not (source.remote.startswith(_SCHEMES) or "@" in source.remote) or "::" in source.remote:
            raise BuildFailed(f"invalid git address: {source.remote[:256]}")
        self._git("init", "-q", "--template=")
        self._git("remote", "add", "origin", source.remote)
        commit = self._fetched()
        if source.checksum and not commit.startswith(source.checksum):
            raise BuildFailed(f"expected checksum to match {source.checksum[:64]}, got {commit}")
        self._git("checkout", "-q", "--force", commit)
        if source.submodules is not False and (self._folder / ".gitmodules").is_file():
            self._fetch_submodules()
        if source.mtime == "commit":
            self._date(int(self._git("show", "-s", "--format=%ct", commit)))
        return commit

    def stop(self) -> None:
        """End what runs, and start nothing more."""
        with self._lock:
            self._stopped = True
            if self._running:
                os.killpg(self._running, signal.SIGKILL)

    def _fetched(self) -> str:
        """Fetch what was asked for, only that where the server can do so; its commit."""
        ref = self._source.ref or "HEAD"
        try:
            self._git("fetch", "-q", "--depth=1", "--no-tags", "--", "origin", ref)
            return self._git("rev-parse", "--verify", "--end-of-options", "FETCH_HEAD^{commit}")
        except BuildFailed as refused:
            # A commit that no branch points to, or a server that knows no shallow clones.
            everything = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*", f"+HEAD:{_HEAD}")
            if not self._may_have(refused, ref):
                raise
            self._git("fetch", "-q", "--force", "--", "origin", *everything)
            return self._named(ref, refused)

    def _fetch_submodules(self) -> None:
        words = ("submodule", "update", "-q", "--init", "--recursive")
        try:
            self._git(*words, "--depth=1")
        except BuildFailed as refused:
            if _SHALLOW not in str(refused):
                raise
            self._git(*words)

    @staticmethod
    def _may_have(refused: BuildFailed, ref: str) -> bool:
        return bool(_COMMIT.fullmatch(ref)) or _SHALLOW in str(refused)

    def _named(self, ref: str, refused: BuildFailed) -> str:
        names = [_HEAD] if ref == "HEAD" else [f"refs/remotes/origin/{ref}", f"refs/tags/{ref}", ref]
        for name in names:
            try:
                return self._git("rev-parse", "--verify", "-q", "--end-of-options", f"{name}^{{commit}}")
            except BuildFailed:
                continue
        raise BuildFailed(f"git: no commit {ref[:128]} in {self._source.remote[:256]}") from refused

    def drop_links(self) -> None:
        """The `.git` of a submodule is a file that points into the one of the repository."""
        for folder, _, files in os.walk(self._folder):
            if ".git" in files:
                os.unlink(os.path.join(folder, ".git"))  # noqa: PTH108, PTH118  os.walk speaks text

    def _date(self, seconds: int) -> None:
        for folder, folders, files in os.walk(self._folder):
            for name in (*folders, *files):
                os.utime(os.path.join(folder, name), (seconds, seconds), follow_symlinks=False)  # noqa: PTH118

    # -- the program

    def _git(self, *arguments: str) -> str:
        """What git says. Raises BuildFailed with its complaint."""
        output, errors = _bounded("output"), _bounded("errors")
        try:
            code = self._run(arguments, output, errors)
            if code:
                said = _text(errors) or f"it ended with {code}"
                raise BuildFailed(f"git {arguments[0]} of {self._source.remote[:256]} failed: {said[-2048:]}")
            return _text(output)
        finally:
            os.close(output)
            os.close(errors)

    def _run(self, arguments: tuple[str, ...], output: int, errors: int) -> int:
        streams = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, errors, 2),
        ]
        words = ("git", "-C", str(self._folder), *arguments)
        with self._lock:
            if self._stopped:
                raise BuildFailed("the build was stopped")
            try:
                pid = os.posix_spawnp("git", words, self._environment(), file_actions=streams, setpgroup=0)
            except FileNotFoundError as absent:
                raise BuildFailed(
                    f"fetching {self._source.remote[:256]} needs the program git, which is not installed"
                ) from absent
            self._running = pid
        # The process group must not be killed once its number may be another's: first waited for, then reaped.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            self._running = 0
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
        config = {**_CONFIG, **self._headers()}
        counted = {"GIT_CONFIG_COUNT": str(len(config))}
        for number, (name, value) in enumerate(config.items()):
            counted[f"GIT_CONFIG_KEY_{number}"], counted[f"GIT_CONFIG_VALUE_{number}"] = name, value
        own = {
            "GIT_ALLOW_PROTOCOL": "http:https:git:ssh",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_HTTP_LOW_SPEED_LIMIT": "1",
            "GIT_HTTP_LOW_SPEED_TIME": "60",
            "GIT_SSH_COMMAND": _SSH,
            "GIT_TERMINAL_PROMPT": "0",
            "HOME": os.devnull,
            "LC_ALL": "C",
        }
        if self._lent.agent:
            own["SSH_AUTH_SOCK"] = self._lent.agent
        return {**kept, **own, **counted}

    def _headers(self) -> dict[str, str]:
        """The secrets GIT_AUTH_HEADER and GIT_AUTH_TOKEN, those with the host's name in theirs first."""
        parts = urlsplit(self._source.remote)
        if parts.scheme not in {"http", "https"} or parts.hostname is None:
            return {}
        for suffix in (f".{parts.hostname}", ""):
            header = self._lent.secrets.get(f"GIT_AUTH_HEADER{suffix}")
            token = self._lent.secrets.get(f"GIT_AUTH_TOKEN{suffix}")
            if header is None and token is not None:
                header = b"basic " + base64.b64encode(b"x-access-token:" + token.strip())
            if header is not None:
                place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
                return {f"http.{place}.extraHeader": f"Authorization: {header.decode(errors='replace').strip()}"}
        return {}


def _bounded(name: str) -> int:
    """A file in memory that takes so many bytes and no more: a server may let git repeat what it says without end."""
    handle = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.truncate(handle, _TEXT_BYTES)
    fcntl.fcntl(handle, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
    return handle


def _text(handle: int) -> str:
    said = os.pread(handle, _TEXT_BYTES, 0)
    return said.rstrip(b"\0").decode(errors="replace").strip()
