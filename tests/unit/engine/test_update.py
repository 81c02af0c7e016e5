"""What a change of limits may be, what it writes, and what stays when it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from havre.base.errors import Conflict, HavreError, InternalError, InvalidInput
from havre.engine.containers import Containers
from havre.engine.lives import Lives
from havre.engine.settings import HostConfig, RestartPolicy
from havre.engine.update import check_wish, joined, limits_of
from havre.oci.runtime_spec import PidsLimit
from tests.fakes.rooms import FACTS, open_rooms

_M = 1 << 20


@pytest.mark.parametrize(
    ("host", "wish", "message"),
    [
        (HostConfig(memory=64 * _M, memory_swap=128 * _M), HostConfig(memory=256 * _M), "Memory limit should be"),
        (HostConfig(nano_cpus=1), HostConfig(cpu_quota=5000), "CPU Quota cannot be updated as NanoCPUs"),
        (HostConfig(cpu_period=5000), HostConfig(nano_cpus=10**9), "Nano CPUs cannot be updated as CPU Period"),
        (HostConfig(auto_remove=True), HostConfig(restart_policy=RestartPolicy(name="always")), "AutoRemove"),
    ],
)
def test_what_contradicts_is_a_conflict(host: HostConfig, wish: HostConfig, message: str) -> None:
    with pytest.raises(Conflict, match=message):
        check_wish(host, wish, FACTS)


def test_swap_alone_is_measured_against_the_memory_in_force() -> None:
    host = HostConfig(memory=64 * _M, memory_swap=128 * _M)
    assert check_wish(host, HostConfig(memory_swap=-1), FACTS) == []
    with pytest.raises(InvalidInput, match="Minimum memoryswap limit"):
        check_wish(host, HostConfig(memory_swap=32 * _M), FACTS)


def test_zero_changes_nothing() -> None:
    host = HostConfig(memory=64 * _M, pids_limit=5, cpu_shares=7)
    assert joined(host, HostConfig()) == host
    assert joined(host, HostConfig(pids_limit=0)) == host
    assert joined(host, HostConfig(pids_limit=-1)).pids_limit is None
    assert limits_of(host, HostConfig(pids_limit=-1), FACTS).pids == PidsLimit(limit=-1)


async def test_the_kernel_has_the_last_word(tmp_path: Path) -> None:
    async with open_rooms(tmp_path) as rooms:
        made = await Containers(rooms.parts).create({"Image": "busybox"}, "one", None)
        lives = Lives(rooms.parts)
        await lives.start("one")
        container = rooms.parts.roster.get(str(made["Id"]))
        shim = rooms.runtime.shims[container.id]
        assert await lives.update("one", {"PidsLimit": 9}) == {"Warnings": None}
        assert [change.pids for change in shim.updates] == [PidsLimit(limit=9)]
        refusal: HavreError = InvalidInput("device busy")
        shim.refuse_update = refusal
        with pytest.raises(InternalError, match=f"Cannot update container {container.id}: device busy"):
            await lives.update("one", {"PidsLimit": 3})
        assert container.record.host.pids_limit == 9
