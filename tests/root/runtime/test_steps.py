"""A birth that dies at any of its steps: the error names the step, and nothing is left. R-20, R-26."""

from __future__ import annotations

from pathlib import Path

import pytest

from havre.oci.runtime_spec import Device
from havre.runtime.init.progress import STEPS
from havre.runtime.runtime import StartFailed, Stdio
from tests.root.runtime.conftest import WAYS, new_place

pytestmark = pytest.mark.root

_NEVER = {"ids", "hooks", "fork", "exec"}  # user namespaces, hooks and exec sessions; after `exec` nobody can tell


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", [step for step in STEPS if step not in _NEVER])
async def test_death_at_a_step(tmp_path: Path, image: Path, step: str, way: str) -> None:
    async for place in new_place(tmp_path, image, step, way=way):
        wanted = {"sysctl": {"net.ipv4.ip_forward": "1"}, "stdio": Stdio(terminal=True)}
        device = Device(path="/dev/extra", type="c", major=1, minor=3)
        bundle = place.bundle("true", devices=[device], **wanted)
        with pytest.raises(StartFailed, match=f"the child died without a word at step: {step}"):
            await place.launch(bundle)
        assert not Path(bundle.run_dir).exists()


@pytest.mark.parametrize("way", WAYS)
async def test_import_after_the_root_was_changed(tmp_path: Path, image: Path, way: str) -> None:
    async for place in new_place(tmp_path, image, "privileges:import", way=way):
        with pytest.raises(StartFailed, match="the guard stopped import"):
            await place.launch(place.bundle("true"))


@pytest.mark.parametrize("step", ["cgroup", "namespaces", "user", "rlimits", "privileges", "fork"])
async def test_death_of_an_exec_session_at_a_step(tmp_path: Path, image: Path, step: str) -> None:
    async for place in new_place(tmp_path, image, f"guest:{step}", way="ordinary"):
        shim, client = await place.launch(place.bundle("sleep", "100"))
        with pytest.raises(StartFailed, match=f"the child died without a word at step: {step}"):
            await shim.exec(place.exec_request("true"))
        assert await shim.pids() == [shim.pid]
        client.close()
        await place.end(shim)


async def test_import_of_an_exec_session(tmp_path: Path, image: Path) -> None:
    async for place in new_place(tmp_path, image, "guest:privileges:import", way=WAYS[0]):
        shim, client = await place.launch(place.bundle("sleep", "100"))
        with pytest.raises(StartFailed, match="the guard stopped import"):
            await shim.exec(place.exec_request("true"))
        client.close()
        await place.end(shim)
