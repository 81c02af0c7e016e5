from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.course.desk import Desk
from tests.course.images import provide
from tests.support.engines import Havre, running
from tests.support.hosts import Host


@pytest.fixture(scope="module")
def school(module_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Havre]:
    """A havred with the images of the course."""
    engine = Havre(module_host, tmp_path_factory.mktemp("hv"))
    with running(engine):
        provide(engine)
        yield engine


@pytest.fixture(params=["docker", "havre"])
def desk(school: Havre, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A desk in an empty school: each example begins as on the first day."""
    yield Desk(school, tmp_path, request.param)
    school.remove_all()
    school.docker("volume", "prune", "-af", check=True)
