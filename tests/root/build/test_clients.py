"""Programs that were written for Docker build with Havre: docker without BuildKit, docker-py, docker-compose 1.29."""

from __future__ import annotations

import io
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.engines import Engine, Havre

pytestmark = pytest.mark.root

TEXT = 'FROM busybox\nARG WHO=world\nRUN echo hello $WHO\nCOPY a.txt /a\nCMD ["cat", "/a"]\n'


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(TEXT)
    (tmp_path / "a.txt").write_text("from a")
    return tmp_path


@pytest.fixture
def py(havre: Havre) -> Iterator[Any]:
    client = docker.DockerClient(base_url=f"unix://{havre.socket}")
    yield client
    client.close()


def test_docker_s_lines(havre: Havre, context: Path) -> None:
    (context / "Dockerfile").write_text(TEXT.replace("world", "lines"))
    done = havre.build("--no-cache", "-t", "lines", "-t", "lines:two", str(context), check=True)
    text = re.sub(r"[0-9a-f]{12}", "ID", done.stdout.decode())
    assert [line for line in text.splitlines() if line and "Sending build context" not in line] == [
        "Step 1/5 : FROM busybox",
        " ---> ID",
        "Step 2/5 : ARG WHO=lines",
        " ---> ID",
        "Step 3/5 : RUN echo hello $WHO",
        " ---> Running in ID",
        "hello lines",
        " ---> Removed intermediate container ID",
        " ---> ID",
        "Step 4/5 : COPY a.txt /a",
        " ---> ID",
        'Step 5/5 : CMD ["cat", "/a"]',
        " ---> ID",
        "Successfully built ID",
        "Successfully tagged lines:latest",
        "Successfully tagged lines:two",
    ]
    again = havre.build("-t", "lines", str(context), check=True).stdout.decode()
    assert again.count("---> Using cache") == 4
    assert "Running in" not in again
    assert havre.out("run", "--rm", "lines") == "from a"


def test_quiet_is_the_id_alone(havre: Havre, context: Path) -> None:
    done = havre.build("-q", "-t", "quiet", str(context), check=True)
    assert done.stdout.decode().strip() == havre.out("inspect", "-f", "{{.Id}}", "quiet")


def test_the_code_of_the_command_is_docker_s(havre: Havre) -> None:
    done = havre.build("-", stdin=b"FROM busybox\nRUN exit 42\n")
    assert done.returncode == 42
    assert b"The command '/bin/sh -c exit 42' returned a non-zero code: 42" in done.stderr


def test_what_stood_before_a_failure_can_be_looked_into(either: Engine) -> None:
    text = b"FROM busybox\nRUN echo before > /before\nENV A=1\nRUN echo broken > /before && false\n"
    done = either.build("-", stdin=text)
    assert done.returncode == 1
    (last,) = re.findall(r"^ ---> ([0-9a-f]{12})$", done.stdout.decode(), re.MULTILINE)[-1:]
    assert either.out("run", "--rm", "--network", "none", last, "sh", "-c", "cat /before; echo $A") == "before\n1"
    either.docker("rmi", "-f", last, check=True)


def test_arguments_that_nobody_wanted(havre: Havre) -> None:
    done = havre.build("--build-arg", "NOBODY=1", "-", stdin=b"FROM busybox\nRUN true\n", check=True)
    assert b"[Warning] One or more build-args [NOBODY] were not consumed" in done.stdout


def test_events(havre: Havre, context: Path) -> None:
    havre.build("-t", "told", str(context), check=True)
    soon = str(int(time.time()) + 1)  # docker cuts the fraction of a second
    events = havre.out("events", "--since", "60s", "--until", soon, "--format", "{{json .}}", "-f", "type=image")
    tagged = [json.loads(line) for line in events.splitlines() if '"tag"' in line]
    assert "told:latest" in [event["Actor"]["Attributes"]["name"] for event in tagged]


def test_docker_py(py: Any, context: Path) -> None:
    image, log = py.images.build(
        path=str(context),
        tag="py:1",
        buildargs={"WHO": "python"},
        labels={"by": "docker-py"},
        extra_hosts={"friend": "1.2.3.4"},
        shmsize=1 << 26,
        container_limits={"memory": 1 << 27},
        rm=True,
        forcerm=True,
    )
    lines = list(log)
    assert any("hello python" in line.get("stream", "") for line in lines)
    assert image.tags == ["py:1"]
    assert image.labels["by"] == "docker-py"
    assert py.containers.run("py:1", remove=True) == b"from a"


def test_docker_py_s_errors(py: Any) -> None:
    with pytest.raises(docker.errors.BuildError, match="non-zero code: 5"):
        py.images.build(fileobj=io.BytesIO(b"FROM busybox\nRUN exit 5\n"))
    with pytest.raises(docker.errors.APIError, match="unknown instruction: FROMM"):
        py.images.build(fileobj=io.BytesIO(b"FROMM busybox\n"))


def test_docker_compose(havre: Havre, context: Path) -> None:
    if subprocess.run(["which", "docker-compose"], check=False, capture_output=True).returncode:
        pytest.skip("docker-compose is not installed")
    (context / "docker-compose.yml").write_text(
        "version: '3'\nservices:\n  web:\n    build:\n      context: .\n      args:\n        WHO: compose\n"
        "    image: composed:1\n    network_mode: none\n"
    )
    environment = {**havre.environment(), "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}
    for words in (["build"], ["up", "--exit-code-from", "web"], ["down"]):
        done = subprocess.run(
            ["docker-compose", "-p", "hv", *words], cwd=context, env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
    assert havre.out("run", "--rm", "composed:1") == "from a"
