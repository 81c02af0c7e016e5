"""The course's chapter on containers, its examples 1 to 5 and its exercises, line by line."""

from __future__ import annotations

import json
import re

import pytest

from tests.course.desk import Desk
from tests.course.images import make
from tests.support.images import with_files

pytestmark = pytest.mark.root
LONG_ID = re.compile(r"[0-9a-f]{64}")
SHORT_ID = re.compile(r"[0-9a-f]{12}")


def test_example_1_hello_world(desk: Desk) -> None:
    shown = desk.type("docker container run hello-world")
    assert "Hello from Havre!" in shown
    (row,) = desk.rows("docker ps -a")
    assert row[1:3] == ["hello-world", '"/hello"']
    assert "Exited (0)" in row[4]


def test_example_2_a_command_in_the_foreground(desk: Desk) -> None:
    assert desk.type("docker container run centos echo hello world") == "hello world"


def test_example_3_a_terminal_inside(desk: Desk) -> None:
    with desk.on_terminal("docker container run -ti centos bash") as terminal:
        terminal.expect("# ")
        terminal.type("cat /etc/os-release\n")
        terminal.expect("CentOS Linux")
        terminal.type("ip addr\n")
        terminal.expect("inet 172.17.0.2/16")
        terminal.type("exit\n")
        assert terminal.wait() == 0
    assert "inet 172.17.0.1/16" in desk.type("ip addr")


def test_example_4_a_published_port(desk: Desk) -> None:
    container = desk.type("docker container run -d -p 8080:80 httpd")
    assert LONG_ID.fullmatch(container)
    assert "It works!" in desk.page("http://localhost:8080")
    refused = desk.type("docker container run -d -p 8080:80 httpd", code=125)
    assert "port is already allocated" in refused
    with desk.on_terminal(f"docker exec -ti {container[:12]} /bin/bash") as terminal:
        terminal.expect("# ")
        terminal.type('cd htdocs && echo "Ma page d\'accueil Apache" > index.html\n')
        terminal.expect("# ")
        terminal.type("exit\n")
        assert terminal.wait() == 0
    assert desk.page("http://localhost:8080") == "Ma page d'accueil Apache"


def test_example_4_bis_a_port_that_is_chosen(desk: Desk) -> None:
    desk.type("docker container run -d -P httpd")
    shown = re.search(r"0\.0\.0\.0:(\d+)->80/tcp", desk.type("docker ps"))
    assert shown
    low, high = map(int, desk.type("cat /proc/sys/net/ipv4/ip_local_port_range").split())
    assert low <= int(shown[1]) <= high
    assert "It works!" in desk.page(f"http://localhost:{shown[1]}")


def test_lists_of_images_and_containers(desk: Desk) -> None:
    container = desk.type("docker container run -d -p 8080:80 httpd")
    desk.type("docker container run centos echo hello world")
    assert desk.type("docker images").split()[:3] == ["REPOSITORY", "TAG", "IMAGE"]
    assert {"httpd", "centos"} <= {row[0] for row in desk.rows("docker images")}
    for line in ("docker ps", "docker container ls"):
        (row,) = desk.rows(line)
        assert row[0] == container[:12]
        assert "0.0.0.0:8080->80/tcp" in " ".join(row)
    for line in ("docker ps -l", "docker container ls -l"):
        assert "echo hello world" in desk.type(line)
    for line in ("docker ps -a", "docker container ls -a"):
        assert len(desk.rows(line)) == 2
    for line in ("docker ps -a -q", "docker container ls -a -q"):
        ids = desk.type(line).split()
        assert len(ids) == 2
        assert all(SHORT_ID.fullmatch(each) for each in ids)


def test_stop_kill_and_start(desk: Desk) -> None:
    container = desk.type("docker container run -d -p 8080:80 httpd")[:12]
    assert desk.type(f"docker stop -t 1 {container}") == container
    assert desk.rows("docker ps") == []
    assert desk.type(f"docker start {container}") == container
    assert "It works!" in desk.page("http://localhost:8080")
    assert desk.type(f"docker kill {container}") == container
    assert "Exited (137)" in desk.type("docker ps -a")


def test_create_and_start_later(desk: Desk) -> None:
    container = desk.type("docker container create -p 8080:80 httpd")
    assert "Created" in desk.type("docker ps -a")
    assert desk.type(f"docker container start {container[:12]}") == container[:12]
    assert "It works!" in desk.page("http://localhost:8080")


def test_example_5_rm(desk: Desk) -> None:
    desk.type("docker container run centos bash -c true")
    first = desk.type("docker ps -aq")
    with desk.on_terminal("docker container run -ti --rm centos bash") as terminal:
        terminal.expect("# ")
        terminal.type("exit\n")
        assert terminal.wait() == 0
    assert desk.type("docker ps -aq") == first
    assert desk.type(f"docker rm {first}") == first
    assert desk.type("docker ps -aq") == ""


def test_an_image_in_use_is_not_removed(desk: Desk) -> None:
    make(desk.engine, "mine", with_files({"mine": "mine"}), 'CMD ["true"]')
    container = desk.type("docker container create mine")
    refused = desk.type("docker rmi mine", code=1)
    assert 'conflict: unable to remove repository reference "mine" (must force)' in refused
    assert f"container {container[:12]} is using its referenced image" in refused
    assert desk.type("docker rm $(docker ps -aq)") == container[:12]
    shown = desk.type("docker rmi mine").splitlines()
    assert shown[0] == "Untagged: mine:latest"
    assert all(re.fullmatch(r"Deleted: sha256:[0-9a-f]{64}", line) for line in shown[1:])
    assert len(shown) == 3


def test_a_name_is_given_once(desk: Desk) -> None:
    with desk.on_terminal("docker container run -ti --name centos centos") as terminal:
        terminal.expect("# ")
        terminal.type("cat /etc/redhat-release\n")
        terminal.expect("CentOS Linux release 8.1.1911 (Core)")
        terminal.type("exit\n")
        assert terminal.wait() == 0
    refused = desk.type("docker container run --name centos centos", code=125)
    assert (
        'Error response from daemon: Conflict. The container name "/centos" is already in use by container' in refused
    )
    assert "You have to remove (or rename) that container to be able to reuse that name." in refused
    assert desk.type("docker rm centos") == "centos"


def test_prune(desk: Desk) -> None:
    container = desk.type("docker container create centos")
    shown = desk.type("docker system prune", stdin="y\n")
    assert "WARNING! This will remove:" in shown
    assert "- all stopped containers" in shown
    assert "Are you sure you want to continue? [y/N]" in shown
    assert f"Deleted Containers:\n{container}" in shown
    assert "Total reclaimed space: " in shown


def test_inspect(desk: Desk) -> None:
    container = desk.type("docker container run -d --name web httpd")
    (shown,) = json.loads(desk.type("docker inspect web"))
    assert (shown["Id"], shown["Path"], shown["Name"]) == (container, "httpd-foreground", "/web")
    assert (shown["State"]["Status"], shown["Driver"], shown["Platform"]) == ("running", "overlay2", "linux")
    assert shown["LogPath"].endswith(f"{container}-json.log")
    assert desk.type("docker inspect --format '{{ .NetworkSettings.IPAddress }}' web") == "172.17.0.2"


def test_logs(desk: Desk) -> None:
    desk.type("docker container run -d --name centos centos ping 127.0.0.1")
    with desk.on_terminal("docker container logs -f centos") as terminal:
        terminal.expect("PING 127.0.0.1")
        terminal.expect("seq=1")
        terminal.type("\x03")
        assert terminal.wait() != 0
    assert desk.rows("docker ps")


def test_exercise_a_shell_without_input_ends_at_once(desk: Desk) -> None:
    assert desk.type("docker container run alpine") == ""
    unknown = desk.type("docker container run alpine hello", code=127)
    assert 'exec: "hello": executable file not found in $PATH' in unknown
    with desk.on_terminal("docker container run -ti alpine") as terminal:
        terminal.expect("# ")
        terminal.type("ps\n")
        terminal.expect("/bin/sh")
        terminal.type("exit\n")
        assert terminal.wait() == 0


def test_exercise_control_c_ends_a_ping_on_a_terminal(desk: Desk) -> None:
    with desk.on_terminal("docker container run -ti alpine ping 127.0.0.1") as terminal:
        terminal.expect("seq=0")
        terminal.type("\x03")
        terminal.expect("packets transmitted")
        terminal.wait()
    assert desk.rows("docker ps") == []


def test_exercise_processes_have_numbers_of_their_own(desk: Desk) -> None:
    desk.type("docker container run -d --name ping alpine ping 127.0.0.1")
    assert desk.type("docker exec ping ps | grep ping").split()[0] == "1"
    outside = desk.type("docker inspect --format '{{ .State.Pid }}' ping")
    assert outside in desk.type("docker top ping").split()


def test_exercise_the_same_port_inside_twice(desk: Desk) -> None:
    desk.type("docker container run -d -p 8080:80 nginx")
    assert "port is already allocated" in desk.type("docker container run -d -p 8080:80 nginx", code=125)
    desk.type("docker container run -d -p 8081:80 nginx")
    assert "It works!" in desk.page("http://localhost:8081")


def test_exercise_all_of_them(desk: Desk) -> None:
    for _ in range(3):
        desk.type("docker container run -d alpine sleep 1000")
    assert len(desk.type("docker stop -t 0 $(docker ps -q)").split()) == 3
    assert desk.type("docker ps -q") == ""
    assert len(desk.type("docker rm $(docker ps -aq)").split()) == 3
    assert desk.type("docker ps -aq") == ""
