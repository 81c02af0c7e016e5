"""N-05, N-06: after many attempts, failed at every step, the host is as it was."""

from __future__ import annotations

import errno
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from havre.base.errors import HavreError, ResourceExhausted
from havre.base.ids import new_id
from havre.kernel.libc import KernelError
from havre.networks import bridge, cabling, firewall, inside, sandboxes, store
from havre.networks.model import NetworkFailed, NoFreeAddress, Settings
from havre.networks.networks import Networks
from tests.root.networks.conftest import Open
from tests.root.networks.world import traces, until

pytestmark = pytest.mark.root

_ATTACH_STEPS: list[tuple[Any, str]] = [
    (store.Store, "save_attachment"),
    (sandboxes.WarmPool, "take"),
    (cabling, "pin_netns"),
    (firewall.Firewall, "guard"),
    (bridge.Bridge, "lay"),
    (inside, "run_in_netns"),
    (inside, "_settle"),
    (inside, "add_default_route"),
    (inside, "announce"),
]
_DETACH_STEPS: list[tuple[Any, str]] = [
    (bridge.Bridge, "silence"),
    (firewall.Firewall, "unguard"),
    (store.Store, "forget_attachment"),
]


def _failing(real: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    def failing(*given: Any, **named: Any) -> Any:
        result = real(*given, **named) if after else None
        close = getattr(result, "close", None)
        if close is not None:
            close()
        raise KernelError.of(errno.EIO, "a planned failure")

    return failing


@pytest.mark.parametrize("after", [False, True])
async def test_failures_at_each_step_leave_nothing(
    open_networks: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    networks = await open_networks()
    neighbour = await networks.attach(new_id())
    before = traces(tmp_path / "run")
    for target, name in _ATTACH_STEPS * 3:
        with monkeypatch.context() as patch:
            patch.setattr(target, name, _failing(getattr(target, name), after=after))
            with pytest.raises(NetworkFailed, match="a planned failure"):
                await networks.attach(new_id())
        await _attach_and_detach(networks, "172.17.0.3")
    for target, name in _DETACH_STEPS * 3:
        await networks.attach(sandbox := new_id())
        with monkeypatch.context() as patch:
            patch.setattr(target, name, _failing(getattr(target, name), after=after))
            with pytest.raises(NetworkFailed, match="a planned failure"):
                await networks.detach(sandbox)
        await networks.detach(sandbox)  # the same call again goes through
        await _attach_and_detach(networks, "172.17.0.3")
    assert networks.attachments() == (neighbour,)
    await until(lambda: traces(tmp_path / "run") == before)


async def test_a_hundred_come_and_go(open_networks: Open, tmp_path: Path) -> None:
    networks = await open_networks()
    before = traces(tmp_path / "run")
    for _ in range(100):
        await _attach_and_detach(networks, "172.17.0.2")
    assert networks.attachments() == ()
    await until(lambda: traces(tmp_path / "run") == before)


async def _attach_and_detach(networks: Networks, address: str) -> None:
    attachment = await networks.attach(sandbox := new_id())
    assert attachment.ip_address == address
    await networks.detach(sandbox)


async def test_the_last_address_and_the_one_after(open_networks: Open, tmp_path: Path) -> None:
    """N-06."""
    networks = await open_networks(Settings(fixed_cidr=IPv4Network("172.17.9.0/30")))
    got = [await networks.attach(new_id()) for _ in range(4)]
    assert [each.ip_address for each in got] == [f"172.17.9.{last}" for last in range(4)]
    before = traces(tmp_path / "run")
    for _ in range(3):
        with pytest.raises(
            NoFreeAddress, match=r"no available IPv4 addresses on this network's address pools: bridge \([0-9a-f]{64}\)"
        ):
            await networks.attach(new_id())
    assert traces(tmp_path / "run") == before
    await networks.detach(got[2].sandbox_id)
    assert (await networks.attach(new_id())).ip_address == "172.17.9.2"


async def test_no_descriptor_left_is_told_as_such(
    open_networks: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = await open_networks()
    before = traces(tmp_path / "run")

    def full(_: object) -> sandboxes.Sandbox:
        raise KernelError.of(errno.EMFILE, "open network namespace")

    monkeypatch.setattr(sandboxes.WarmPool, "take", full)
    with pytest.raises(ResourceExhausted, match="Too many open files") as caught:
        await networks.attach(new_id())
    assert isinstance(caught.value, HavreError)
    assert traces(tmp_path / "run") == before
    monkeypatch.undo()
    await _attach_and_detach(networks, "172.17.0.2")
