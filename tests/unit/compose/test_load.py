"""From wishes and an environment to an application: names, variables, profiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from havre.compose.errors import ComposeError, InvalidFile, NoFile
from havre.compose.load import Loaded, Wishes, load, named_project


def read(folder: Path, text: str, environ: dict[str, str] | None = None, **wishes: object) -> Loaded:
    file = folder / "compose.yaml"
    file.write_text(text)
    return load(Wishes(**{"files": (str(file),), **wishes}), environ or {})  # type: ignore[arg-type]


WEB = "services: {web: {image: x}}\n"


def test_the_name_of_the_project(tmp_path: Path) -> None:
    folder = tmp_path / "My App.1"
    folder.mkdir()
    assert read(folder, WEB).project.name == "myapp1"
    assert read(folder, "name: own\n" + WEB).project.name == "own"
    assert read(folder, "name: ${N}\n" + WEB, {"N": "var"}).project.name == "var"
    assert read(folder, "name: own\n" + WEB, {"COMPOSE_PROJECT_NAME": "env"}).project.name == "env"
    assert read(folder, "name: own\n" + WEB, {"COMPOSE_PROJECT_NAME": "e"}, project_name="flag").project.name == "flag"
    with pytest.raises(ComposeError, match="invalid project name"):
        read(folder, WEB, project_name="No")
    with pytest.raises(ComposeError, match=r"compose.yaml:1: invalid project name"):
        read(folder, "name: No\n" + WEB)
    assert named_project("", {"COMPOSE_PROJECT_NAME": "x"}, "/") == "x"
    with pytest.raises(ComposeError, match="must not be empty"):
        named_project("", {}, "/")


def test_variables_come_from_the_environment_before_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=file\nB=file\n")
    (tmp_path / "other.env").write_text("B=other\n")
    text = "services: {web: {image: '$A-$B-${COMPOSE_PROJECT_NAME}'}}\nname: n\n"
    assert read(tmp_path, text, {"A": "env"}).project.services["web"].image == "env-file-"
    given = read(tmp_path, text, {"A": "env"}, env_files=(str(tmp_path / "other.env"),), project_name="p")
    assert given.project.services["web"].image == "env-other-p"
    off = read(tmp_path, text, {"COMPOSE_DISABLE_ENV_FILE": "1"})
    assert off.project.services["web"].image == "--"
    assert off.project.warnings[0] == 'The "A" variable is not set. Defaulting to a blank string.'


def test_variables_of_containers(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("A=1\nB=1\nC\nR=${A}\n")
    (tmp_path / "two").write_text("B='2'\n")
    text = """
services:
  web:
    image: x
    env_file: [one, {path: two, format: raw}]
    environment: [A=own, D, E]
"""
    found = read(tmp_path, text, {"C": "c", "D": "d"}).project.services["web"].environment
    assert found == {"A": "own", "B": "'2'", "C": "c", "R": "1", "D": "d", "E": None}
    with pytest.raises(NoFile, match=r"env file .*missing not found"):
        read(tmp_path, "services: {web: {image: x, env_file: missing}}")


def test_profiles(tmp_path: Path) -> None:
    text = """
services:
  web: {image: x}
  debug: {image: x, profiles: [debug], depends_on: [web]}
  both: {image: x, profiles: [a, debug]}
"""
    assert set(read(tmp_path, text).project.services) == {"web"}
    assert set(read(tmp_path, text, profiles=("debug",)).project.services) == {"web", "debug", "both"}
    assert set(read(tmp_path, text, {"COMPOSE_PROFILES": "a,b"}).project.services) == {"web", "both"}
    assert set(read(tmp_path, text, profiles=("*",)).project.services) == {"web", "debug", "both"}
    assert "both" in read(tmp_path, text, services=("both",)).project.services
    needs = text + "  app: {image: x, depends_on: [both]}\n"
    with pytest.raises(InvalidFile, match="whose profiles are not active: activate one of a, debug"):
        read(tmp_path, needs)


def test_an_optional_dependency_may_be_off(tmp_path: Path) -> None:
    text = """
services:
  web: {image: x, depends_on: {off: {condition: service_started, required: false}}}
  off: {image: x, profiles: [p]}
"""
    assert read(tmp_path, text).project.services["web"].depends_on == {}


def test_places_and_obsolete_versions(tmp_path: Path) -> None:
    loaded = read(tmp_path, "version: '3'\nservices:\n  web:\n    image: x\n")
    assert loaded.project.places == {"web": f"{tmp_path}/compose.yaml:3"}
    assert "the attribute `version` is obsolete" in loaded.project.warnings[0]


def test_files_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(WEB)
    (tmp_path / "b.yaml").write_text("services: {web: {image: y}}")
    environ = {"COMPOSE_FILE": f"{tmp_path}/a.yaml;{tmp_path}/b.yaml", "COMPOSE_PATH_SEPARATOR": ";"}
    assert load(Wishes(), environ).project.services["web"].image == "y"


def test_an_application_without_services_is_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="no services are declared"):
        read(tmp_path, "name: x\n")


def test_names_of_what_is_made(tmp_path: Path) -> None:
    text = """
name: p
services:
  web: {image: x, networks: [own, default], volumes: ['v:/v', 'e:/e']}
networks: {own: null, unused: null}
volumes: {v: null, e: {external: true}}
"""
    project = read(tmp_path, text).project
    assert {key: one.name for key, one in project.networks.items()} == {
        "own": "p_own", "unused": "p_unused", "default": "p_default",
    }  # fmt: skip
    assert {key: one.name for key, one in project.volumes.items()} == {"v": "p_v", "e": "e"}


def test_a_file_of_variables_may_name_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.yaml").write_text(WEB)
    (tmp_path / ".env").write_text("COMPOSE_FILE=own.yaml\nCOMPOSE_PROJECT_NAME=named\n")
    monkeypatch.chdir(tmp_path)
    assert load(Wishes(), {}).project.name == "named"
