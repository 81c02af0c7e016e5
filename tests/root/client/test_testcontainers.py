"""Testcontainers for Python as its users have it: a test's services come, are waited for, reached and gone."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.engines import Engine, run_client

# Its reaper is an image of a public registry, and the connection that it holds is no part of what is tried here.
PROGRAM = """
import os
os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"
from urllib.request import urlopen
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

serve = "echo ready; mkdir /www; echo served > /www/index.html; exec httpd -f -p 80 -h /www"
with Network() as network:
    web = DockerContainer("busybox").with_command(["sh", "-c", serve]).with_exposed_ports(80).with_env("A", "1")
    web.with_network(network).with_network_aliases("web").waiting_for(LogMessageWaitStrategy("ready"))
    with web:
        address = f"http://127.0.0.1:{web.get_exposed_port(80)}/"
        print(urlopen(address).read().decode().strip())
        print(web.exec(["sh", "-c", "echo $A; wget -qO- web"]).output.decode().split())
        print(web.get_logs()[0].decode().strip())
"""


def test_a_service_comes_and_goes(either: Engine, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    line = either.host.enter(sys.executable, str(program))
    done = run_client(line, either.environment(), check=True, stdin=None, timeout_s=60)
    assert done.stdout.decode().splitlines() == ["served", "['1', 'served']", "ready"]
    assert either.out("ps", "-aq") == ""
    assert either.out("network", "ls", "-q", "--filter", "type=custom") == ""
