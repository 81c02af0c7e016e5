"""The plan of `up`, step by step."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from havre.compose.errors import ComposeError
from havre.compose.hashes import resource_hash, service_hash
from havre.compose.load import Wishes, load
from havre.compose.model.project import Project
from havre.compose.plan.steps import shown
from havre.compose.plan.up import ALWAYS, NEVER, UpOptions, in_order, plan_up
from havre.compose.present import Container, Present, Shared

TEXT = """
name: p
services:
  web:
    image: x
    depends_on:
      db: {condition: service_healthy}
      job: {condition: service_completed_successfully, required: false}
    networks: [front]
    volumes: [data:/d]
  db: {image: x, networks: [front]}
  job: {image: x, network_mode: none, depends_on: [db]}
networks: {front: null}
volumes: {data: null}
"""


def project(folder: Path, text: str = TEXT) -> Project:
    file = folder / "compose.yaml"
    file.write_text(text)
    return load(Wishes(files=(str(file),)), {}).project


def options(**changes: object) -> UpOptions:
    return replace(UpOptions({}), **changes)


def container(made: Project, service: str, number: int = 1, **changes: object) -> Container:
    one = made.services[service]
    networks = {made.networks[key].name: f"id-{key}" for key in one.networks}
    found = Container(
        f"{service}{number}".ljust(64, "0"), f"p-{service}-{number}", service, number, "running",
        config_hash=service_hash(one), networks=networks,
    )  # fmt: skip
    return replace(found, **changes)


def running(made: Project, *containers: Container) -> Present:
    held = containers or tuple(container(made, name) for name in made.services)
    networks = [Shared(one.name, f"id-{key}", resource_hash(one), key, "p") for key, one in made.networks.items()]
    volumes = [Shared(one.name, one.name, "", key, "p") for key, one in made.volumes.items()]
    return Present(held, {one.name: one for one in networks}, {one.name: one for one in volumes})


def plan(made: Project, present: Present, **changes: object) -> list[str]:
    return shown(plan_up(made, present, options(**changes))).splitlines()


def test_from_nothing(tmp_path: Path) -> None:
    assert plan(project(tmp_path), Present()) == [
        "create network front",
        "create volume data",
        "create db 1  after create network front",
        "create job 1",
        "create web 1  after create network front, create volume data",
        "start db 1  after create db 1",
        "start job 1  after create job 1, start db 1",
        "wait db healthy  after start db 1",
        "wait job completed_successfully  after start job 1",
        "start web 1  after create web 1, wait db healthy, wait job completed_successfully",
    ]


def test_with_nothing_changed_there_is_nothing_to_do(tmp_path: Path) -> None:
    made = project(tmp_path)
    assert plan(made, running(made)) == []


def test_only_what_changed_is_made_again(tmp_path: Path) -> None:
    made = project(tmp_path)
    changed = project(tmp_path, TEXT.replace("db: {image: x,", "db: {image: x, user: me,"))
    assert plan(changed, running(made)) == ["create db 1", "start db 1  after create db 1"]


def test_a_new_image_is_a_change(tmp_path: Path) -> None:
    made = project(tmp_path)
    held = [container(made, name, image_id="old") for name in made.services]
    assert plan(made, running(made, *held), images={"db": "new", "web": "old"})[0] == "create db 1"


def test_recreation_can_be_forced_and_forbidden(tmp_path: Path) -> None:
    made = project(tmp_path)
    changed = project(tmp_path, TEXT.replace("image: x", "image: y"))
    assert plan(changed, running(made), recreate=NEVER, recreate_dependencies=NEVER) == []
    forced = plan(made, running(made), recreate=ALWAYS, named=frozenset({"web"}))
    assert [line for line in forced if line.startswith("create")] == ["create web 1"]


def test_what_was_stopped_is_started(tmp_path: Path) -> None:
    made = project(tmp_path)
    held = [container(made, name, state="exited") for name in ("db", "web")]
    assert plan(made, running(made, *held), services=("db", "web")) == [
        "start db 1",
        "wait db healthy  after start db 1",
        "start web 1  after wait db healthy",
    ]
    assert plan(made, running(made, *held), services=("db", "web"), start=False) == []


def test_scale_up_and_down(tmp_path: Path) -> None:
    made = project(tmp_path)
    held = [container(made, "db", number) for number in (1, 2, 4)]
    more = plan(made, running(made, *held), services=("db",), scale={"db": 4})
    assert more == ["create db 5", "start db 5  after create db 5"]
    less = plan(made, running(made, *held), services=("db",), scale={"db": 1})
    assert [line.split("  ")[0] for line in less] == ["stop p-db-2", "remove p-db-2", "stop p-db-4", "remove p-db-4"]
    none = plan(made, running(made, *held), services=("db",), scale={"db": 0})
    assert len(none) == 6


def test_the_outdated_go_first_when_there_are_too_many(tmp_path: Path) -> None:
    made = project(tmp_path)
    held = [container(made, "db", 1, config_hash="other"), container(made, "db", 2)]
    assert plan(made, running(made, *held), services=("db",)) == ["stop p-db-1", "remove p-db-1  after stop p-db-1"]


def test_orphans(tmp_path: Path) -> None:
    made = project(tmp_path)
    orphan = replace(container(made, "db"), id="o", name="p-old-1", service="old", state="exited")
    held = [*(container(made, name) for name in made.services), orphan]
    assert plan(made, running(made, *held)) == []
    assert plan(made, running(made, *held), remove_orphans=True) == ["remove p-old-1"]


def test_dependants_that_ask_for_it_are_restarted(tmp_path: Path) -> None:
    text = """
name: p
services:
  web: {image: x, network_mode: none, depends_on: {db: {condition: service_started, restart: true}}}
  api: {image: x, network_mode: none, depends_on: [db]}
  db: {image: x, network_mode: none}
"""
    made = project(tmp_path, text)
    changed = project(tmp_path, text.replace("db: {image: x", "db: {image: y"))
    assert plan(changed, running(made)) == [
        "stop p-web-1",
        "create db 1  after stop p-web-1",
        "start db 1  after create db 1",
        "start web 1  after create db 1, start db 1, stop p-web-1",
    ]


def test_those_who_share_its_namespaces_are_made_again(tmp_path: Path) -> None:
    text = """
name: p
services:
  a: {image: x, network_mode: none}
  b: {image: x, network_mode: 'service:a'}
  c: {image: x, network_mode: none, volumes_from: [b]}
"""
    made = project(tmp_path, text)
    changed = project(tmp_path, text.replace("a: {image: x", "a: {image: y"))
    assert [line for line in plan(changed, running(made)) if line.startswith("create")] == [
        "create a 1  after stop p-b-1",
        "create b 1  after create a 1, stop p-c-1",
        "create c 1  after create b 1",
    ]


def test_a_changed_network_is_made_again_with_its_containers(tmp_path: Path) -> None:
    made = project(tmp_path)
    changed = project(tmp_path, TEXT.replace("networks: {front: null}", "networks: {front: {internal: true}}"))
    lines = plan(changed, running(made))
    assert lines[:4] == [
        "stop p-web-1",
        "stop p-db-1",
        "remove network p_front  after stop p-db-1, stop p-web-1",
        "create network front  after remove network p_front",
    ]
    assert "create web 1  after create network front" in lines


def test_a_replacement_that_was_cut_is_finished_or_undone(tmp_path: Path) -> None:
    made = project(tmp_path)
    interim = container(made, "db", id="n", name="0123456789ab_p-db-1", replaces="p-db-1", state="created")
    undone = plan(made, running(made, container(made, "db"), interim), services=("db",))
    assert undone == ["remove 0123456789ab_p-db-1"]
    finished = plan(made, running(made, interim), services=("db",))
    assert finished == ["rename 0123456789ab_p-db-1", "start db 1  after rename 0123456789ab_p-db-1"]


def test_external_things_must_be_there(tmp_path: Path) -> None:
    made = project(tmp_path, TEXT.replace("front: null", "front: {external: true}"))
    with pytest.raises(ComposeError, match="network front declared as external, but could not be found"):
        plan(made, Present())
    made = project(tmp_path, TEXT.replace("data: null", "data: {external: true}"))
    with pytest.raises(ComposeError, match="external volume 'data' not found"):
        plan(made, Present())


def test_a_network_of_another_application_is_used_as_it_is(tmp_path: Path) -> None:
    made = project(tmp_path, TEXT.replace("front: null", "front: {name: shared}"))
    present = Present((), {"shared": Shared("shared", "i", "h", "k", "other")})
    assert "create network front" not in plan(made, present)


def test_order(tmp_path: Path) -> None:
    made = project(tmp_path)
    assert [one.name for one in in_order(list(made.services.values()))] == ["db", "job", "web"]


def test_nothing_starts_before_ports_are_given_back(tmp_path: Path) -> None:
    made = project(tmp_path)
    held = [container(made, "db", 1), container(made, "db", 2), container(made, "job", 1, state="exited")]
    changed = project(tmp_path, TEXT.replace("db: {image: x,", "db: {image: y,"))
    lines = plan(changed, running(made, *held), services=("db", "job"))
    assert "start job 1  after create db 1, start db 1, stop p-db-2" in lines
