"""Fixtures of all tests that need an engine: a test host, a havred, the reference, each with a busybox image."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.engines import Engine, Havre, Reference, running
from tests.support.hosts import Host, new_host
from tests.support.images import busybox_tar

settings.register_profile("havre", deadline=None)  # nothing passes or fails on the time it took
settings.load_profile("havre")


@pytest.fixture(scope="session")
def rootfs_tar() -> bytes:
    return busybox_tar()


@pytest.fixture
def host() -> Iterator[Host]:
    with new_host() as made:
        yield made


@pytest.fixture(scope="module")
def module_host() -> Iterator[Host]:
    with new_host() as made:
        yield made


@pytest.fixture(scope="module")
def havre(module_host: Host, tmp_path_factory: pytest.TempPathFactory, rootfs_tar: bytes) -> Iterator[Havre]:
    """A havred for one module, with the image `busybox`."""
    engine = Havre(module_host, tmp_path_factory.mktemp("hv"))
    with running(engine):
        engine.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
        yield engine


@pytest.fixture(scope="module")
def reference(dockerd: Reference) -> Iterator[Reference]:
    """Debian's dockerd with the image `busybox` and nothing else, also after this module."""
    yield dockerd
    dockerd.remove_all()
    kept = {"busybox:latest", *dockerd.out("images", "-q", "--no-trunc", "busybox:latest").split()}
    names = dockerd.out("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    if others := {*names, *dockerd.out("images", "-aq", "--no-trunc").split()} - kept - {"<none>:<none>"}:
        dockerd.docker("rmi", "-f", *others)  # one goes with another: what is gone already is no error
    for noun in ("image", "network", "volume"):
        dockerd.docker(noun, "prune", "-f", check=True)


@pytest.fixture(scope="session")
def dockerd(tmp_path_factory: pytest.TempPathFactory, rootfs_tar: bytes) -> Iterator[Reference]:
    """Debian's dockerd for the whole run, with the image `busybox`."""
    with new_host() as host:
        engine = Reference(host, tmp_path_factory.mktemp("ref"))
        with running(engine):
            engine.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
            yield engine


@pytest.fixture(params=["havre", "reference"])
def either(request: pytest.FixtureRequest) -> Engine:
    """The same test, once on Havre and once on the reference: so the test itself is tried."""
    engine: Engine = request.getfixturevalue(request.param)
    return engine
