"""R-05 in a daemon that leaks: a hundred handles on folders of the host, each one inheritable by whoever is started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from havre.runtime.runtime import StartFailed
from tests.root.runtime.conftest import WAYS, new_place
from tests.support.bundles import busybox_tree

pytestmark = pytest.mark.root

LEAKED = 100


@pytest.fixture
def leaked(tmp_path: Path) -> Iterator[list[int]]:
    (tmp_path / "host").mkdir()
    handles = [os.open(tmp_path / "host", os.O_RDONLY | os.O_DIRECTORY) for _ in range(LEAKED)]
    for handle in handles:
        os.set_inheritable(handle, True)
    yield handles
    for handle in handles:
        os.close(handle)


@pytest.mark.parametrize("way", WAYS)
async def test_none_of_them_is_a_working_folder(tmp_path: Path, leaked: list[int], way: str) -> None:
    """CVE-2024-21626, by both doors and through a link of the image."""
    image = busybox_tree(tmp_path / "image")
    (image / "handles").symlink_to("/proc/self/fd")
    async for place in new_place(tmp_path, image, "", way=way):
        shim, client = await place.launch(place.bundle("sleep", "1000"))
        client.close()
        for number in range(max(leaked) + 3):
            with pytest.raises(StartFailed):
                await place.execute(shim, "pwd", cwd=f"{('/proc/self/fd', '/handles')[number % 2]}/{number}")
            if number % 5 == 0 or number in leaked[:3]:
                with pytest.raises(StartFailed):
                    await place.run("pwd", cwd=f"/handles/{number}", make_cwd=bool(number % 2))
        await place.end(shim)
