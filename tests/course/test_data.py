"""The course's chapter on data that stay: layers, volumes, folders of the host; its examples 3 bis and 6 to 9."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.course.desk import Desk

pytestmark = pytest.mark.root


def test_example_3_bis_a_file_goes_with_its_container(desk: Desk) -> None:
    root = desk.engine.data_root / "overlay2"
    desk.type("docker container run --name shell centos bash -c 'touch test.txt'")
    assert desk.type(f"cd {root}; find -name test.txt").endswith("/diff/test.txt")
    assert desk.type("docker rm shell") == "shell"
    found = f'cd {root}; until test -z "$(find -name test.txt 2>/dev/null)"; do sleep 0.02; done'
    desk.type(found)  # what is removed goes behind the answer


def test_example_6_volumes_of_the_image(desk: Desk) -> None:
    desk.type("docker container run -d --name db mongo:4.0")
    mounts = json.loads(desk.type("docker container inspect db"))[0]["Mounts"]
    assert {mount["Destination"] for mount in mounts} == {"/data/configdb", "/data/db"}
    assert {(mount["Type"], mount["Driver"], mount["RW"]) for mount in mounts} == {("volume", "local", True)}
    source = next(mount["Source"] for mount in mounts if mount["Destination"] == "/data/db")
    desk.type(f"until test -e {source}/WiredTiger; do sleep 0.02; done")
    assert desk.type("docker rm -f db") == "db"
    assert desk.type(f"ls {source}").split() == ["WiredTiger", "mongod.lock"]


def test_example_7_a_volume_with_a_name(desk: Desk) -> None:
    assert desk.type("docker volume create mongo") == "mongo"
    desk.type("docker container run -d --name db -v mongo:/data/db mongo:4.0")
    folder = desk.engine.data_root / "volumes/mongo/_data"
    desk.type(f"until test -e {folder}/WiredTiger; do sleep 0.02; done")
    assert desk.type("docker container rm -f db") == "db"
    assert desk.type(f"ls {folder}").split() == ["WiredTiger", "mongod.lock"]
    assert desk.type("docker volume rm mongo") == "mongo"
    assert not folder.exists()


def test_example_8_a_folder_of_the_host(desk: Desk) -> None:
    html = desk.folder / "html"
    desk.type(f"docker container run -d -p 8081:80 --name web -v {html}:/usr/local/apache2/htdocs httpd")
    assert html.is_dir()
    (html / "index.html").write_text("<html><H1>Ma page web</H1>construite sur l'hote local</html>")
    assert "construite sur l'hote local" in desk.page("http://localhost:8081")
    desk.type("docker rm -f web")
    assert (html / "index.html").exists()


def test_example_9_the_socket_inside(desk: Desk) -> None:
    """What Portainer does: it speaks to the engine from within a container."""
    mounts = f"-v {desk.engine.socket}:/var/run/docker.sock -v {shutil.which('docker')}:/bin/docker"
    shown = desk.type(f"docker container run --name inside {mounts} alpine docker ps --format '{{{{ .Names }}}}'")
    assert shown == "inside"


def test_exercise_a_file_in_a_volume(desk: Desk) -> None:
    desk.type("docker container run -v /data alpine sh -c 'echo kept > /data/file'")
    source = desk.type("docker inspect --format '{{ (index .Mounts 0).Source }}' $(docker ps -aq)")
    desk.type("docker rm $(docker ps -aq)")
    assert desk.type(f"cat {source}/file") == "kept"
    desk.type(
        "docker volume create mine; docker container run --rm -v mine:/data alpine sh -c 'echo kept > /data/file'"
    )
    assert desk.type("docker container run --rm -v mine:/data alpine cat /data/file") == "kept"
