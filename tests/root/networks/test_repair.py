"""N-03 and what a crash leaves: whatever was taken away comes back, and nothing else is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from havre.base.ids import new_id
from havre.kernel.netns import unpin_netns
from havre.networks.model import Attachment, Settings
from havre.networks.networks import Networks
from tests.root.networks.conftest import Join, Open
from tests.root.networks.world import Place, rules, sh, sysctl, traces, until, wish

pytestmark = pytest.mark.root

_FOREIGN = """
table inet foreign {
    set known { type ipv4_addr; elements = { 192.0.2.7 }; }
    chain in { type filter hook input priority 0; policy accept; ip saddr @known counter drop; }
}
table ip havre {
    chain same_name { type filter hook input priority 0; policy accept; }
}
"""


@pytest.mark.parametrize(
    "damage",
    [
        "delete table inet havre",
        "delete table bridge havre",
        "delete table inet havre; delete table bridge havre",
        "flush chain inet havre arriving",
        "flush table inet havre",
        "flush set bridge havre sources",
        "insert rule inet havre forwarded accept",
        "flush ruleset",
    ],
)
async def test_rules_that_were_changed_come_back(
    open_networks: Open, join: Join, here: Place, near: Place, damage: str
) -> None:
    """N-03: by themselves, within five seconds, and N-01 holds then."""
    networks = await open_networks()
    attachment, place = await join(networks)
    place.serve(80)
    before = rules()
    sh("nft", damage)
    assert rules() != before
    await until(lambda: rules() == before)
    assert not near.reaches(attachment.ip_address, 80)
    assert here.reaches(attachment.ip_address, 80)


async def test_tables_of_others_are_untouched(open_networks: Open, join: Join, tmp_path: Path) -> None:
    """Through open, attach, repair, detach and a second start, to the counter."""
    (tmp_path / "foreign.nft").write_text(_FOREIGN)
    sh("nft", "-f", str(tmp_path / "foreign.nft"))
    sh("iptables-nft", "-A", "FORWARD", "-s", "192.0.2.9", "-j", "ACCEPT")
    sh("ip", "link", "add", "br-foreign", "type", "bridge")
    sh("ip", "link", "set", "br-foreign", "alias", "havre:looks like ours")
    sh("ip", "link", "add", "veth-foreign", "type", "veth", "peer", "name", "peer-foreign")
    sh("ip", "route", "add", "unreachable", "192.0.2.0/24", "table", "77")
    before = _foreign()
    networks = await open_networks()
    attachment, _ = await join(networks)
    ours = rules()
    sh("nft", "delete", "table", "inet", "havre")
    await until(lambda: rules() == ours)
    await networks.detach(attachment.sandbox_id)
    await networks.close()
    await open_networks()
    assert _foreign() == before


def _foreign() -> tuple[str, ...]:
    tables = (("inet", "foreign"), ("ip", "havre"), ("ip", "filter"))
    listed = (sh("nft", "list", "table", *table) for table in tables)
    links = (sh("ip", "-d", "link", "show", name) for name in ("br-foreign", "veth-foreign", "peer-foreign"))
    return (*listed, *links, sh("ip", "route", "show", "table", "77"))


@pytest.mark.parametrize(
    "damage",
    [
        ("ip", "link", "delete", "havre0"),
        ("ip", "link", "set", "havre0", "down"),
        ("ip", "address", "flush", "dev", "havre0"),
    ],
)
async def test_a_bridge_that_was_removed_comes_back_with_its_cables(
    open_networks: Open, join: Join, here: Place, near: Place, damage: tuple[str, ...]
) -> None:
    networks = await open_networks()
    first, one = await join(networks)
    _, two = await join(networks)
    one.serve(80)
    near.serve(82)
    assert two.reaches(first.ip_address, 80)
    before = here.addresses()
    sh(*damage)
    await until(lambda: here.addresses() == before and _ports() == 2)
    assert two.reaches(first.ip_address, 80)
    assert here.reaches(first.ip_address, 80)
    assert two.reaches("198.51.100.2", 82)
    sh(*damage)  # the new one is watched as well
    await until(lambda: here.addresses() == before and _ports() == 2)


def _ports() -> int:
    return sum("state forwarding" in line for line in sh("bridge", "link").splitlines())


async def test_a_bridge_that_another_store_has_left_is_used_again(
    open_networks: Open, here: Place, tmp_path: Path
) -> None:
    first = await open_networks()
    await first.close()
    (tmp_path / "data").rename(tmp_path / "gone")
    index = _index_of("havre0")
    second = await open_networks()
    await second.close()  # what was to be removed is by then
    assert _index_of("havre0") == index


def _index_of(link: str) -> str:
    return sh("ip", "-o", "link", "show", "dev", link).partition(":")[0]


async def test_a_restart_finds_what_lives_and_forgets_the_rest(
    open_networks: Open, join: Join, here: Place, tmp_path: Path
) -> None:
    first = await open_networks()
    lives, place = await join(first)
    before = traces(tmp_path / "run")
    over = await first.attach(new_id())
    place.serve(80)
    await first.close()
    assert here.reaches(lives.ip_address, 80), "a stopped daemon cuts nobody off"
    second = Networks(tmp_path / "data", tmp_path / "run", Settings())
    await second.open()
    assert {each.sandbox_id for each in second.attachments()} == {lives.sandbox_id, over.sandbox_id}
    other = await second.attach(new_id())
    assert other.ip_address not in {lives.ip_address, over.ip_address}, "not reconciled yet: nothing is free yet"
    await second.detach(other.sandbox_id)
    found = await second.reconcile({lives.sandbox_id})
    assert (found.forgotten, found.repaired, found.lost) == ((over.sandbox_id,), (), ())
    assert here.reaches(lives.ip_address, 80)
    await until(lambda: traces(tmp_path / "run") == before)
    await second.close()


async def test_a_cable_that_was_cut_is_laid_anew(open_networks: Open, join: Join, here: Place) -> None:
    networks = await open_networks()
    attachment, place = await join(networks)
    gone, there = await join(networks)
    there.close()
    place.serve(80)
    for each in (attachment, gone):
        sh("ip", "link", "delete", each.endpoints[0].host_link)
    unpin_netns(Path(gone.netns_path))
    found = await networks.reconcile({attachment.sandbox_id, gone.sandbox_id})
    assert (found.forgotten, found.repaired, found.lost) == ((), (attachment.sandbox_id,), (gone.sandbox_id,))
    assert place.addresses()["eth0"] == [f"{attachment.ip_address}/16"]
    assert here.reaches(attachment.ip_address, 80)
    there.fd = os.dup(place.fd)  # for the fixture to close


_STEPS = [
    "networks.media.Media.add",
    "networks.store.Store.save_network",
    "networks.store.Store.save_attachment",
    "networks.sandboxes.WarmPool.take",
    "networks.cabling.pin_netns",
    "networks.firewall.Firewall.guard",
    "networks.bridge.Bridge.lay",
    "networks.inside.dress",
    "networks.inside.address",
    "networks.inside.lead",
    "networks.firewall.Firewall.forward",
    "networks.inside.place",
    "networks.inside.turn",
    "networks.inside.remove",
    "networks.bridge.Bridge.silence",
    "networks.firewall.Firewall.unguard",
    "networks.firewall.Firewall.unforward",
    "networks.store.Store.forget_attachment",
    "networks.sandboxes.Undertaker.bury",
    "networks.store.Store.forget_network",
    "networks.firewall.Firewall.assert_all",
    "networks.media.Media.drop",
]

_CRASH = """
import asyncio, importlib, os, signal, sys
from pathlib import Path
from havre.base.ids import new_id
from havre.networks.creation import NetworkWish
from havre.networks.model import Join, PortWish, Settings, Wishes
from havre.networks.networks import Networks

step, when, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
holder, name = ("havre." + step).rsplit(".", 1)
module, _, member = holder.rpartition(".")
target = getattr(importlib.import_module(module), member, None) or importlib.import_module(holder)
real = getattr(target, name)

def deadly(*given, **named):
    if when == "after":
        real(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    networks = Networks(folder / "data", folder / "run", Settings())
    await networks.open()
    await networks.reconcile(())
    setattr(target, name, deadly)
    mine = await networks.create(NetworkWish("mine", ipv6=True))
    port = PortWish(("0.0.0.0",), 8080, 8080, "tcp", 80)
    wishes = Wishes((Join("mine", names=("web",)),), ports=(port,))
    await networks.attach(sandbox := new_id(), wishes)
    await networks.connect(sandbox, Wishes((Join("bridge"),), ports=(port,)))
    await networks.disconnect(sandbox, mine.id, Wishes(ports=(port,)))
    await networks.detach(sandbox)
    await networks.remove(mine)

asyncio.run(main())
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", _STEPS)
async def test_a_kill_at_any_step_leaves_nothing_after_the_next_start(
    open_networks: Open, tmp_path: Path, step: str, when: str
) -> None:
    sysctl("ipv6/conf/all/forwarding", "1")
    first = await open_networks()
    clean = traces(tmp_path / "run")
    await first.close()
    _run_and_die(step, when, tmp_path)
    second = await open_networks()
    assert second.attachments() == ()
    for network in second.list():
        if network.name == "mine":  # made, and not removed yet: it is whole
            again = await second.attach(new_id(), wish("mine"))
            assert again.ip_address == "172.18.0.2"
            await second.detach(again.sandbox_id)
            await second.remove(network)
    await until(lambda: traces(tmp_path / "run") == clean)
    attachment: Attachment = await second.attach(new_id(), wish())
    assert attachment.ip_address == "172.17.0.2"


def _run_and_die(step: str, when: str, folder: Path) -> None:
    whole = [sys.executable, "-c", _CRASH, step, when, str(folder)]
    environment = {**os.environ, "PYTHONPATH": "src"}
    done = subprocess.run(whole, check=False, capture_output=True, text=True, timeout=30, env=environment)
    assert done.returncode == -9, done.stderr
