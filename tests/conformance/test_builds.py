"""`docker build` on both engines: the same files, the same settings, the same exit codes.

Known and wanted differences are those of BuildKit from the classic builder: a working folder belongs to the USER, and
what an unused stage says is not done.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import Any

import pytest

from tests.support.dockerfiles import CASES, FAILING, Case
from tests.support.engines import Engine, Havre, Reference

pytestmark = [pytest.mark.root, pytest.mark.reference]

# What only the one engine's way of building leaves in the settings.
_OWN = (
    "Image",
    "Hostname",
    "Domainname",
    "AttachStdin",
    "AttachStdout",
    "AttachStderr",
    "Tty",
    "OpenStdin",
    "StdinOnce",
)


def build(engine: Engine, case: Case, name: str) -> Any:
    flags = list(case.flags) if "-f" in case.flags else ["-f", "Dockerfile", *case.flags]
    return engine.build(*flags, "-t", name, "-", stdin=case.context())


def settings(engine: Engine, name: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(engine.out("image", "inspect", name))[0]["Config"]
    return {key: value for key, value in config.items() if key not in _OWN and value not in (None, "", [], {})}


def tree(engine: Engine, name: str) -> dict[str, tuple[object, ...]]:
    container = engine.out("create", name, "x")
    try:
        raw = engine.docker("export", container, check=True).stdout
    finally:
        engine.docker("rm", container, check=True)
    found: dict[str, tuple[object, ...]] = {}
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        for member in archive:
            data = archive.extractfile(member).read() if member.isreg() else b""  # type: ignore[union-attr]
            kind = "-" if member.islnk() else member.type
            what = hashlib.sha256(data).hexdigest()[:12] if member.isreg() else member.linkname
            found[member.name.strip("/")] = (kind, oct(member.mode & 0o7777), member.uid, member.gid, what)
    return found


def differences(ours: dict[str, tuple[object, ...]], theirs: dict[str, tuple[object, ...]]) -> list[object]:
    return [
        (path, ours.get(path), theirs.get(path))
        for path in sorted(ours.keys() | theirs.keys())
        if ours.get(path) != theirs.get(path)
    ]


def without_places(files: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """Without what an engine makes in a container's root to mount things on."""
    places = {".dockerenv", "dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", "etc", ""}
    return {path: what for path, what in files.items() if path not in places and not path.startswith("dev/")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_image_comes_out(havre: Havre, reference: Reference, case: Case) -> None:
    name = "built-" + hashlib.sha256(case.name.encode()).hexdigest()[:8]
    results = []
    for engine in (havre, reference):
        done = build(engine, case, name)
        assert done.returncode == 0, (engine.NAME, done.stdout.decode(), done.stderr.decode())
        results.append((without_places(tree(engine, name)), settings(engine, name)))
    (ours, our_settings), (theirs, their_settings) = results
    assert differences(ours, theirs) == []
    assert our_settings == their_settings


@pytest.mark.parametrize("case", FAILING, ids=lambda case: case.name)
def test_the_same_exit_code(havre: Havre, reference: Reference, case: Case) -> None:
    ours, theirs = build(havre, case, "never"), build(reference, case, "never")
    assert ours.returncode == theirs.returncode, (ours.stderr, theirs.stderr)
    assert theirs.returncode != 0
