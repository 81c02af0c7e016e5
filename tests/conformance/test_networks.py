"""Networks: the same requests and command lines to Havre and to the reference."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.engines import Engine, Havre, Reference

pytestmark = [pytest.mark.root, pytest.mark.reference]

_LEFT = re.compile(r"[0-9a-f]{12,64}|([0-9a-f]{2}:){5}[0-9a-f]{2}")
_SLEEP = ("sleep", "300")
_OWN = {"EnableIPv4", "Created", "Id", "DNSNames"}
"""What the reference, which is older, does not have, or what is drawn."""


def both(havre: Havre, reference: Reference, *words: str) -> tuple[int, str]:
    answers = []
    for engine in (havre, reference):
        done = engine.docker(*words)
        answers.append((done.returncode, _LEFT.sub("X", (done.stdout + done.stderr).decode())))
    assert answers[0] == answers[1]
    return answers[0]


@contextmanager
def made(engines: tuple[Engine, ...], *names: str) -> Iterator[None]:
    """Networks with these names, a word before a colon being an option of their making."""
    try:
        for engine in engines:
            for name in names:
                *options, plain = name.split(" ")
                engine.docker("network", "create", *options, plain, check=True)
        yield
    finally:
        for engine in engines:
            for container in engine.out("ps", "-aq", "--filter", "name=^/?conf-").split():
                engine.docker("rm", "-f", container, check=True)
            engine.docker("network", "rm", *(name.split(" ")[-1] for name in names))


def shown(engine: Engine, name: str) -> dict[str, object]:
    document = engine.api().get(f"/networks/{name}").json
    return {key: value for key, value in document.items() if key not in _OWN}


def endpoints(engine: Engine, container: str) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(
        engine.out("inspect", "-f", "{{json .NetworkSettings.Networks}}", container)
    )
    drawn = {"NetworkID", "EndpointID", "MacAddress", "DNSNames", "Aliases"}
    return {
        name: {key: bool(value) if key in drawn - {"DNSNames", "Aliases"} else value for key, value in each.items()
               if key not in {"DNSNames", "Aliases"}}
        for name, each in found.items()
    }  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--subnet", "10.81.0.0/16"),
        ("--subnet", "10.81.0.0/16", "--gateway", "10.81.0.9", "--ip-range", "10.81.3.0/24"),
        ("--subnet", "10.81.0.0/16", "--aux-address", "a=10.81.0.5", "--aux-address", "b=10.81.0.6"),
        ("--internal", "--attachable", "--label", "k=v", "-o", "com.docker.network.driver.mtu=1400"),
        ("--ipv6", "--subnet", "fd00:81::/64"),
    ],
)
def test_what_a_network_shows(havre: Havre, reference: Reference, options: tuple[str, ...]) -> None:
    engines = (havre, reference)
    with made(engines, " ".join([*options, "conf"])):
        first, second = (shown(engine, "conf") for engine in engines)
        for document in (first, second):  # which of the pools is free is each host's own
            for pool in document["IPAM"]["Config"] if "--subnet" not in options or "--ipv6" in options else ():  # type: ignore[index]
                for key in ("Subnet", "Gateway"):
                    if str(pool.get(key, "")).startswith(("172.", "192.168.")):
                        pool[key] = "drawn"
        assert first == second


@pytest.mark.parametrize(
    "words",
    [
        ("network", "rm", "bridge"),
        ("network", "rm", "nosuch"),
        ("network", "inspect", "nosuch"),
        ("network", "create", "bridge"),
        ("network", "create", "host"),
        ("network", "create", "held"),
        ("network", "create", "-d", "host", "x"),
        ("network", "create", "-d", "null", "x"),
        ("network", "create", "-o", "com.docker.network.driver.mtu=x", "x"),
        ("network", "create", "-o", "com.docker.network.bridge.enable_icc=x", "x"),
        ("network", "create", "--subnet", "10.6.0.0/16", "--gateway", "10.7.0.1", "x"),
        ("network", "connect", "nosuch", "held-c"),
        ("network", "connect", "held", "nosuch"),
        ("network", "connect", "held", "held-c"),
        ("network", "connect", "host", "held-c"),
        ("network", "connect", "none", "held-c"),
        ("network", "connect", "--alias", "x", "bridge", "held-c"),
        ("network", "connect", "--ip", "1.2.3.4", "bridge", "held-c"),
        ("network", "connect", "held", "held-h"),
        ("network", "disconnect", "host", "held-h"),
        ("network", "disconnect", "held2", "held-c"),
        ("network", "disconnect", "-f", "held", "nosuch"),
        ("network", "rm", "held"),
        ("network", "prune", "-f", "--filter", "zz=x"),
        ("network", "ls", "--filter", "type=zz"),
        ("create", "--network-alias", "x", "busybox", "true"),
        ("create", "--link", "nosuch:x", "busybox", "true"),
        ("create", "--network", "host", "--link", "held-c:x", "busybox", "true"),
        ("run", "--rm", "--network", "nosuch", "busybox", "true"),
    ],
)
def test_refusals(refusing: tuple[Havre, Reference], words: tuple[str, ...]) -> None:
    assert both(*refusing, *words)[0] != 0


@pytest.fixture(scope="module")
def refusing(havre: Havre, reference: Reference) -> Iterator[tuple[Havre, Reference]]:
    engines = (havre, reference)
    with made(engines, "held", "held2"):
        for engine in engines:
            engine.out("run", "-d", "--name", "held-c", "--network", "held", "busybox", *_SLEEP)
            engine.out("run", "-d", "--name", "held-h", "--network", "host", "busybox", *_SLEEP)
            engine.out("create", "--name", "held-2", "--network", "held2", "busybox", *_SLEEP)
        yield engines
        for engine in engines:
            engine.docker("rm", "-f", "held-c", "held-h", "held-2", check=True)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/networks/create", {"Name": "bridge"}),
        ("POST", "/networks/create", {"Name": "x", "Driver": "zz"}),
        ("DELETE", "/networks/bridge", None),
        ("DELETE", "/networks/nosuch", None),
        ("GET", "/networks/nosuch", None),
        ("POST", "/networks/nosuch/connect", {"Container": "x"}),
        ("POST", "/networks/bridge/connect", {"Container": "nosuch"}),
        ("POST", "/networks/bridge/disconnect", {"Container": "nosuch"}),
        ("POST", "/networks/prune", None),
    ],
)
def test_statuses(havre: Havre, reference: Reference, method: str, path: str, body: object) -> None:
    first, second = (engine.api().call(method, path, body).status for engine in (havre, reference))
    assert first == second


def test_containers_on_networks(havre: Havre, reference: Reference) -> None:
    engines = (havre, reference)
    with made(engines, "--subnet 10.82.0.0/16 conf-a", "--subnet 10.83.0.0/16 conf-b"):
        for engine in engines:
            run = ("run", "-d", "--name", "conf-c", "--network", "conf-a", "--ip", "10.82.0.50")
            engine.out(*run, "--network-alias", "al", "busybox", *_SLEEP)
            engine.out("network", "connect", "--alias", "x", "conf-b", "conf-c")
        assert endpoints(havre, "conf-c") == endpoints(reference, "conf-c")
        both(havre, reference, "exec", "conf-c", "cat", "/etc/resolv.conf")
        both(havre, reference, "exec", "conf-c", "sh", "-c", "ip route | grep default")
        both(havre, reference, "exec", "conf-c", "sh", "-c", "tail -2 /etc/hosts")
        for engine in engines:
            engine.out("network", "disconnect", "conf-a", "conf-c")
        assert endpoints(havre, "conf-c") == endpoints(reference, "conf-c")
        both(havre, reference, "exec", "conf-c", "sh", "-c", "ip route | grep default")
        for engine in engines:
            engine.out("stop", "-t", "0", "conf-c")
            engine.out("network", "connect", "--ip", "10.82.0.60", "conf-a", "conf-c")
            engine.out("start", "conf-c")
        assert endpoints(havre, "conf-c") == endpoints(reference, "conf-c")


def test_names(havre: Havre, reference: Reference) -> None:
    engines = (havre, reference)
    with made(engines, "--subnet 10.84.0.0/16 conf-n"):
        for engine in engines:
            for name in ("one", "two"):
                run = ("run", "-d", "--name", f"conf-{name}", "--network", "conf-n", "--network-alias", "both")
                engine.out(*run, "--link", "conf-one:first", "busybox", *_SLEEP) if name == "two" else engine.out(
                    *run, "busybox", *_SLEEP
                )
        ping = ("exec", "conf-two", "ping", "-c1", "-W2")
        for name in ("conf-one", "conf-one.conf-n", "first", "both"):
            for engine in engines:
                engine.out(*ping, name)
        for engine in engines:
            engine.out("rename", "conf-one", "conf-uno")
            engine.out(*ping, "conf-uno")
            assert engine.docker(*ping, "conf-one").returncode != 0
            address = engine.out(
                "inspect", "-f", '{{(index .NetworkSettings.Networks "conf-n").IPAddress}}', "conf-uno"
            )
            assert "conf-uno.conf-n" in engine.out("exec", "conf-two", "nslookup", address)


def test_legacy_links(havre: Havre, reference: Reference) -> None:
    engines = (havre, reference)
    with made(engines):
        for engine in engines:
            engine.out("run", "-d", "--name", "conf-db", "-e", "A=b", "--expose", "5432", "busybox", *_SLEEP)
            engine.out("run", "-d", "--name", "conf-web", "--link", "conf-db:db", "busybox", *_SLEEP)
        both(havre, reference, "inspect", "-f", "{{json .HostConfig.Links}}", "conf-web")
        both(havre, reference, "exec", "conf-web", "sh", "-c", "env | grep ^DB_ | sort")
        both(havre, reference, "exec", "conf-web", "sh", "-c", "grep -w db /etc/hosts")
        both(havre, reference, "exec", "conf-web", "ping", "-c1", "-q", "-W2", "nosuch")
        for engine in engines:
            engine.out("exec", "conf-web", "ping", "-c1", "-W2", "db")


def test_events(havre: Havre, reference: Reference) -> None:
    """What is told, in the order in which it is told; the reference tells each disconnect twice."""
    told = []
    for engine in (havre, reference):
        start = engine.api().get("/info").json["SystemTime"]
        with made((engine,), "conf-e"):
            engine.out("run", "-d", "--name", "conf-ev", "busybox", *_SLEEP)
            engine.out("network", "connect", "conf-e", "conf-ev")
            engine.out("network", "disconnect", "conf-e", "conf-ev")
        end = engine.api().get("/info").json["SystemTime"]
        text = engine.out(
            *("events", "--since", start, "--until", end, "--filter", "type=network"),
            *("--format", '{{.Action}} {{index .Actor.Attributes "name"}} {{index .Actor.Attributes "type"}}'),
        )
        lines = text.splitlines()
        told.append([line for at, line in enumerate(lines) if at == 0 or line != lines[at - 1]])
    assert told[0] == told[1]


def test_pruning(havre: Havre, reference: Reference) -> None:
    engines = (havre, reference)
    with made(engines, "--label mine=1 conf-p", "--label mine=1 --label keep=1 conf-q", "--label mine=1 conf-r"):
        for engine in engines:
            engine.out("run", "-d", "--name", "conf-c", "--network", "conf-r", "busybox", *_SLEEP)
        both(havre, reference, "network", "prune", "-f", "--filter", "label!=keep", "--filter", "label=mine")
        row = "{{.Name}} {{.Driver}} {{.Scope}} {{.Internal}}"
        both(havre, reference, "network", "ls", "--filter", "label=mine", "--format", row)
        both(havre, reference, "network", "prune", "-f", "--filter", "label=mine")
        both(havre, reference, "network", "ls", "--filter", "label=mine", "--format", row)


def test_many_networks_at_once(havre: Havre) -> None:
    with made((havre,), "--subnet 10.85.0.0/16 conf-a", "conf-b"):
        run = ("run", "-d", "--name", "conf-c", "--network", "name=conf-a,alias=al,ip=10.85.0.77,gw-priority=7")
        havre.out(*run, "--network", "conf-b", "busybox", *_SLEEP)
        assert "default via 10.85.0.1 dev eth0" in havre.out("exec", "conf-c", "ip", "route")
        havre.out("run", "--rm", "--network", "conf-a", "busybox", "ping", "-c1", "-W2", "al")
        document = havre.api("1.50").get("/networks/conf-a").json
        (entry,) = document["Containers"].values()
        assert (entry["Name"], entry["IPv4Address"]) == ("conf-c", "10.85.0.77/16")
