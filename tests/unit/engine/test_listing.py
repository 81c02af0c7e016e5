from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from havre.base.errors import InvalidInput, NotFound
from havre.engine.containers import Containers
from havre.engine.lifecycle import State
from havre.engine.lives import Lives
from havre.engine.model import Record
from havre.engine.settings import Config, HostConfig
from havre.engine.status_text import duration_text, status_text
from havre.oci.image_config import ProcessConfig
from havre.wire.containers import CreateContainer
from tests.fakes.rooms import Rooms, make_image, open_rooms

SECOND = 1_000_000_000
BASE = make_image("base", ProcessConfig(cmd=["sh"]))
CHILD = make_image("child:2", ProcessConfig(cmd=["sh"]), parent=BASE.id)


class Bench:
    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        self.things = Containers(rooms.parts)
        self.lives = Lives(rooms.parts)

    async def make(self, name: str, image: str = "base", **more: object) -> str:
        wanted = cast("CreateContainer", {"Image": image, **more})
        return (await self.things.create(wanted, name, None)).get("Id") or ""

    async def names(
        self, filters: dict[str, set[str]] | None = None, *, every: bool = True, limit: int = 0
    ) -> list[str]:
        given = {field.replace("_", "-"): frozenset(values) for field, values in (filters or {}).items()}
        rows = json.loads(await self.things.list(all=every, limit=limit, size=False, filters=given))
        return [row["Names"][0][1:] for row in rows]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_rooms(tmp_path, BASE, CHILD) as rooms:
        made = Bench(rooms)
        await made.make("web", Labels={"a": "b", "c": ""}, ExposedPorts={"80/tcp": {}, "53/udp": {}})
        await made.make("db", "child:2", HostConfig={"NetworkMode": "none", "Binds": ["/srv:/data:ro"]})
        await made.make("ran")
        await made.lives.start("web")
        await made.lives.start("ran")
        await made.lives.kill("ran", "KILL")
        yield made


async def test_words_with_spaces_are_shown_in_quotes(bench: Bench) -> None:
    await bench.make("says", Cmd=["/the program", "echo a b", "c"])
    rows = json.loads(await bench.things.list(all=True, limit=0, size=False, filters={"name": frozenset({"says"})}))
    assert rows[0]["Command"] == "/the program 'echo a b' c"


async def test_a_row_has_dockers_fields(bench: Bench) -> None:
    rows = json.loads(await bench.things.list(all=True, limit=0, size=True, filters={"name": frozenset({"db"})}))
    (row,) = cast("list[dict[str, Any]]", rows)
    container = bench.rooms.parts.roster.get("db")
    endpoint = row["NetworkSettings"]["Networks"].pop("none")
    assert endpoint["IPAddress"] == ""
    assert row == {
        "Id": container.id,
        "Names": ["/db"],
        "Image": "child:2",
        "ImageID": CHILD.id,
        "Command": "sh",
        "Created": container.record.created_ns // SECOND,
        "Ports": [],
        "Labels": {},
        "State": "created",
        "Status": "Created",
        "SizeRw": 12,
        "SizeRootFs": 112,
        "HostConfig": {"NetworkMode": "none"},
        "NetworkSettings": {"Networks": {}},
        "Mounts": [
            {
                "Type": "bind",
                "Source": "/srv",
                "Destination": "/data",
                "Mode": "ro",
                "RW": False,
                "Propagation": "rprivate",
            }
        ],
    }


async def test_a_row_follows_its_container(bench: Bench) -> None:
    async def row() -> dict[str, Any]:
        rows = json.loads(
            await bench.things.list(all=True, limit=0, size=False, filters={"name": frozenset({"^/web$"})})
        )
        return cast("dict[str, Any]", rows[0])

    first = await row()
    assert (first["State"], first["Ports"]) == (
        "running",
        [{"PrivatePort": 53, "Type": "udp"}, {"PrivatePort": 80, "Type": "tcp"}],
    )
    await bench.lives.kill("web", "KILL")
    second = await row()
    assert second["State"] == "exited"
    assert second["Status"].startswith("Exited (137) ")
    assert second["Ports"] == []
    await bench.things.rename("web", "web2")
    assert (await bench.names({"name": {"web2"}})) == ["web2"]


async def test_an_image_that_lost_its_name_is_shown_by_id(bench: Bench) -> None:
    bench.rooms.images._images.pop(CHILD.id)
    rows = json.loads(await bench.things.list(all=True, limit=0, size=False, filters={"name": frozenset({"db"})}))
    assert rows[0]["Image"] == CHILD.id


async def test_order_and_limits(bench: Bench) -> None:
    assert await bench.names() == ["ran", "db", "web"]
    assert await bench.names(every=False) == ["web"]
    assert await bench.names(every=False, limit=2) == ["ran", "db"]
    assert await bench.names(every=False, limit=-1) == ["web"]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"name": {"we"}}, ["web"]),
        ({"name": {"^/web$"}}, ["web"]),
        ({"name": {"^web$", "db"}}, ["db", "web"]),
        ({"name": {"w.b"}}, ["web"]),
        ({"name": {"(web|ran)$"}}, ["ran", "web"]),
        ({"label": {"a"}}, ["web"]),
        ({"label": {"a=b", "c"}}, ["web"]),
        ({"label": {"a=x"}}, []),
        ({"status": {"running"}}, ["web"]),
        ({"status": {"created", "exited"}}, ["ran", "db"]),
        ({"exited": {"137"}}, ["ran"]),
        ({"exited": {"0"}}, []),
        ({"ancestor": {"base"}}, ["ran", "db", "web"]),
        ({"ancestor": {"child:2"}}, ["db"]),
        ({"ancestor": {"child"}}, ["db"]),
        ({"ancestor": {"nosuch"}}, []),
        ({"ancestor": {CHILD.id}}, ["db"]),
        ({"before": {"db"}}, ["web"]),
        ({"since": {"db"}}, ["ran"]),
        ({"network": {"none"}}, ["db"]),
        ({"network": {"bridge"}}, ["ran", "web"]),
        ({"volume": {"/data"}}, ["db"]),
        ({"volume": {"/srv"}}, ["db"]),
        ({"expose": {"80"}}, ["web"]),
        ({"expose": {"50-60/udp"}}, ["web"]),
        ({"expose": {"50-60"}}, []),
        ({"publish": {"80"}}, []),
        ({"health": {"none"}}, ["ran", "db", "web"]),
        ({"health": {"healthy"}}, []),
        ({"is_task": {"true"}}, []),
        ({"is_task": {"false"}}, ["ran", "db", "web"]),
        ({"isolation": {"default"}}, ["ran", "db", "web"]),
        ({"name": {"web"}, "status": {"exited"}}, []),
        ({"name": set()}, ["ran", "db", "web"]),
    ],
)
async def test_filters(bench: Bench, filters: dict[str, set[str]], wanted: list[str]) -> None:
    assert await bench.names(filters) == wanted


async def test_a_status_asks_for_containers_that_do_not_run(bench: Bench) -> None:
    assert await bench.names({"status": {"exited"}}, every=False) == ["ran"]
    assert await bench.names({"exited": {"137"}}, every=False) == []  # as Docker: only with --all


async def test_finding_by_id(bench: Bench) -> None:
    identifier = bench.rooms.parts.roster.get("db").id
    assert await bench.names({"id": {identifier[:12]}}) == ["db"]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"zz": {"1"}}, "Invalid filter 'zz'"),
        ({"status": {"zz"}}, "Invalid filter 'status=zz'"),
        ({"exited": {"zz"}}, 'strconv.Atoi: parsing "zz": invalid syntax'),
        ({"health": {"zz"}}, "Unrecognised filter value for health: zz"),
        ({"is_task": {"zz"}}, "Invalid filter 'is-task=[zz]'"),
        ({"publish": {"zz"}}, "error while looking up for publish zz: invalid port"),
        ({"name": {"(a+)+$"}}, "pattern '(a+)+$' is too complicated"),
        ({"name": {"[a"}}, "pattern '[a' is no regular expression: unterminated character set at position 0"),
        ({"name": {".*.*.*.*"}}, "pattern '.*.*.*.*' is too complicated"),
    ],
)
async def test_bad_filters(bench: Bench, filters: dict[str, set[str]], message: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        await bench.names(filters)
    assert str(wrong.value) == message


async def test_a_reference_point_that_does_not_exist(bench: Bench) -> None:
    with pytest.raises(NotFound):
        await bench.names({"before": {"zz"}})


MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (-5, "Less than a second"),
        (0, "Less than a second"),
        (SECOND, "1 second"),
        (59 * SECOND, "59 seconds"),
        (MINUTE, "About a minute"),
        (119 * SECOND, "About a minute"),
        (2 * MINUTE, "2 minutes"),
        (59 * MINUTE, "59 minutes"),
        (HOUR, "About an hour"),
        (HOUR + 29 * MINUTE, "About an hour"),
        (HOUR + 30 * MINUTE, "2 hours"),
        (47 * HOUR, "47 hours"),
        (48 * HOUR, "2 days"),
        (13 * DAY, "13 days"),
        (14 * DAY, "2 weeks"),
        (59 * DAY, "8 weeks"),
        (60 * DAY, "2 months"),
        (729 * DAY, "24 months"),
        (730 * DAY, "2 years"),
        (1500 * DAY, "4 years"),
    ],
)
def test_durations(duration: int, text: str) -> None:
    assert duration_text(duration) == text


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (State.CREATED, "Created"),
        (State.RUNNING, "Up 5 minutes"),
        (State.PAUSED, "Up 5 minutes (Paused)"),
        (State.RESTARTING, "Restarting (3) 4 minutes ago"),
        (State.REMOVING, "Removal In Progress"),
        (State.EXITED, "Exited (3) 4 minutes ago"),
        (State.DEAD, "Dead"),
    ],
)
def test_status_texts(state: State, text: str) -> None:
    record = Record(
        id="i",
        name="n",
        created_ns=1,
        image_id="",
        chain="",
        config=Config(),
        host=HostConfig(),
        state=state,
        exit_code=3,
        started_ns=DAY,
        finished_ns=DAY + MINUTE,
    )
    assert status_text(record, DAY + 5 * MINUTE) == text
