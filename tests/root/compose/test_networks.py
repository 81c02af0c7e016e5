"""Networks of applications: names, aliases, scale, ports, and what happens when they change."""

from __future__ import annotations

import pytest

from tests.root.compose.conftest import App

pytestmark = [pytest.mark.root, pytest.mark.reference]

APP = """
x-small: &small {image: busybox, command: sleep 1000, stop_grace_period: 0s}
services:
  web: {<<: *small, networks: {front: null, back: {aliases: [site]}}}
  db: {<<: *small, networks: [back]}
  lone: {<<: *small, networks: [front]}
networks:
  front: null
  back: {internal: '${INTERNAL:-false}'}
"""


def reaches(app: App, service: str, name: str) -> bool:
    return app.compose("exec", "-T", service, "ping", "-c1", "-W2", name, check=False).returncode == 0


def addresses(app: App, service: str, name: str) -> set[str]:
    said = app.compose("exec", "-T", service, "nslookup", f"{name}.", check=False).stdout.decode()
    answer = said.partition("Name:")[2]
    return {line.split()[-1] for line in answer.splitlines() if line.startswith("Address") and ":53" not in line}


def test_services_find_each_other_on_shared_networks_only(app: App) -> None:
    app.write(APP)
    app.compose("up", "-d")
    assert reaches(app, "db", "web")
    assert reaches(app, "db", "site")
    assert reaches(app, "web", f"{app.name}-db-1")
    assert reaches(app, "lone", "web")
    assert not reaches(app, "lone", "db")
    assert not reaches(app, "lone", "site")


def test_one_name_for_all_containers_of_a_service(app: App) -> None:
    app.write(APP)
    app.compose("up", "-d", "--scale", "db=3")
    assert len(addresses(app, "web", "db")) == 3
    app.compose("scale", "db=2")
    assert len(addresses(app, "web", "db")) == 2


def test_a_changed_network_is_made_again_with_its_containers(app: App) -> None:
    app.write(APP)
    app.compose("up", "-d")
    first = app.ids()
    app.compose("up", "-d", INTERNAL="true")
    second = app.ids()
    assert {name for name in first if first[name] == second[name]} == {f"{app.name}-lone-1"}
    assert app.engine.out("network", "inspect", "-f", "{{.Internal}}", f"{app.name}_back") == "true"
    assert reaches(app, "web", "db")
    app.compose("up", "-d", INTERNAL="true")
    assert app.ids() == second


def test_ports(app: App) -> None:
    app.write("""
services:
  w:
    image: busybox
    command: sh -c "mkdir /www; echo page > /www/index.html; exec httpd -f -h /www"
    stop_grace_period: 0s
    ports: ["127.0.0.1:18080:80", "18100-18109:81"]
""")
    app.compose("up", "-d")
    assert app.out("port", "w", "80") == "127.0.0.1:18080"
    assert app.out("port", "w", "81").startswith("0.0.0.0:181")
    done = app.engine.host.run("busybox", "wget", "-qO-", "http://127.0.0.1:18080/")
    assert done.stdout == "page\n"


def test_external_networks_and_shared_namespaces(app: App) -> None:
    app.engine.out("network", "create", f"{app.name}-outside")
    try:
        app.write(f"""
services:
  a: {{image: busybox, command: sleep 1000, stop_grace_period: 0s, networks: [out]}}
  b: {{image: busybox, command: sleep 1000, stop_grace_period: 0s, network_mode: 'service:a'}}
networks: {{out: {{external: true, name: {app.name}-outside}}}}
""")
        app.compose("up", "-d")
        one, other = (app.out("exec", "-T", name, "ip", "-4", "addr", "show", "eth0") for name in ("a", "b"))
        assert one == other
        app.compose("down")
        assert app.engine.out("network", "ls", "-q", "--filter", f"name={app.name}-outside") != ""
    finally:
        app.compose("down")
        app.engine.out("network", "rm", f"{app.name}-outside")


def test_twenty_services_in_order_and_nothing_to_do_the_second_time(app: App) -> None:
    lines = ["services:"]
    for number in range(20):
        lines += [f"  s{number}:", "    image: busybox", "    command: sleep 1000", "    stop_grace_period: 0s"]
        lines += ['    healthcheck: {test: "true", interval: 200ms}']
        if number:
            before = (number - 1) // 2
            lines += [f"    depends_on: {{s{before}: {{condition: service_healthy}}}}"]
        if number == 1:
            lines += ['    environment: {V: "${V:-1}"}']
    app.write("\n".join(lines))
    said = app.compose("up", "-d").stderr.decode()
    for number in range(1, 20):
        assert said.index(f"s{(number - 1) // 2}-1  Healthy") < said.index(f"s{number}-1  Starting")
    first = app.ids()
    assert len(first) == 20
    assert app.compose("up", "-d").stderr == b""
    assert app.ids() == first
    app.compose("up", "-d", V="2")
    assert {name for name, one in app.ids().items() if first[name] != one} == {f"{app.name}-s1-1"}
