"""A git repository as a context, cloned by the git of this machine: `address#ref:folder`."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile

from havre.client.errors import ClientError

_SCHEMES = ("http://", "https://", "git://", "ssh://", "git@")


def cloned(place: str) -> str:
    """A temporary folder with the files of *place*, removed at the end of this command. Raises ClientError."""
    address, _, fragment = place.partition("#")
    ref, _, subfolder = fragment.partition(":")
    if address.startswith("github.com/"):
        address = f"https://{address}"
    _check(address, ref)
    root = tempfile.mkdtemp(prefix="havre-git-")
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    _git(root, "init", "-q")
    _git(root, "fetch", "-q", "--depth", "1", "--no-tags", "--", address, ref or "HEAD")
    _git(root, "checkout", "-q", "FETCH_HEAD")
    _git(root, "-c", "protocol.allow=user", "submodule", "update", "-q", "--init", "--recursive", "--depth=1")
    shutil.rmtree(os.path.join(root, ".git"))
    return _inside(root, subfolder)


def _check(address: str, ref: str) -> None:
    if not address.startswith(_SCHEMES) or "::" in address:
        raise ClientError(f"invalid git address: {address}")
    if ref.startswith("-") or any(sign.isspace() or not sign.isprintable() for sign in ref):
        raise ClientError(f"invalid git ref: {ref}")


def _inside(root: str, subfolder: str) -> str:
    """*subfolder* of *root*, wherever links lead."""
    folder = os.path.realpath(os.path.join(root, subfolder.lstrip("/")))
    if folder != os.path.realpath(root) and not folder.startswith(os.path.realpath(root) + os.sep):
        raise ClientError(f"{subfolder} leads out of the repository")
    if not os.path.isdir(folder):
        raise ClientError(f"no such folder in the repository: {subfolder}")
    return folder


def _git(folder: str, *arguments: str) -> None:
    # Local paths and helpers that run commands are never transports: CVE-2022-39253, ext::.
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "http:https:git:ssh"}
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, check=False)
    except OSError as error:
        raise ClientError(f"git is needed for this context: {error.strerror}") from error
    if done.returncode:
        raise ClientError(f"git {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}")
