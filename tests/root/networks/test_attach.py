"""What a sandbox gets, and what is left when it goes."""

from __future__ import annotations

import asyncio
import json
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from havre.base.errors import InvalidInput
from havre.base.ids import is_id, new_id
from havre.networks.model import AlreadyAttached, NoSuchNetwork, Settings, Wishes
from havre.networks.networks import Networks
from tests.root.networks.conftest import Join, Open
from tests.root.networks.world import Place, rules, sh, sysctl, traces, until, wish

pytestmark = pytest.mark.root


async def test_a_sandbox_on_the_bridge(open_networks: Open, join: Join) -> None:
    networks = await open_networks()
    attachment, place = await join(networks)
    assert (attachment.ip_address, attachment.endpoints[0].ip_prefix_len, attachment.endpoints[0].gateway) == (
        "172.17.0.2",
        16,
        "172.17.0.1",
    )
    assert attachment.endpoints[0].network_id == networks.get("bridge").id
    assert is_id(attachment.endpoints[0].endpoint_id)
    assert is_id(attachment.namespace_id)
    assert place.addresses() == {"lo": ["127.0.0.1/8", "::1/128"], "eth0": ["172.17.0.2/16"]}
    link = next(each for each in json.loads(place.sh("ip", "-j", "link")) if each["ifname"] == "eth0")
    assert link["address"] == attachment.endpoints[0].mac_address
    assert link["mtu"] == 1500
    assert "UP" in link["flags"]
    assert "default via 172.17.0.1 dev eth0" in place.sh("ip", "route")
    assert networks.attachments(attachment.endpoints[0].network_id) == (attachment,)
    assert networks.find_attachment(attachment.sandbox_id) == attachment


async def test_the_link_carries_our_mark(open_networks: Open, join: Join, here: Place) -> None:
    networks = await open_networks()
    attachment, _ = await join(networks)
    link = json.loads(sh("ip", "-j", "-d", "link", "show", attachment.endpoints[0].host_link))[0]
    assert link["ifalias"] == f"havre:{attachment.sandbox_id}"
    assert link["master"] == "havre0"
    assert here.addresses()[attachment.endpoints[0].host_link] == []
    assert here.addresses()["havre0"] == ["172.17.0.1/16"]


async def test_sandboxes_host_and_world_talk(open_networks: Open, join: Join, here: Place, near: Place) -> None:
    networks = await open_networks()
    first, one = await join(networks)
    _, two = await join(networks)
    one.serve(80)
    here.serve(81)
    server = near.serve(82)
    assert two.reaches(first.ip_address, 80)
    assert here.reaches(first.ip_address, 80)
    assert one.reaches("172.17.0.1", 81)
    assert here.reaches("172.17.0.1", 81)
    assert two.reaches("198.51.100.2", 82)
    connection, sender = server.accept()
    connection.close()
    assert sender[0] == "198.51.100.1", "masqueraded"


async def test_none_has_a_loopback_and_host_has_no_namespace(open_networks: Open, join: Join) -> None:
    networks = await open_networks()
    attachment, place = await join(networks, wish("none"))
    assert place.addresses() == {"lo": ["127.0.0.1/8", "::1/128"]}
    assert attachment.endpoints[0].host_link == attachment.ip_address == ""
    host = await networks.attach(new_id(), wish("host"))
    assert host.netns_path == ""
    assert (host.endpoints[0].network_id, is_id(host.endpoints[0].endpoint_id)) == (networks.get("host").id, True)
    shared = await networks.attach(new_id(), Wishes(shared=attachment.netns_path))
    assert (shared.netns_path, shared.endpoints) == (attachment.netns_path, ())
    for name in ("none", "host"):
        with pytest.raises(InvalidInput, match="conflicting"):
            await networks.attach(new_id(), wish(name, mac_address="02:42:ac:11:00:09"))


async def test_wishes_are_granted(open_networks: Open, join: Join) -> None:
    networks = await open_networks(Settings(mtu=1400))
    wishes = wish(mac_address="02:42:AC:11:00:09", ip_address="172.17.3.4")
    attachment, place = await join(networks, wishes)
    assert (attachment.endpoints[0].mac_address, attachment.ip_address) == ("02:42:ac:11:00:09", "172.17.3.4")
    link = next(each for each in json.loads(place.sh("ip", "-j", "link")) if each["ifname"] == "eth0")
    assert (link["address"], link["mtu"]) == ("02:42:ac:11:00:09", 1400)


@pytest.mark.parametrize(
    "wishes",
    [
        wish(mac_address="zz"),
        wish(mac_address="01:00:00:00:00:01"),
        wish(ip_address="::1"),
        wish(ip_address="x"),
    ],
)
async def test_wishes_that_cannot_be_are_refused(open_networks: Open, tmp_path: Path, wishes: Wishes) -> None:
    networks = await open_networks()
    before = traces(tmp_path / "run")
    with pytest.raises(InvalidInput):
        await networks.attach(new_id(), wishes)
    assert traces(tmp_path / "run") == before
    assert networks.attachments() == ()


async def test_a_sandbox_is_attached_once(open_networks: Open) -> None:
    networks = await open_networks()
    await networks.attach(name := new_id())
    with pytest.raises(AlreadyAttached):
        await networks.attach(name)
    await networks.detach(name)
    again = await networks.attach(name)  # at once, while the kernel still takes the old link down
    assert again.ip_address == "172.17.0.2"


async def test_many_at_once_have_different_addresses(open_networks: Open) -> None:
    networks = await open_networks()
    got = await asyncio.gather(*(networks.attach(new_id()) for _ in range(20)))
    assert len({each.ip_address for each in got}) == len({each.endpoints[0].mac_address for each in got}) == 20
    await asyncio.gather(*(networks.detach(each.sandbox_id) for each in got))
    assert networks.attachments() == ()


async def test_detach_leaves_nothing_and_may_be_repeated(open_networks: Open, tmp_path: Path) -> None:
    networks = await open_networks()
    before = traces(tmp_path / "run")
    for wishes in (wish(), wish("none"), wish("host"), wish(any_source=True)):
        await networks.attach(name := new_id(), wishes)
        await networks.detach(name)
        await networks.detach(name)
    await until(lambda: traces(tmp_path / "run") == before)


async def test_an_attachment_that_nobody_waits_for_is_taken_back(open_networks: Open, tmp_path: Path) -> None:
    networks = await open_networks()
    before = traces(tmp_path / "run")
    for turns in range(3):
        task = asyncio.get_running_loop().create_task(networks.attach(new_id()))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: networks.attachments() == () and traces(tmp_path / "run") == before)


async def test_a_neighbour_finds_the_new_owner_of_an_address_at_once(
    open_networks: Open, join: Join, here: Place
) -> None:
    networks = await open_networks()
    _, neighbour = await join(networks)
    for mac in ("", "02:00:00:00:00:09", "", "02:00:00:00:00:0a"):
        attachment, place = await join(networks, wish(ip_address="172.17.0.9", mac_address=mac))
        place.serve(80)
        assert neighbour.reaches("172.17.0.9", 80)
        assert here.reaches("172.17.0.9", 80)
        await networks.detach(attachment.sandbox_id)


async def test_nobody_is_told_of_an_address_that_is_known_already(open_networks: Open, join: Join) -> None:
    """A frame for all wakes every neighbour: that a sandbox comes must cost the same with hundreds of them."""
    networks = await open_networks()
    _, neighbour = await join(networks)
    for wishes, told in ((wish(), 0), (wish(mac_address="02:00:00:00:00:09"), 1)):
        before = _frames(neighbour)
        attachment, _ = await join(networks, wishes)
        await until(lambda before=before, told=told: _frames(neighbour) == before + told)  # type: ignore[misc]
        await networks.detach(attachment.sandbox_id)


def _frames(place: Place) -> int:
    return int(json.loads(place.sh("ip", "-s", "-j", "link", "show", "eth0"))[0]["stats64"]["rx"]["packets"])


async def test_networks_are_found_by_name_id_and_prefix(open_networks: Open) -> None:
    networks = await open_networks()
    assert [network.name for network in networks.list()] == ["bridge", "host", "none"]
    bridge = networks.get("bridge")
    assert networks.get(bridge.id) == networks.get(bridge.id[:20]) == bridge
    for unknown in ("", "nosuch", "f" * 64):
        with pytest.raises((NoSuchNetwork, InvalidInput)):
            networks.get(unknown)
    with pytest.raises(NoSuchNetwork, match="network nosuch not found"):
        await networks.attach(new_id(), wish("nosuch"))


async def test_ids_are_made_once(open_networks: Open) -> None:
    first = await open_networks()
    ids = [network.id for network in first.list()]
    await first.close()
    assert [network.id for network in (await open_networks()).list()] == ids


async def test_a_pool_that_the_host_uses_is_passed_over(open_networks: Open, here: Place, near: Place) -> None:
    sh("ip", "route", "add", "172.16.0.0/15", "via", "198.51.100.2")
    sh("ip", "route", "add", "0.0.0.0/1", "via", "198.51.100.2")
    networks = await open_networks()
    assert networks.get("bridge").subnet == "172.18.0.0/16"
    assert here.addresses()["havre0"] == ["172.18.0.1/16"]


async def test_the_bridge_as_told(open_networks: Open, join: Join, here: Place) -> None:
    settings = Settings(
        bridge_name="br.7", bridge_interface=IPv4Interface("10.9.0.5/24"), fixed_cidr=IPv4Network("10.9.0.64/29")
    )
    networks = await open_networks(settings)
    attachment, place = await join(networks)
    assert (attachment.ip_address, attachment.endpoints[0].gateway) == ("10.9.0.64", "10.9.0.5")
    assert here.addresses()["br.7"] == ["10.9.0.5/24"]
    here.serve(81)
    assert place.reaches("10.9.0.5", 81)
    await networks.close()
    moved = await open_networks(Settings(bridge_name="br.7", bridge_interface=IPv4Interface("10.10.0.1/24")))
    assert here.addresses()["br.7"] == ["10.10.0.1/24"]
    assert moved.get("bridge").subnet == "10.10.0.0/24"


async def test_forwarding_is_switched_on(open_networks: Open) -> None:
    sysctl("ipv4/ip_forward", "0")  # a fresh namespace has what the machine has
    networks = await open_networks(Settings(ip_forward=False))
    assert sysctl("ipv4/ip_forward") == "0"
    await networks.close()
    await open_networks()
    assert sysctl("ipv4/ip_forward") == "1"


async def test_without_the_firewall_no_rule_is_written(
    open_networks: Open, join: Join, here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("havre.kernel.nft._LIBRARY", "libnftables-nosuch.so")
    networks = await open_networks(Settings(firewall=False))
    attachment, place = await join(networks)
    place.serve(80)
    assert here.reaches(attachment.ip_address, 80)
    await networks.detach(attachment.sandbox_id)
    assert rules() == ""


async def test_a_link_of_another_kind_with_the_bridges_name_is_left_alone(tmp_path: Path) -> None:
    sh("ip", "link", "add", "havre0", "type", "ifb")
    before = sh("ip", "-d", "link", "show", "havre0")
    networks = Networks(tmp_path / "data", tmp_path / "run", Settings())
    with pytest.raises(Exception, match="havre0 as a bridge"):
        await networks.open()
    await networks.close()
    assert sh("ip", "-d", "link", "show", "havre0") == before
