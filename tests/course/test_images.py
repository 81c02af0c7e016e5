"""The course's chapters on images: Dockerfiles line by line, commit, and the exercises."""

from __future__ import annotations

import json
import re

import pytest

from tests.course.desk import Desk

pytestmark = pytest.mark.root
SHORT = r"[0-9a-f]{12}"


def write(desk: Desk, name: str, text: str) -> None:
    path = desk.folder / "app" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def build(desk: Desk, dockerfile: str, flags: str = "-t app:1.0") -> str:
    write(desk, "Dockerfile", dockerfile)
    return desk.type(f"cd app && DOCKER_BUILDKIT=0 docker image build {flags} .")


def test_the_complete_example(desk: Desk) -> None:
    """A web server: base image, folder, dependencies, code, port, command. A shell stands in for node and npm."""
    write(desk, "package.json", '{"name": "docker_web_app"}\n')
    write(desk, "server.sh", "echo 'Hello World' > index.html\nexec httpd -f -p 8080\n")
    shown = build(
        desk,
        "FROM alpine\n\n# Create app directory\nWORKDIR /usr/src/app\n\n# Install app dependencies\n"
        "# A wildcard is used to ensure both are copied\nCOPY package*.json ./\n\nRUN cp package.json installed\n"
        '# Bundle app source\nCOPY . .\n\nEXPOSE 8080\nCMD [ "sh", "server.sh" ]\n',
    )
    steps = [
        "FROM alpine",
        "WORKDIR /usr/src/app",
        "COPY package*.json ./",
        "RUN cp package.json installed",
        "COPY . .",
        "EXPOSE 8080",
        'CMD [ "sh", "server.sh" ]',
    ]
    if desk.client == "docker":
        assert all(f"Step {number}/7 : {step}" in shown for number, step in enumerate(steps, 1))
        assert re.search(rf"Successfully built {SHORT}\nSuccessfully tagged app:1.0$", shown)
    else:
        assert all(f"[{number}/7] {step}" in shown for number, step in enumerate(steps, 1))
        assert shown.endswith("naming to app:1.0 done")
    desk.type("docker container run -p 8080:8080 -d app:1.0")
    assert desk.page("http://localhost:8080") == "Hello World"
    assert "8080/tcp" in json.loads(desk.type("docker inspect app:1.0"))[0]["Config"]["ExposedPorts"]
    again = desk.type("cd app && DOCKER_BUILDKIT=0 docker image build -t app:1.0 .")
    assert again.count(" ---> Using cache" if desk.client == "docker" else " CACHED") == 6


def test_env_in_the_instructions_behind_it(desk: Desk) -> None:
    write(desk, "file", "here")
    write(desk, "${foo}", "odd name")
    build(
        desk,
        "FROM alpine\nENV foo /bar\nWORKDIR ${foo}\nADD . $foo\nCOPY \\${foo} /quux\nCMD pwd; ls /bar; cat /quux\n",
    )
    assert desk.type("docker run --rm app:1.0").split("\n") == ["/bar", "${foo}", "Dockerfile", "file", "odd name"]


def test_run_in_both_forms(desk: Desk) -> None:
    shown = build(
        desk,
        'FROM centos\nRUN /bin/bash -c \'echo one; \\\necho $HOME\'\nRUN ["/bin/bash", "-c", "echo hello"]\n',
        flags="--no-cache -t app:1.0",
    )
    said = [line.rpartition(" ")[2] for line in shown.splitlines()]
    assert said.index("one") < said.index("/root") < said.index("hello")


def test_a_volume_of_the_image_has_its_files(desk: Desk) -> None:
    build(desk, 'FROM alpine\nRUN mkdir /myvol\nRUN echo "hello world" > /myvol/greeting\nVOLUME /myvol\n')
    assert desk.type("docker run --name one app:1.0 cat /myvol/greeting") == "hello world"
    source = desk.type("docker inspect --format '{{ (index .Mounts 0).Source }}' one")
    assert desk.type(f"cat {source}/greeting") == "hello world"


def test_the_user_may_be_another_one(desk: Desk) -> None:
    build(desk, "FROM alpine\nUSER alice\nRUN id -un > /tmp/built-by\nCMD id -un; cat /tmp/built-by\n")
    assert desk.type("docker run --rm app:1.0").split() == ["alice", "alice"]


def test_entrypoint_and_its_arguments(desk: Desk) -> None:
    build(desk, 'FROM alpine\nENTRYPOINT ["echo", "said:"]\nCMD ["nothing"]\n')
    assert desk.type("docker run --rm app:1.0") == "said: nothing"
    assert desk.type("docker run --rm app:1.0 hello") == "said: hello"


def test_health_turns(desk: Desk) -> None:
    probe = "--interval=50ms --timeout=3s --retries=1 CMD test -e /well || exit 1"
    build(desk, f"FROM alpine\nHEALTHCHECK {probe}\nCMD touch /well; exec sleep 1000\n")
    desk.type("docker run -d --name app app:1.0")
    wait = "until docker inspect -f '{{.State.Health.Status}}' app | grep -x %s; do sleep 0.05; done"
    assert desk.type(wait % "healthy") == "healthy"
    assert "(healthy)" in desk.type("docker ps")
    desk.type("docker exec app rm /well")
    assert desk.type(wait % "unhealthy") == "unhealthy"


def test_a_label_and_another_file(desk: Desk) -> None:
    write(desk, "other", "FROM alpine\nLABEL a=b\n")
    build(desk, "FROM nowhere\n", flags="-f other --label c=d -t me/app:2")
    assert json.loads(desk.type("docker inspect -f '{{ json .Config.Labels }}' me/app:2")) == {"a": "b", "c": "d"}


def test_exercise_commit(desk: Desk) -> None:
    """CTRL-P CTRL-Q leaves the shell, and what it did becomes an image."""
    with desk.on_terminal("docker container run -ti --name shell alpine") as terminal:
        terminal.expect("# ")
        terminal.type("echo tool > /bin/curl; echo done\n")
        terminal.expect("done")
        terminal.expect("# ")
        terminal.type("\x10\x11")
        assert terminal.wait() == 0
    assert "Up " in desk.type("docker ps")
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", desk.type("docker commit shell alpine-curl"))
    assert desk.type("docker run --rm alpine-curl cat /bin/curl") == "tool"


def test_exercise_ping_pong(desk: Desk) -> None:
    write(desk, "ping", "PONG\n")
    build(desk, "FROM alpine\nCOPY ping /www/ping\nEXPOSE 80\nCMD httpd -f -p 80 -h /www\n")
    desk.type("docker container run -d -p 80:80 app:1.0")
    assert desk.page("http://localhost/ping") == "PONG"
