"""Containers on networks: connect, disconnect and links, on rooms that are played in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from havre.base.errors import Conflict, Forbidden, HavreError, InvalidInput, NotFound
from havre.engine.containers import Containers
from havre.engine.lives import Lives
from havre.engine.model import Record
from havre.engine.network_joins import agreed, join, leave
from havre.engine.network_wishes import dns_names, settled_endpoints, wanted_networks
from havre.engine.roster import Container
from havre.engine.settings import AddressWish, Config, EndpointWish, HostConfig
from havre.networks.model import Attachment, Endpoint, NoSuchNetwork
from havre.wire.containers import CreateContainer
from havre.wire.versions import NEWEST
from tests.fakes.rooms import Rooms, open_rooms


class Bench:
    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        self.things = Containers(rooms.parts)
        self.lives = Lives(rooms.parts)

    async def make(self, name: str, mode: str = "bridge", **more: object) -> Container:
        host = {"NetworkMode": mode, **cast("dict[str, object]", more.pop("host", {}))}
        wanted = cast("CreateContainer", {"Image": "busybox", "HostConfig": host, **more})
        made = await self.things.create(wanted, name, None)
        return self.rooms.parts.roster.get(made.get("Id") or "")

    async def started(self, name: str, mode: str = "bridge", **more: object) -> Container:
        container = await self.make(name, mode, **more)
        await self.lives.start(container.id)
        return container

    async def networks(self, container: Container, version: tuple[int, int] = NEWEST) -> dict[str, Any]:
        shown = await self.things.inspect(container.id, False, version)
        return cast("dict[str, Any]", (shown.get("NetworkSettings") or {}).get("Networks"))

    def file(self, container: Container, name: str) -> str:
        return (self.rooms.folders.container(container.id) / name).read_text()

    def told(self) -> list[tuple[str, str]]:
        kept = self.rooms.parts.events.kept()
        return [
            (str(one.get("Action")), str(((one.get("Actor") or {}).get("Attributes") or {}).get("name")))
            for one in kept
            if one.get("Type") == "network"
        ]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.53\nsearch example.org\n")
    async with open_rooms(tmp_path) as rooms:
        yield Bench(rooms)


async def test_connect_and_disconnect_while_it_runs(bench: Bench) -> None:
    container = await bench.started("web")
    mine = bench.rooms.networks.get("mine")
    assert bench.file(container, "resolv.conf").startswith("nameserver 192.0.2.53")
    await join(bench.rooms.parts, container, mine, EndpointWish(aliases=["al"]))
    shown = await bench.networks(container)
    assert list(shown) == ["bridge", "mine"]
    assert shown["mine"]["Aliases"] == ["al"]
    assert shown["mine"]["DNSNames"] == ["web", "al", container.id[:12]]
    assert bench.rooms.networks.attached[container.id].endpoints[1].names == ("web", "al", container.id[:12])
    assert bench.file(container, "resolv.conf") == "nameserver 127.0.0.11\nsearch example.org\noptions ndots:0\n"
    assert bench.file(container, "hosts").count(container.id[:12]) == 2
    await leave(bench.rooms.parts, container, mine)
    assert list(await bench.networks(container)) == ["bridge"]
    assert bench.file(container, "resolv.conf").startswith("nameserver 192.0.2.53")
    assert bench.file(container, "hosts").count(container.id[:12]) == 1
    assert bench.told() == [("connect", "bridge"), ("connect", "mine"), ("disconnect", "mine")]


async def test_old_clients_find_a_containers_own_names_among_its_aliases(bench: Bench) -> None:
    plain, named = await bench.make("web", "mine"), await bench.make("db", "mine", Hostname="base")
    assert (await bench.networks(plain, (1, 44)))["mine"]["Aliases"] == [plain.id[:12]]
    assert (await bench.networks(plain, (1, 45)))["mine"]["Aliases"] is None
    assert (await bench.networks(named, (1, 44)))["mine"]["Aliases"] == [named.id[:12], "base"]
    on_bridge = await bench.started("old")
    assert (await bench.networks(on_bridge, (1, 44)))["bridge"]["Aliases"] is None


async def test_what_a_container_wrote_itself_stays(bench: Bench) -> None:
    container = await bench.started("web")
    folder = bench.rooms.folders.container(container.id)
    (folder / "resolv.conf").write_text("nameserver 192.0.2.99\n")
    with (folder / "hosts").open("a") as hosts:
        hosts.write("192.0.2.7\tmine\n")
    await join(bench.rooms.parts, container, bench.rooms.networks.get("mine"), EndpointWish())
    assert bench.file(container, "resolv.conf") == "nameserver 192.0.2.99\n"
    assert "192.0.2.7\tmine\n" in bench.file(container, "hosts")


async def test_networks_of_a_container_that_does_not_run_wait_for_its_start(bench: Bench) -> None:
    container = await bench.make("web", "mine")
    await join(bench.rooms.parts, container, bench.rooms.networks.get("bridge"), EndpointWish())
    assert list(await bench.networks(container)) == ["bridge", "mine"]
    assert container.id not in bench.rooms.networks.attached
    await leave(bench.rooms.parts, container, bench.rooms.networks.get("mine"))
    await bench.lives.start(container.id)
    assert [each.network_name for each in bench.rooms.networks.attached[container.id].endpoints] == ["bridge"]


async def test_one_that_left_everything_starts_where_its_mode_says(bench: Bench) -> None:
    container = await bench.started("web", "mine")
    await leave(bench.rooms.parts, container, bench.rooms.networks.get("mine"))
    assert await bench.networks(container) == {}
    bench.rooms.runtime.shims[container.id].end(0)
    await container.settled.wait()
    await bench.lives.start(container.id)
    assert list(await bench.networks(container)) == ["mine"]


async def test_a_kernel_that_refuses_changes_nothing(bench: Bench) -> None:
    container = await bench.started("web")
    bench.rooms.networks.refuse = Conflict("no")
    with pytest.raises(Conflict, match="no"):
        await join(bench.rooms.parts, container, bench.rooms.networks.get("mine"), EndpointWish())
    assert list(await bench.networks(container)) == ["bridge"]


@pytest.mark.parametrize(
    ("mode", "network", "wish", "kind", "words"),
    [
        ("bridge", "host", EndpointWish(), InvalidInput, "connected to host network"),
        ("bridge", "none", EndpointWish(), InvalidInput, "private \\(none\\) mode"),
        ("none", "mine", EndpointWish(), InvalidInput, "private \\(none\\) mode"),
        ("host", "mine", EndpointWish(), InvalidInput, "cannot be connected to any other network"),
        ("bridge", "bridge", EndpointWish(), Forbidden, "endpoint with name web already exists"),
        ("mine", "bridge", EndpointWish(aliases=["x"]), InvalidInput, "network-scoped alias"),
        ("mine", "bridge", EndpointWish(ipam_config=AddressWish(ipv4_address="1.2.3.4")), InvalidInput, "user defined"),
    ],
)
async def test_refusals(
    bench: Bench, mode: str, network: str, wish: EndpointWish, kind: type[HavreError], words: str
) -> None:
    container = await bench.started("web", mode)
    with pytest.raises(kind, match=words):
        await join(bench.rooms.parts, container, bench.rooms.networks.get(network), wish)


async def test_what_it_is_not_on_it_cannot_leave(bench: Bench) -> None:
    container = await bench.started("web")
    with pytest.raises(Forbidden, match="is not connected to network mine"):
        await leave(bench.rooms.parts, container, bench.rooms.networks.get("mine"))
    host = await bench.started("other", "host")
    with pytest.raises(InvalidInput, match="disconnected from host network"):
        await leave(bench.rooms.parts, host, bench.rooms.networks.get("host"))


async def test_a_network_that_is_not_there_is_told_at_the_start(bench: Bench) -> None:
    container = await bench.make("web", "nosuch")
    with pytest.raises(NoSuchNetwork, match="network nosuch not found"):
        await bench.lives.start(container.id)


async def test_a_new_name_is_told_to_neighbours(bench: Bench) -> None:
    container = await bench.started("web", "mine")
    await bench.things.rename("web", "www")
    assert bench.rooms.networks.attached[container.id].endpoints[0].names == ("www", container.id[:12])


async def test_legacy_links(bench: Bench) -> None:
    other = await bench.started("db", Env=["A=b", "PATH=/x"], ExposedPorts={"5432/tcp": {}, "80/tcp": {}})
    await bench.things.rename("db", "db-2")
    web = await bench.started("web", host={"Links": ["db-2:pg-1"]})
    env = bench.rooms.runtime.shims[web.id].bundle.spec.process.env  # type: ignore[union-attr]
    assert [entry for entry in env or () if entry.startswith("PG_1_")] == [
        "PG_1_PORT=tcp://172.17.0.2:80",
        "PG_1_PORT_80_TCP=tcp://172.17.0.2:80",
        "PG_1_PORT_80_TCP_ADDR=172.17.0.2",
        "PG_1_PORT_80_TCP_PORT=80",
        "PG_1_PORT_80_TCP_PROTO=tcp",
        "PG_1_PORT_5432_TCP=tcp://172.17.0.2:5432",
        "PG_1_PORT_5432_TCP_ADDR=172.17.0.2",
        "PG_1_PORT_5432_TCP_PORT=5432",
        "PG_1_PORT_5432_TCP_PROTO=tcp",
        "PG_1_NAME=/web/pg-1",
        "PG_1_ENV_A=b",
    ]
    assert f"172.17.0.2\tpg-1 {other.id[:12]} db-2\n" in bench.file(web, "hosts")
    shown = await bench.things.inspect("web", False)
    assert (shown.get("HostConfig") or {}).get("Links") == ["/db-2:/web/pg-1"]
    await bench.things.remove("web/pg-1", force=False, volumes=False, link=True)
    with pytest.raises(NotFound, match="No such link"):
        await bench.things.remove("web/pg-1", force=False, volumes=False, link=True)


async def test_links_that_cannot_be(bench: Bench) -> None:
    with pytest.raises(InvalidInput, match="could not get container for nosuch"):
        await bench.make("web", host={"Links": ["nosuch:x"]})
    await bench.make("db")
    await bench.started("elsewhere", "mine")
    for name, words in (("db", "Cannot link to a non running container: /db AS"), ("elsewhere", "default network")):
        web = await bench.make(f"web-{name}", host={"Links": [f"{name}:x"]})
        with pytest.raises(HavreError, match=words):
            await bench.lives.start(web.id)


def record(**fields: Any) -> Record:
    host = HostConfig(network_mode=fields.pop("mode", "bridge"))
    plain = Record(id="f" * 64, name="web", created_ns=1, image_id="", chain="", config=Config(), host=host)
    return replace(plain, **fields)


@pytest.mark.parametrize(
    ("mode", "given", "settled"),
    [
        ("", [], ["bridge"]),
        ("default", ["default"], ["bridge"]),
        ("mine", [], ["mine"]),
        ("id of mine", ["id of mine"], ["mine"]),
        ("id of mine", ["other"], ["other"]),
        ("container:x", [], []),
        ("nosuch", ["nosuch", "mine"], ["nosuch", "mine"]),
    ],
)
def test_endpoints_are_settled_by_name(mode: str, given: list[str], settled: list[str]) -> None:
    made = settled_endpoints(mode, {name: EndpointWish() for name in given}, lambda ref: ref.removeprefix("id of "))
    assert list(made) == settled


def test_the_order_of_joining() -> None:
    endpoints = {"c": EndpointWish(), "a": EndpointWish(gw_priority=1), "bridge": EndpointWish(gw_priority=-5)}
    assert list(wanted_networks(record(endpoints=endpoints, mode="c"))) == ["bridge", "a", "c"]
    assert wanted_networks(record(config=Config(mac_address="02::"), mode="c"))["c"].mac_address == "02::"
    assert list(wanted_networks(record(config=Config(network_disabled=True)))) == ["none"]


def test_names_come_once() -> None:
    assert dns_names(record(config=Config(hostname="web")), EndpointWish(aliases=["a", "web"])) == (
        "web",
        "a",
        "f" * 12,
    )


def test_after_a_crash_the_kernel_is_right() -> None:
    there = Attachment("f" * 64, endpoints=(Endpoint("1", "bridge"), Endpoint("2", "mine")))
    lives = record(state="running", endpoints={"bridge": EndpointWish(gw_priority=1), "gone": EndpointWish()})
    merged = agreed(lives, there)
    assert merged.endpoints == {"bridge": EndpointWish(gw_priority=1), "mine": EndpointWish()}
    assert merged.attachment == there
    assert agreed(merged, there) is merged
    over = record(state="exited")
    assert agreed(over, None) is over
