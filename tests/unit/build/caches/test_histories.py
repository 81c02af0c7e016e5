"""Lines of a history, whoever wrote them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from havre.build.cache_document import Offered
from havre.build.cache_places import CacheKind, CachePlace
from havre.build.caches.histories import offered_by, plain
from havre.build.caches.sources import CacheSource
from havre.build.dockerfile.settings import Settings
from havre.build.graph import Step
from havre.build.images import State
from havre.build.model import Tree
from havre.oci.descriptor import Descriptor
from havre.oci.image_config import History, ImageConfig, ProcessConfig, RootFS
from tests.fakes.rooms import make_image


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("/bin/sh -c #(nop)  ENV A=b", "ENV A=b"),
        ("/bin/sh -c #(nop) WORKDIR /w", "WORKDIR /w"),
        ("ENV A=b", "ENV A=b"),
        ("/bin/sh -c make", "/bin/sh -c make"),
        ("RUN /bin/sh -c make", "/bin/sh -c make"),
        ("RUN /bin/sh -c make # buildkit", "/bin/sh -c make"),
        ("|1 A=b /bin/sh -c make", "|1 A=b /bin/sh -c make"),
    ],
)
def test_plain(line: str, meant: str) -> None:
    assert plain(line) == meant


@pytest.mark.parametrize("told", [None, "", "yesterday", "2024-13-45T99:00:00Z"])
def test_a_step_whose_time_nobody_knows_is_one_all_the_same(told: str | None) -> None:
    config = ImageConfig(
        architecture="amd64",
        os="linux",
        rootfs=RootFS(),
        history=[History(created=told, created_by="ENV A=b", empty_layer=True)],
    )
    image = replace(make_image("old"), config=config, layers=())
    source = CacheSource(CachePlace(kind=CacheKind.IMAGE, name="old"), {}, _Nowhere(), image)
    settings = Settings(process=ProcessConfig())
    state = State(tree=Tree(), settings=settings, lineage="")
    assert offered_by(source, Step(text="ENV A=b", created_by="ENV A=b", settings=settings), state) == Offered(
        created_ns=0
    )


class _Nowhere:
    async def blob(self, wanted: Descriptor) -> AsyncGenerator[bytes, None]:
        yield b""
        raise AssertionError(wanted)
