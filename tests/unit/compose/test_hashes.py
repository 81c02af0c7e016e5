"""Hashes of services, networks and volumes: Docker Compose's own, which its library computed of the golden files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from havre.compose.hashes import contents_mark, has_contents, is_made_of, resource_hash, service_hash
from havre.compose.load import Wishes, load
from havre.compose.model.project import Project
from tests.unit.compose.test_golden import ENVIRON, FOLDER

HASHES = FOLDER.parent / "compose_hashes"
OURS = json.loads((HASHES / "2.40.json").read_text())
LATER = json.loads((HASHES / "5.json").read_text())


def read(folder: Path, text: str) -> Project:
    """The application of *text* as if it stood in `/project`."""
    file = folder / "compose.yaml"
    file.write_text(text)
    return load(Wishes(files=(str(file),), project_directory="/project"), ENVIRON).project


def golden(folder: Path, case: str) -> Project:
    return read(folder, (FOLDER / f"{case}.yaml").read_text().split("---\n")[0])


@pytest.mark.parametrize("case", sorted(OURS))
def test_hashes_are_composes(case: str, tmp_path: Path) -> None:
    project = golden(tmp_path, case)
    made = {f"services/{name}": service_hash(one) for name, one in project.services.items()}
    made |= {f"networks/{name}": resource_hash(one) for name, one in project.networks.items()}
    made |= {f"volumes/{name}": resource_hash(one) for name, one in project.volumes.items()}
    assert made == OURS[case]


@pytest.mark.parametrize("case", sorted(LATER))
def test_containers_of_later_releases_are_known(case: str, tmp_path: Path) -> None:
    service = golden(tmp_path, case).services["web"]
    (later,) = LATER[case].values()
    assert later != service_hash(service)
    assert is_made_of(service, {}, later)
    assert is_made_of(service, {}, service_hash(service))
    assert not is_made_of(replace(service, image="other"), {}, later)


def test_what_makes_no_other_container(tmp_path: Path) -> None:
    bare = read(tmp_path, "services: {web: {image: x}, db: {image: x}}").services["web"]
    more = """
services:
  web:
    {image: x, build: ., pull_policy: build, depends_on: [db], deploy: {replicas: 2}, profiles: [], x-more: 1}
  db: {image: x}
"""
    changed = read(tmp_path, more).services["web"]
    assert changed.deploy is not None
    assert service_hash(replace(changed, deploy=None)) == service_hash(bare)
    assert service_hash(changed) == service_hash(replace(changed, deploy=replace(changed.deploy, replicas=None)))


def test_containers_whose_namespaces_are_shared_are_meant(tmp_path: Path) -> None:
    text = """
services:
  web: {image: x, network_mode: "service:db", ipc: "service:db", pid: "service:db", volumes_from: ["db:ro"]}
  db: {image: x}
"""
    web = read(tmp_path, text).services["web"]
    held = "container:ID"
    joined = replace(web, network_mode=held, ipc=held, pid=held, volumes_from=("ID",))
    assert service_hash(web, {"db": "ID"}) == service_hash(joined)
    assert not is_made_of(web, {"db": "OTHER"}, service_hash(joined))


def test_contents_of_secrets_and_configs(tmp_path: Path) -> None:
    text = """
services:
  web: {image: x, secrets: [key], configs: [text]}
  db: {image: x}
secrets: {key: {environment: GIVEN}}
configs: {text: {content: one}}
"""
    project = read(tmp_path, text)
    found = contents_mark(project.services["web"], project)
    assert has_contents(project.services["web"], project, found)
    assert found != contents_mark(project.services["web"], project), "without a salt of its own it could be looked up"
    assert contents_mark(project.services["db"], project) == ""
    assert not has_contents(project.services["db"], project, found)
    for other in (text.replace("one", "two"), text.replace("GIVEN", "HOME")):
        changed = read(tmp_path, other)
        assert not has_contents(changed.services["web"], changed, found)
        assert service_hash(changed.services["web"]) == service_hash(project.services["web"])
