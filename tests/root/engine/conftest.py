"""What tests with registries share: one without passwords, and another engine that sees it too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.debian_registry import Registry
from tests.support.debian_registry import running as serving
from tests.support.engines import Reference, running
from tests.support.hosts import Host


@pytest.fixture(scope="module")
def plain(module_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serving(Registry(module_host, tmp_path_factory.mktemp("plain"), 5000)) as registry:
        yield registry


@pytest.fixture(scope="module")
def other(module_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    """The reference engine in the same host: it sees the same registries."""
    engine = Reference(module_host, tmp_path_factory.mktemp("other"), ["--iptables=false", "--bridge=none"])
    with running(engine):
        yield engine
