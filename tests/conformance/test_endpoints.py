"""Each endpoint of the tags Container, Exec and System, asked in the same state of Havre and of the reference.

Compared are the status, the content type, the fields with their types, and the words of an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.engines import Engine, Havre, Reference
from tests.support.http import Answer

pytestmark = [pytest.mark.root, pytest.mark.reference]

SPEC = Path(__file__).parents[3] / "shared/spec/engine-api.json"
SCENE = ("runs", "ended", "made", "frozen")
EMPTY_TAR = b"\0" * 1024


class Case(NamedTuple):
    method: str
    path: str
    query: str = ""
    body: object = None
    status: int = 0
    """What is right where the reference of this version says something else; 0 is the same as the reference."""
    words: str = ""
    """Our words where they are those of version 28, which this reference has not yet."""


OF = "/containers/{id}"
STARTED_WITH_BODY = "starting container with non-empty request body was removed with version 1.24 of the api"
REFUSED = 'cannot remove container "/{}": container is {}: {}stop the container before removing or force remove'
NO_NUMBER = "invalid {}: 'bogus' is not a number"
NO_PROGRAM = (
    "failed to create task for container: failed to create shim task: oci runtime create failed: "
    'unable to start container process: exec: "/nosuch": stat /nosuch: no such file or directory'
)
BEFORE_NOSUCH = "%7B%22before%22%3A%5B%22nosuch%22%5D%7D"
ODD_WISHES: list[dict[str, Any]] = [
    {"HostConfig": {"NetworkMode": "container:nosuch"}},
    {"HostConfig": {"Mounts": [{"Type": "bogus", "Target": "/x"}]}},
    {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/nosuch/folder", "Target": "/x"}]}},
    {"HostConfig": {"Mounts": [{"Type": "volume", "Source": "v"}]}},
    {"HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}},
    {"HostConfig": {"RestartPolicy": {"Name": "always"}, "AutoRemove": True}},
    {"HostConfig": {"StorageOpt": {"size": "1G"}}},
    {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "bogus"}]}}},
    {"HostConfig": {"PortBindings": {"bogus": [{"HostPort": "80"}]}}},
    {"HostConfig": {"CgroupnsMode": "bogus"}},
    {"HostConfig": {"Runtime": "nosuch"}},
    {"HostConfig": {"NanoCpus": 64_000_000_000}},
    {"HostConfig": {"NanoCpus": 1, "CpuPeriod": 5}},
    {"HostConfig": {"CpusetCpus": "999"}},
    {"HostConfig": {"MemorySwap": 5, "Memory": 8 << 20}},
    {"HostConfig": {"MemorySwappiness": 200}},
    {"HostConfig": {"OomScoreAdj": 2000}},
    {"HostConfig": {"ShmSize": -1}},
    {"HostConfig": {"LogConfig": {"Type": "json-file", "Config": {"bogus": "1"}}}},
    {"HostConfig": {"Links": ["nosuch:x"]}},
    {"HostConfig": {"VolumesFrom": ["nosuch"]}},
    {"HostConfig": {"CapAdd": ["BOGUS"]}},
    {"HostConfig": {"ExtraHosts": ["bogus"]}},
    {"WorkingDir": "relative"},
    {"StopSignal": "BOGUS"},
    {"Hostname": "-bogus-"},
    {"Env": ["=x"]},
    {"ExposedPorts": {"bogus": {}}},
    {"MacAddress": "bogus"},
    {"Healthcheck": {"Test": ["BOGUS"], "Interval": -5}},
    {"Healthcheck": {"Test": ["CMD", "true"], "Interval": 5}},
    {"User": "nosuch"},
]
WISHES_REFUSED_SINCE: list[tuple[dict[str, Any], str]] = [
    ({"HostConfig": {"Binds": ["relative:path:ro:more"]}}, "invalid volume specification: 'relative:path:ro:more'"),
    ({"HostConfig": {"IpcMode": "bogus"}}, "invalid ipc mode: bogus"),
    ({"HostConfig": {"PidMode": "bogus"}}, "invalid pid mode: bogus"),
    ({"HostConfig": {"UTSMode": "bogus"}}, "invalid uts mode: bogus"),
    ({"HostConfig": {"SecurityOpt": ["bogus"]}}, 'invalid --security-opt 1: "bogus"'),
    (
        {"HostConfig": {"Sysctls": {"net.ipv4.ip_forward": "1"}, "NetworkMode": "host"}},
        'sysctl "net.ipv4.ip_forward" not allowed in host network namespace',
    ),
    ({"HostConfig": {"Dns": ["bogus"]}}, "bogus is not an ip address"),
    (
        {"HostConfig": {"Annotations": {"": "x"}}},
        "invalid annotations: the empty string is not permitted as an annotation key",
    ),
    ({"Volumes": {"relative": {}}}, "invalid mount path: 'relative' mount path must be absolute"),
]
"""What this version of the reference takes, or calls a fault of its own."""

CASES = [
    Case("GET", "/containers/json"),
    Case("GET", "/containers/json", "all=1&size=1"),
    Case("GET", "/containers/json", "filters=%7B%22status%22%3A%5B%22bogus%22%5D%7D", status=400),
    Case("POST", "/containers/create", "name=runs", {"Image": "busybox", "Cmd": ["true"]}),
    Case("POST", "/containers/create", "", {"Image": "nosuch:1", "Cmd": ["true"]}),
    Case("POST", "/containers/create", "name=a%20b", {"Image": "busybox", "Cmd": ["true"]}),
    Case("POST", "/containers/create", "", {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"Memory": 5}}),
    Case("GET", f"{OF}/json runs"),
    Case("GET", f"{OF}/json ended", "size=1"),
    Case("GET", f"{OF}/json nosuch"),
    Case("GET", f"{OF}/top runs"),
    Case("GET", f"{OF}/top runs", "ps_args=-eo%20pid,comm"),
    Case("GET", f"{OF}/top ended"),
    Case("GET", f"{OF}/logs ended", "stdout=1&stderr=1"),
    Case("GET", f"{OF}/logs ended", "stdout=1&tail=1&timestamps=1"),
    Case("GET", f"{OF}/logs ended"),
    Case("GET", f"{OF}/logs nosuch", "stdout=1"),
    Case("GET", f"{OF}/changes ended"),
    Case("GET", f"{OF}/changes nosuch"),
    Case("GET", f"{OF}/export made"),
    Case("GET", f"{OF}/export nosuch"),
    Case("GET", f"{OF}/stats runs", "stream=0"),
    Case("GET", f"{OF}/stats ended", "stream=0"),
    Case("GET", f"{OF}/stats nosuch", "stream=0"),
    Case("POST", f"{OF}/resize runs", "h=x&w=10", words="invalid resize height: 'x' is not a number"),
    Case("POST", f"{OF}/resize ended", "h=20&w=10"),
    Case("POST", f"{OF}/start runs"),
    Case("POST", f"{OF}/start frozen"),
    Case("POST", f"{OF}/start nosuch"),
    Case("POST", f"{OF}/start made", "", {"Binds": []}, words=STARTED_WITH_BODY),
    Case("POST", f"{OF}/stop ended"),
    Case("POST", f"{OF}/stop nosuch"),
    Case("POST", f"{OF}/restart nosuch"),
    Case("POST", f"{OF}/kill ended", "signal=TERM"),
    Case("POST", f"{OF}/kill runs", "signal=BOGUS"),
    Case("POST", f"{OF}/kill runs", "signal=CONT"),
    Case("POST", f"{OF}/update runs", "", {"CpuShares": 512}),
    Case("POST", f"{OF}/update runs", "", {"Memory": 1}),
    Case("POST", f"{OF}/update runs", "", {"RestartPolicy": {"Name": "bogus"}}),
    Case("POST", f"{OF}/update nosuch", "", {"CpuShares": 512}),
    Case("POST", f"{OF}/rename runs", "name=ended"),
    Case("POST", f"{OF}/rename runs", "name="),
    Case("POST", f"{OF}/rename nosuch", "name=x1"),
    Case("POST", f"{OF}/pause frozen"),
    Case("POST", f"{OF}/pause ended"),
    Case("POST", f"{OF}/unpause runs", status=409),
    Case("POST", f"{OF}/attach ended", "logs=1&stdout=1"),
    Case("POST", f"{OF}/attach frozen", "stream=1&stdout=1"),
    Case("POST", f"{OF}/attach nosuch", "stream=1"),
    Case("GET", f"{OF}/attach/ws nosuch", "stream=1"),
    Case("POST", f"{OF}/wait ended"),
    Case("POST", f"{OF}/wait nosuch"),
    Case("POST", f"{OF}/wait ended", "condition=bogus", status=400, words='invalid condition: "bogus"'),
    Case("DELETE", f"{OF} runs", words=REFUSED.format("runs", "running", "")),
    Case("DELETE", f"{OF} frozen", words=REFUSED.format("frozen", "paused", "unpause and then ")),
    Case("DELETE", f"{OF} nosuch"),
    Case("GET", f"{OF}/archive runs", "path=/etc/passwd"),
    Case("GET", f"{OF}/archive runs", "path=/nosuch"),
    Case("GET", f"{OF}/archive runs"),
    Case("HEAD", f"{OF}/archive runs", "path=/etc/passwd"),
    Case("HEAD", f"{OF}/archive runs", "path=/nosuch"),
    Case("PUT", f"{OF}/archive runs", "path=/tmp", EMPTY_TAR),
    Case("PUT", f"{OF}/archive runs", "path=/nosuch", EMPTY_TAR),
    Case("PUT", f"{OF}/archive runs", "path=/etc/passwd", EMPTY_TAR, status=400),
    Case("POST", "/containers/prune", "filters=%7B%22label%22%3A%5B%22none%22%5D%7D"),
    Case("POST", "/containers/prune", "filters=%7B%22bogus%22%3A%5B%22x%22%5D%7D"),
    Case("POST", f"{OF}/exec runs", "", {"Cmd": ["true"]}),
    Case("POST", f"{OF}/exec runs", "", {"Cmd": []}),
    Case("POST", f"{OF}/exec ended", "", {"Cmd": ["true"]}),
    Case("POST", f"{OF}/exec frozen", "", {"Cmd": ["true"]}),
    Case("POST", f"{OF}/exec nosuch", "", {"Cmd": ["true"]}),
    Case("POST", "/exec/{id}/start nosuch", "", {"Detach": True}),
    Case("POST", "/exec/{id}/start fresh", "", {"Detach": True}),
    Case("POST", "/exec/{id}/start done", "", {"Detach": True}),
    Case("POST", "/exec/{id}/resize nosuch", "h=1&w=1"),
    Case("POST", "/exec/{id}/resize done", "h=1&w=1", status=404, words="no such exec"),
    Case("GET", "/exec/{id}/json fresh"),
    Case("GET", "/exec/{id}/json done"),
    Case("GET", "/exec/{id}/json nosuch"),
    Case("GET", "/info"),
    Case("GET", "/version"),
    Case("GET", "/_ping"),
    Case("HEAD", "/_ping"),
    Case("GET", "/events", "since=1&until=2"),
    Case("GET", "/events", "since=0&until=1&filters=%7B%22type%22%3A%5B%22container%22%5D%7D"),
    Case(
        "GET",
        "/events",
        "filters=%7B%22bogus%22%3A%5B%22x%22%5D%7D&until=1",
        status=400,
        words="invalid filter 'bogus'",
    ),
    Case("GET", "/system/df"),
    *(Case("POST", "/containers/create", "", {"Image": "busybox", "Cmd": ["true"], **wish}) for wish in ODD_WISHES),
    *(
        Case("POST", "/containers/create", "", {"Image": "busybox", "Cmd": ["true"], **wish}, 400, words)
        for wish, words in WISHES_REFUSED_SINCE
    ),
    Case("POST", "/containers/create", "name=brandnew", {"Image": "busybox", "Cmd": ["true"]}),
    Case("POST", "/containers/create", "", b"{", 400, "invalid json: unexpected eof"),
    Case("POST", "/containers/create", "", None, 400, "invalid json: got eof while reading request body"),
    Case("POST", "/containers/create", "platform=bogus", {"Image": "busybox", "Cmd": ["true"]}),
    Case("POST", f"{OF}/start idle"),
    Case("POST", f"{OF}/start lost", words=NO_PROGRAM),
    Case("POST", f"{OF}/start apart"),
    Case("POST", f"{OF}/start idle", "detachKeys=bogus"),
    Case("POST", f"{OF}/stop spare", "t=0"),
    Case("POST", f"{OF}/stop spare", "t=bogus", status=400, words=NO_NUMBER.format("timeout")),
    Case("POST", f"{OF}/stop idle"),
    Case("POST", f"{OF}/restart spare", "t=0"),
    Case("POST", f"{OF}/restart idle"),
    Case("POST", f"{OF}/restart spare", "t=bogus", status=400, words=NO_NUMBER.format("timeout")),
    Case("POST", f"{OF}/kill spare"),
    Case("POST", f"{OF}/kill nosuch"),
    Case("POST", f"{OF}/kill idle"),
    Case("POST", f"{OF}/kill spare", "signal=65", status=400),
    Case("POST", f"{OF}/pause spare"),
    Case("POST", f"{OF}/pause nosuch"),
    Case("POST", f"{OF}/pause idle"),
    Case("POST", f"{OF}/unpause nosuch"),
    Case("POST", f"{OF}/unpause idle", status=409),
    Case("POST", f"{OF}/rename spare", "name=renamed"),
    Case("POST", f"{OF}/rename spare", "name=spare"),
    Case("POST", f"{OF}/rename spare", "name=a%20b"),
    Case("POST", f"{OF}/resize spare", "h=20&w=10"),
    Case("POST", f"{OF}/resize nosuch", "h=20&w=10"),
    Case("POST", f"{OF}/wait idle", "condition=not-running"),
    Case("POST", f"{OF}/attach idle"),
    Case("POST", f"{OF}/attach spare", "stream=1&stdout=1&detachKeys=bogus-keys"),
    Case("DELETE", f"{OF} idle"),
    Case("DELETE", f"{OF} spare", "force=1&v=1"),
    Case("DELETE", f"{OF} idle", "link=1", status=400),
    Case("GET", f"{OF}/top frozen"),
    Case("GET", f"{OF}/top nosuch"),
    Case("GET", f"{OF}/logs frozen", "stdout=1"),
    Case("GET", f"{OF}/logs ended", "stdout=1&since=bogus", status=400, words=NO_NUMBER.format("since")),
    Case("GET", f"{OF}/logs ended", "stdout=1&tail=bogus"),
    Case("GET", f"{OF}/changes runs"),
    Case("GET", f"{OF}/export ended"),
    Case("GET", f"{OF}/stats frozen", "stream=0"),
    Case("GET", f"{OF}/stats runs", "stream=0&one-shot=1"),
    Case("GET", f"{OF}/json frozen"),
    Case("GET", f"{OF}/json idle", "size=1"),
    Case("GET", "/containers/json", "limit=1"),
    Case("GET", "/containers/json", "all=1&before=nosuch"),
    Case("GET", "/containers/json", f"all=1&filters={BEFORE_NOSUCH}", status=404, words="no such container: nosuch"),
    Case("GET", "/containers/json", "all=1&filters=%7B%22exited%22%3A%5B%22bogus%22%5D%7D", status=400),
    Case("PUT", f"{OF}/archive closed", "path=/tmp", EMPTY_TAR, status=400),
    Case("PUT", f"{OF}/archive nosuch", "path=/", EMPTY_TAR),
    Case("PUT", f"{OF}/archive idle", "", EMPTY_TAR),
    Case("GET", f"{OF}/archive nosuch", "path=/"),
    Case("HEAD", f"{OF}/archive nosuch", "path=/"),
    Case("HEAD", f"{OF}/archive runs"),
    Case("POST", f"{OF}/exec runs", "", {"Cmd": ["true"], "User": "nosuch"}),
    Case("POST", f"{OF}/exec runs", "", {"Cmd": ["true"], "DetachKeys": "bogus-keys"}, status=400),
    Case("GET", "/events", "since=bogus", status=400, words=NO_NUMBER.format("since")),
    Case("GET", "/events", "until=bogus", status=400, words=NO_NUMBER.format("until")),
]
NOT_HERE = {
    ("POST", "/auth"),  # it asks a registry, of which these test hosts have none
}


@pytest.fixture(scope="module")
def scene(havre: Havre, reference: Reference) -> Iterator[dict[str, dict[str, str]]]:
    """The same containers and exec instances on both, by engine and name."""
    yield {engine.NAME: _set(engine) for engine in (havre, reference)}
    for engine in (havre, reference):
        engine.docker("rm", "-f", *SCENE, check=True)


def _set(engine: Engine) -> dict[str, str]:
    engine.docker("rm", "-f", *SCENE)
    for name in ("runs", "frozen"):
        engine.docker("run", "-d", "--name", name, "busybox", "sleep", "3000", check=True)
    engine.docker("run", "--name", "ended", "busybox", "sh", "-c", "echo said; echo x > /new; exit 3")
    engine.docker("create", "--name", "made", "busybox", "true", check=True)
    engine.docker("pause", "frozen", check=True)
    api = engine.api()
    names = {"nosuch": "nosuch"}
    for name in ("fresh", "done"):
        names[name] = api.post("/containers/runs/exec", {"Cmd": ["true"]}).json["Id"]
    api.post(f"/exec/{names['done']}/start", {"Detach": True})
    while api.get(f"/exec/{names['done']}/json").json["Running"]:
        pass
    return names


FRESH = {
    "idle": ["create", "--name", "idle", "busybox", "true"],
    "spare": ["run", "-d", "--name", "spare", "busybox", "sleep", "3000"],
    "closed": ["run", "-d", "--read-only", "--name", "closed", "busybox", "sleep", "3000"],
    "lost": ["create", "--name", "lost", "busybox", "/nosuch"],
    "apart": ["create", "--name", "apart", "--network", "nosuch", "busybox", "true"],
}
"""Containers that are made for one question."""


def asked(engine: Engine, case: Case, names: dict[str, str]) -> Answer:
    own = case.path.partition(" ")[2]
    if own in FRESH:
        engine.docker("rm", "-fv", own)
        engine.docker(*FRESH[own], check=True)
    answer = _asked(engine, case, names)
    if own in FRESH:
        engine.docker("rm", "-fv", own)
        engine.docker("rm", "-fv", "renamed")
    if case.path == "/containers/create" and answer.status == 201:
        engine.docker("rm", "-fv", answer.json["Id"], check=True)
    return answer


def _asked(engine: Engine, case: Case, names: dict[str, str]) -> Answer:
    path, _, name = case.path.partition(" ")
    target = path.replace("{id}", names.get(name, name)) + (f"?{case.query}" if case.query else "")
    fresh = case.path.endswith("start fresh")
    if fresh:
        made = engine.api().post("/containers/runs/exec", {"Cmd": ["true"]}).json["Id"]
        target = target.replace(names["fresh"], made)
    headers = {"Content-Type": "application/x-tar"} if case.method == "PUT" else None
    return engine.api().call(case.method, target, case.body, headers=headers)


def shape(value: Any, at: str = "") -> set[str]:
    """Every path of fields with the type of what stands there; null and the empty list fit anything."""
    if isinstance(value, dict):
        return set().union(*(shape(item, f"{at}.{key}") for key, item in value.items()))
    if isinstance(value, list):
        return set().union(*(shape(item, f"{at}[]") for item in value))
    return set() if value is None else {f"{at} {'number' if isinstance(value, int | float) else type(value).__name__}"}


OPEN = re.compile(
    r"\.(Labels|Networks|Ports|Containers|Volumes|ExposedPorts|Runtimes|Data|Sysctls|Attributes|networks|stats)\b.*"
)
GONE = re.compile(
    r"\.(AllowNondistributable\w*|KernelMemory\w*|Capabilities|SharedSize|"
    r"BuilderSize|Details|GraphDriver|DriverStatus|Components|Experimental|GoVersion|BuildTime|ClusterStore|"
    r"ClusterAdvertise|HttpProxy|IndexConfigs|Plugins|SecurityOptions|Warnings|BuildCache|LayersSize|Images|Isolation|"
    r"LinkLocalIPv6Address|Bridge|HairpinMode|SecondaryIP\w*|blkio_stats|percpu_usage|preread|DefaultAddressPools)\b"
)


def fields(answer: Answer) -> set[str]:
    lines = [line for line in answer.body.splitlines() if line.strip()]
    whole = set().union(*(shape(json.loads(line)) for line in lines)) if lines else set()
    return {field for field in whole if not OPEN.search(field) and not GONE.search(field)}


def _said(answer: Answer) -> str:
    """A message, which this version writes as plain text where a stream was asked for."""
    try:
        return answer.message
    except ValueError:
        return answer.body.decode().strip()


def words(text: str) -> str:
    text = re.sub(r"\b[0-9a-f]{64}\b", "ID", text)
    text = re.sub(r"^(Error: )?(No such container: \S+|No such exec instance.*)$", r"\2", text)
    return text.lower().rstrip(".")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.method} {case.path} {case.query or case.body}"[:90])
def test_the_same_question_gets_the_same_answer(
    havre: Havre, reference: Reference, scene: dict[str, dict[str, str]], case: Case
) -> None:
    ours, theirs = (asked(engine, case, scene[engine.NAME]) for engine in (havre, reference))
    assert ours.status == (case.status or theirs.status), (ours, theirs)
    kinds = [answer.headers.get("content-type", "").partition(";")[0] for answer in (ours, theirs)]
    if not case.status and not any(word in case.path for word in ("/attach", "/logs")):  # this version has its own
        assert kinds[0] == kinds[1]
    if ours.status >= 400 and case.method != "HEAD":
        assert words(ours.message) == (case.words or words(_said(theirs)))
    elif kinds[1] == "application/json" and case.method != "HEAD":
        assert fields(theirs) - fields(ours) == set()


def test_both_tell_the_same_of_what_the_images_lie_on(havre: Havre, reference: Reference) -> None:
    told = [dict(engine.api().get("/info").json["DriverStatus"]) for engine in (havre, reference)]
    assert told[0]["Backing Filesystem"] == told[1]["Backing Filesystem"]
    assert told[1].keys() - told[0].keys() == set()


@pytest.mark.skipif(not SPEC.exists(), reason="the list of endpoints is not beside this tree")
def test_no_endpoint_is_left_out() -> None:
    whole = json.loads(SPEC.read_text())["endpoints"]
    wanted = {(one["method"], one["path"]) for tag in ("Container", "Exec", "System") for one in whole[tag]}
    assert wanted - NOT_HERE == {(case.method, case.path.partition(" ")[0]) for case in CASES}
