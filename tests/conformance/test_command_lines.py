"""The same `docker` command lines on Havre and on the reference: output, errors and exit codes are the same.

What is compared is normalised: ids, times and the runtime's own name; nothing else.
"""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.engines import Engine, Havre, Reference

pytestmark = [pytest.mark.root, pytest.mark.reference]

_NORMAL = (
    (re.compile(rb"sha256:[0-9a-f]{64}"), b"sha256:DIGEST"),
    (re.compile(rb"\b[0-9a-f]{64}\b"), b"ID"),
    (re.compile(rb"\b[0-9a-f]{12}\b"), b"SHORT"),
    (re.compile(rb"\d{4}-\d\d-\d\d[T ][\d:.]+(Z|[+-][\d:]+)?( \+\d{4} UTC)?"), b"TIME"),
    (re.compile(rb"runc create failed: "), b""),
    (re.compile(rb"failed to create task for container: "), b""),
    (re.compile(rb": unknown\b"), b""),
    # What version 20.10 of the reference says in other words than 28, whose words are ours.
    (re.compile(rb"[Cc]annot kill container"), b"cannot kill container"),
    (re.compile(rb"(no such image: \S+: )?No such image"), b"No such image"),
    (re.compile(rb"repository name \(\S+\) must"), b"repository name must"),
    (re.compile(rb"^default\n$"), b"bridge\n"),
    (
        re.compile(rb"(You cannot remove a running container ID.|cannot remove container \S+ container is running:).*"),
        b"RUNS",
    ),
)

RUNS = [
    ("echo", ["run", "--rm", "busybox", "echo", "hi"]),
    ("exit code", ["run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7"]),
    ("killed by itself", ["run", "--rm", "busybox", "sh", "-c", "kill -9 $$; sleep 5"]),
    ("terminated", ["run", "--rm", "--init", "busybox", "sh", "-c", "kill -TERM $$; sleep 5"]),
    ("not found", ["run", "--rm", "busybox", "nosuch"]),
    ("not executable", ["run", "--rm", "busybox", "/etc/passwd"]),
    ("no such path", ["run", "--rm", "busybox", "/no/such"]),
    # docker's command line sends several variables in no fixed order.
    ("env", ["run", "--rm", "-e", "B=two words", "-h", "box", "busybox", "env"]),
    ("several variables", ["run", "--rm", "-e", "A=1", "-e", "B=2", "-h", "box", "busybox", "sh", "-c", "env | sort"]),
    ("env of a user", ["run", "--rm", "-u", "alice", "-h", "box", "busybox", "env"]),
    ("user by name", ["run", "--rm", "-u", "alice", "busybox", "id"]),
    ("user by number", ["run", "--rm", "-u", "1234:99", "busybox", "id"]),
    ("user with groups", ["run", "--rm", "-u", "alice", "--group-add", "daemon", "--group-add", "77", "busybox", "id"]),
    ("user and no group", ["run", "--rm", "-u", "1000:", "busybox", "id"]),
    ("neither user nor group", ["run", "--rm", "-u", ":", "busybox", "id"]),
    ("no such user", ["run", "--rm", "-u", "nobodyhere", "busybox", "id"]),
    ("workdir is made", ["run", "--rm", "-w", "/made/here", "busybox", "pwd"]),
    ("the engine's socket", ["run", "--rm", "--use-api-socket", "busybox", "test", "-S", "/var/run/docker.sock"]),
    ("hostname", ["run", "--rm", "-h", "box", "busybox", "hostname"]),
    ("domainname", ["run", "--rm", "-h", "box.example", "busybox", "sh", "-c", "hostname; cat /etc/hostname"]),
    ("entrypoint", ["run", "--rm", "--entrypoint", "echo", "busybox", "a", "b"]),
    ("read-only", ["run", "--rm", "--read-only", "busybox", "touch", "/x"]),
    (
        "tmpfs",
        [
            "run",
            "--rm",
            "--tmpfs",
            "/t:size=1m,mode=700",
            "busybox",
            "sh",
            "-c",
            "grep ' /t ' /proc/mounts; stat -c %a /t",
        ],
    ),
    ("capabilities", ["run", "--rm", "busybox", "grep", "Cap", "/proc/self/status"]),
    (
        "capabilities dropped",
        ["run", "--rm", "--cap-drop", "ALL", "--cap-add", "net_raw", "busybox", "grep", "Cap", "/proc/self/status"],
    ),
    ("capabilities of a user", ["run", "--rm", "-u", "alice", "busybox", "grep", "Cap", "/proc/self/status"]),
    (
        "no new privileges",
        ["run", "--rm", "--security-opt", "no-new-privileges", "busybox", "grep", "NoNewPrivs", "/proc/self/status"],
    ),
    (
        "seccomp unconfined",
        ["run", "--rm", "--security-opt", "seccomp=unconfined", "busybox", "grep", "Seccomp:", "/proc/self/status"],
    ),
    ("seccomp", ["run", "--rm", "busybox", "grep", "Seccomp:", "/proc/self/status"]),
    ("ulimit", ["run", "--rm", "--ulimit", "nofile=100:200", "busybox", "sh", "-c", "ulimit -n; ulimit -Hn"]),
    ("memory", ["run", "--rm", "-m", "32m", "--cgroupns", "host", "busybox", "true"]),
    (
        "shm size",
        ["run", "--rm", "--shm-size", "8m", "busybox", "sh", "-c", "df -k /dev/shm | tail -1 | awk '{print $2}'"],
    ),
    ("devices", ["run", "--rm", "busybox", "ls", "/dev"]),
    (
        "device",
        [
            "run",
            "--rm",
            "--device",
            "/dev/zero:/dev/nought:r",
            "busybox",
            "sh",
            "-c",
            "ls /dev/nought; head -c 3 /dev/nought | od -c",
        ],
    ),
    ("sysctl", ["run", "--rm", "--sysctl", "net.ipv4.ip_forward=0", "busybox", "cat", "/proc/sys/net/ipv4/ip_forward"]),
    ("network none", ["run", "--rm", "--network", "none", "busybox", "ls", "/sys/class/net"]),
    ("network bridge", ["run", "--rm", "busybox", "sh", "-c", "ls /sys/class/net; ip route | grep -c default"]),
    (
        "masked paths",
        ["run", "--rm", "busybox", "sh", "-c", "cat /proc/keys /proc/timer_list | wc -c; ls /sys/firmware | wc -l"],
    ),
    ("read-only paths", ["run", "--rm", "busybox", "sh", "-c", "echo 1 > /proc/sys/kernel/domainname"]),
    ("queues of the host", ["run", "--rm", "--ipc", "host", "busybox", "grep", "-c", "mqueue", "/proc/mounts"]),
    ("name of the host", ["run", "--rm", "--uts", "host", "busybox", "hostname"]),
    ("mounts that cannot cross", ["run", "--rm", "-v", "/tmp:/x:rshared", "busybox", "true"]),
    ("mounts that cannot come", ["run", "--rm", "-v", "/tmp:/x:rslave", "busybox", "true"]),
    ("oom score", ["run", "--rm", "--oom-score-adj", "500", "busybox", "cat", "/proc/self/oom_score_adj"]),
    ("pid 1", ["run", "--rm", "busybox", "sh", "-c", "echo $$"]),
    ("pids", ["run", "--rm", "--pids-limit", "20", "busybox", "true"]),
    ("empty command", ["run", "--rm", "busybox", ""]),
    ("no command", ["run", "--rm", "busybox"]),
    ("no such image", ["create", "--pull", "never", "nosuch/image:1"]),
    ("bad reference", ["create", "--pull", "never", "Bad/Image:1"]),
    ("bind of nothing", ["run", "--rm", "--mount", "type=bind,source=/no/such,target=/x", "busybox", "true"]),
    ("relative target", ["run", "--rm", "-v", "/tmp:relative", "busybox", "true"]),
    ("bad bind", ["run", "--rm", "-v", "/a:/b:bogus", "busybox", "true"]),
    ("duplicate mounts", ["run", "--rm", "-v", "/tmp:/x", "-v", "/var:/x", "busybox", "true"]),
    ("too little memory", ["run", "--rm", "-m", "1m", "busybox", "true"]),
    ("swap below memory", ["run", "--rm", "-m", "64m", "--memory-swap", "32m", "busybox", "true"]),
    ("swap alone", ["run", "--rm", "--memory-swap", "32m", "busybox", "true"]),
    ("too many cpus", ["run", "--rm", "--cpus", "64", "busybox", "true"]),
    ("a rate of no device", ["run", "--rm", "--device-read-bps", "/dev/nosuch:1mb", "busybox", "true"]),
    ("no such cpu", ["run", "--rm", "--cpuset-cpus", "99", "busybox", "true"]),
    ("bad capability", ["run", "--rm", "--cap-add", "NOSUCH", "busybox", "true"]),
    ("bad security option", ["run", "--rm", "--security-opt", "bogus=1", "busybox", "true"]),
    ("bad name", ["run", "--rm", "--name", "no/good", "busybox", "true"]),
    ("bad stop signal", ["run", "--rm", "--stop-signal", "BOGUS", "busybox", "true"]),
    ("bad ipc mode", ["run", "--rm", "--ipc", "bogus", "busybox", "true"]),
    ("bad pid mode", ["run", "--rm", "--pid", "bogus", "busybox", "true"]),
    ("bad uts mode", ["run", "--rm", "--uts", "bogus", "busybox", "true"]),
    ("restart with rm", ["run", "--rm", "--restart", "always", "busybox", "true"]),
    ("bad restart policy", ["run", "--restart", "sometimes", "busybox", "true"]),
    ("bad log driver", ["run", "--rm", "--log-driver", "bogus", "busybox", "true"]),
    ("bad log option", ["run", "--rm", "--log-opt", "bogus=1", "busybox", "true"]),
    ("uts host with hostname", ["run", "--rm", "--uts", "host", "-h", "x", "busybox", "true"]),
    ("unknown container", ["inspect", "--type", "container", "nosuch"]),
    ("start of nothing", ["start", "nosuch"]),
    ("stop of nothing", ["stop", "nosuch"]),
    ("kill of nothing", ["kill", "nosuch"]),
    ("rm of nothing", ["rm", "nosuch"]),
    ("rm -f of nothing", ["rm", "-f", "nosuch"]),
    ("logs of nothing", ["logs", "nosuch"]),
    ("exec in nothing", ["exec", "nosuch", "true"]),
    ("wait for nothing", ["wait", "nosuch"]),
    ("top of nothing", ["top", "nosuch"]),
    ("attach to nothing", ["attach", "nosuch"]),
    ("tag of nothing", ["tag", "nosuch", "other"]),
    ("rmi of nothing", ["rmi", "nosuch"]),
    ("history of nothing", ["history", "nosuch"]),
    ("image inspect of nothing", ["image", "inspect", "nosuch"]),
    ("bad tag", ["tag", "busybox", "UPPER"]),
    ("bad filter", ["ps", "-f", "bogus=1"]),
    ("bad status filter", ["ps", "-f", "status=bogus"]),
    ("images", ["images", "--format", "{{.Repository}} {{.Tag}} {{.Size}}"]),
]


def normal(done: subprocess.CompletedProcess[bytes]) -> tuple[bytes, bytes, int]:
    texts = []
    for text in (done.stdout, done.stderr):
        for pattern, name in _NORMAL:
            text = pattern.sub(name, text)  # noqa: PLW2901  a chain of replacements
        texts.append(text)
    return texts[0], texts[1], done.returncode


@pytest.mark.parametrize("line", [line for _, line in RUNS], ids=[name for name, _ in RUNS])
def test_a_command_line_does_the_same(havre: Havre, reference: Reference, line: list[str]) -> None:
    assert normal(havre.docker(*line)) == normal(reference.docker(*line))


def _both(havre: Havre, reference: Reference, *lines: list[str]) -> None:
    for line in lines:
        assert normal(havre.docker(*line)) == normal(reference.docker(*line)), line


def test_the_life_of_a_container(havre: Havre, reference: Reference) -> None:
    _both(
        havre,
        reference,
        ["create", "--name", "life", "-i", "busybox", "cat"],
        ["create", "--name", "other", "busybox", "cat"],
        ["start", "life"],
        ["start", "life"],
        ["rename", "life", "renamed"],
        ["ps", "--format", "{{.Names}} {{.Image}} {{.Command}} {{.State}}"],
        ["exec", "renamed", "echo", "hi"],
        ["exec", "renamed", "sh", "-c", "exit 4"],
        ["exec", "-u", "alice", "-w", "/tmp", "-e", "X=1", "renamed", "sh", "-c", "id; pwd; echo $X"],
        ["rm", "renamed"],
        ["pause", "renamed"],
        ["ps", "--filter", "status=paused", "--format", "{{.Names}} {{.State}}"],
        ["exec", "renamed", "true"],
        ["unpause", "renamed"],
        ["stop", "-t", "0", "renamed"],
        ["stop", "renamed"],
        ["kill", "renamed"],
        ["exec", "renamed", "true"],
        ["wait", "renamed"],
        ["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.Running}} {{.State.Pid}}", "renamed"],
        ["logs", "renamed"],
        ["rm", "renamed", "other"],
        ["ps", "-a", "-q"],
    )


@pytest.mark.parametrize("bind", ["/etc:/etc/passwd", "/etc/passwd:/tmp"])
def test_a_folder_on_a_file_and_a_file_on_a_folder(either: Engine, bind: str) -> None:
    done = either.docker("run", "--name", "wrong", "-v", bind, "busybox", "true")
    code = either.out("inspect", "-f", "{{.State.ExitCode}} {{.State.Status}}", "wrong")
    either.docker("rm", "-v", "wrong", check=True)
    assert (done.returncode, code) == (125, "127 created")
    assert b"not a directory" in done.stderr
    assert b"Are you trying to mount a directory onto a file (or vice-versa)?" in done.stderr


def test_signals_to_a_paused_container(havre: Havre, reference: Reference) -> None:
    state = ["ps", "-a", "--format", "{{.Names}} {{.State}}"]
    _both(
        havre,
        reference,
        ["run", "-d", "--name", "deaf", "busybox", "sleep", "3000"],  # the first process, and it has no handler
        ["pause", "deaf"],
        ["kill", "-s", "TERM", "deaf"],
        state,
        ["unpause", "deaf"],
        ["pause", "deaf"],
        ["kill", "deaf"],
        ["wait", "deaf"],
        ["rm", "deaf"],
        ["run", "-d", "--name", "choosy", "--stop-signal", "USR1", "busybox", "sleep", "3000"],
        ["pause", "choosy"],
        ["kill", "-s", "TERM", "choosy"],
        state,
        ["kill", "-s", "USR1", "choosy"],
        state,
        ["rm", "-f", "choosy"],
    )


@pytest.mark.parametrize(
    "template",
    [
        "{{json .Config.Env}}", "{{json .Config.Cmd}}", "{{json .Config.Entrypoint}}", "{{.Path}} {{json .Args}}",
        "{{json .HostConfig.RestartPolicy}}", "{{json .HostConfig.LogConfig}}", "{{.HostConfig.NetworkMode}}",
        "{{.HostConfig.ShmSize}}", "{{.HostConfig.IpcMode}} {{.HostConfig.PidMode}}|",
        "{{json .HostConfig.PortBindings}}",
        "{{json .Mounts}}", "{{json .Config.Labels}}", "{{.Name}} {{.RestartCount}} {{.Driver}} {{.Platform}}",
        "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Dead}} {{.State.Error}}",
        "{{.State.StartedAt}} {{.State.FinishedAt}}", "{{json .NetworkSettings.Ports}} {{.NetworkSettings.IPAddress}}|",
        "{{.AppArmorProfile}}|{{json .ExecIDs}}", "{{json .Config.Volumes}} {{.Config.WorkingDir}}|{{.Config.User}}|",
        "{{.Config.Image}} {{.Config.Hostname}}", "{{json .Config.OnBuild}} {{.Config.Tty}} {{.Config.OpenStdin}}",
    ],
)  # fmt: skip
def test_inspect_tells_the_same(havre: Havre, reference: Reference, template: str) -> None:
    name = "inspected"
    for engine in (havre, reference):
        engine.docker("rm", "-f", name)
        engine.docker("create", "--name", name, "-l", "a=b", "-e", "X=1", "busybox", "echo", "hi", check=True)
    assert normal(havre.docker("inspect", "-f", template, name)) == normal(
        reference.docker("inspect", "-f", template, name)
    )
    for engine in (havre, reference):
        engine.docker("rm", "-f", name, check=True)


def _keys(value: object, at: str = "") -> set[str]:
    """Every path of keys in a document; lists count by their first item."""
    if isinstance(value, dict):
        return {f"{at}.{key}" for key in value}.union(*(_keys(item, f"{at}.{key}") for key, item in value.items()))
    return set()


_OPEN_MAPS = re.compile(r"\.(Labels|Networks|Ports|Options|Containers|Volumes|ExposedPorts|Runtimes|Data|Sysctls)\..*")
_GONE_SINCE_20 = {  # fields that API 1.41 had and later ones dropped
    ".RegistryConfig.AllowNondistributable",
    ".HostConfig.KernelMemory", ".HostConfig.KernelMemoryTCP", ".HostConfig.Capabilities", ".Container",
    ".ContainerConfig", ".KernelMemory", ".KernelMemoryTCP",
}  # fmt: skip


@pytest.mark.parametrize("path", ["/containers/shape/json", "/images/busybox/json", "/info", "/version"])
def test_documents_hold_every_field_of_the_reference(havre: Havre, reference: Reference, path: str) -> None:
    found = []
    for engine in (havre, reference):
        engine.docker("rm", "-f", "shape")
        engine.docker("run", "-d", "--name", "shape", "busybox", "sleep", "1000", check=True)
        found.append({key for key in _keys(engine.api().get(path).json) if not _OPEN_MAPS.match(key)})
        engine.docker("rm", "-f", "shape", check=True)
    ours, theirs = found
    missing = {key for key in theirs - ours if not any(key.startswith(gone) for gone in _GONE_SINCE_20)}
    assert missing == set()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/nosuch", None),
        ("POST", "/containers/create", b"{"),
        ("POST", "/containers/create", b"[]"),
        ("POST", "/containers/create", b""),
        ("POST", "/containers/create", b'{"Image": ""}'),
        ("POST", "/containers/create", b'{"Image": 5}'),
        ("POST", "/containers/create?name=%20", b'{"Image": "busybox", "Cmd": ["a"]}'),
        ("POST", "/containers/nosuch/start", None),
        ("POST", "/containers/nosuch/stop", None),
        ("POST", "/containers/nosuch/kill?signal=BOGUS", None),
        ("POST", "/containers/nosuch/resize?h=a&w=b", None),
        ("POST", "/exec/nosuch/start", b'{"Detach": false}'),
        ("POST", "/exec/nosuch/resize?h=1&w=1", None),
        ("GET", "/exec/nosuch/json", None),
        ("GET", "/containers/nosuch/logs", None),
        ("GET", "/containers/nosuch/logs?stdout=1", None),
        ("GET", "/containers/json?filters=bogus", None),
        ("GET", "/containers/json?limit=bogus", None),
        ("GET", "/images/json?filters=bogus", None),
        ("GET", "/images/nosuch/json", None),
        ("DELETE", "/images/nosuch", None),
        ("DELETE", "/containers/nosuch", None),
        ("POST", "/images/busybox/tag?repo=UPPER", None),
        ("GET", "/events?since=bogus", None),
    ],
)
def test_bad_requests_get_the_same_status(
    havre: Havre, reference: Reference, method: str, path: str, body: bytes | None
) -> None:
    ours, theirs = (engine.api().call(method, path, body) for engine in (havre, reference))
    # Version 20.10 answers 500 to much that 28 calls the client's fault.
    assert ours.status == (400 if theirs.status == 500 else theirs.status)
    assert set(ours.json) == {"message"}


def test_versions_are_negotiated_as_the_reference_does(either: Engine) -> None:
    ping = either.api("").call("HEAD", "/_ping")
    assert ping.status == 200
    assert ping.headers["ostype"] == "linux"
    assert ping.headers["docker-experimental"] == "false"
    newest = ping.headers["api-version"]
    assert either.api(newest).get("/version").json["ApiVersion"] == newest
    refused = either.api("1.99").get("/version")
    assert refused.status == 400
    assert refused.message == f"client version 1.99 is too new. Maximum supported API version is {newest}"
    assert either.api("1.1").get("/version").status == 400


@pytest.mark.parametrize("client", ["docker", "havre"])
def test_disk_usage_is_told_alike(havre: Havre, reference: Reference, client: str) -> None:
    for engine in (havre, reference):
        engine.remove_all()
        engine.docker("run", "--name", "used", "busybox", "sh", "-c", "echo 12345 > /f", check=True)
    form = "{{.Type}} {{.TotalCount}} {{.Active}}"
    ours = getattr(havre, client)("system", "df", "--format", form, check=True).stdout
    assert ours == reference.docker("system", "df", "--format", form, check=True).stdout
    if client == "havre":
        assert havre.havre("system", "df", check=True).stdout == havre.docker("system", "df", check=True).stdout


def _details(shown: bytes) -> list[list[str]]:
    """The cells of the tables of `system df -v`, without what differs from engine to engine: ids, sizes, ages."""
    text = re.sub(r"\b[0-9a-f]{12}\b", "ID", shown.decode())
    text = re.sub(r"\b\d+(\.\d+)?[kMG]?B\b", "SIZE", text)
    text = re.sub(r"\b(\d+|a|an|Less than a|About an?) (second|minute|hour)s?( ago)?\b", "AGE", text)
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


def test_disk_usage_in_detail(havre: Havre, reference: Reference) -> None:
    for engine in (havre, reference):
        engine.remove_all()
        engine.docker("volume", "create", "shelf", check=True)
        engine.docker("run", "--name", "used", "-v", "shelf:/s", "busybox", "sh", "-c", "echo 12 > /f", check=True)
    ours, theirs = (engine.docker("system", "df", "-v", check=True).stdout for engine in (havre, reference))
    own = havre.havre("system", "df", "-v", check=True).stdout
    for engine in (havre, reference):
        engine.remove_all()
        engine.docker("volume", "rm", "shelf", check=True)
    assert _details(own) == _details(ours)
    shown = [[row for row in _details(text) if {"busybox", "used", "shelf"} & set(row)] for text in (ours, theirs)]
    heads = [[row for row in _details(text) if row[0].isupper() or row[0].endswith(":")] for text in (ours, theirs)]
    assert shown[0] == shown[1]
    assert heads[0] == heads[1]


@pytest.mark.parametrize("flags", [["-f"], ["-f", "--filter", "label=none"], ["-f", "--volumes"]])
def test_pruning_everything_tells_the_same(havre: Havre, reference: Reference, flags: list[str]) -> None:
    shown = []
    for engine, run in ((havre, havre.havre), (havre, havre.docker), (reference, reference.docker)):
        engine.remove_all()
        run("create", "--name", "gone", "busybox", "true", check=True)
        shown.append(normal(run("system", "prune", *flags)))
    havre.remove_all()
    reference.remove_all()
    assert shown[0] == shown[1] == shown[2]


def test_pruning_asks_as_docker_does(havre: Havre) -> None:
    for flags in ([], ["-a"], ["--volumes", "--filter", "label=x"]):
        ours = havre.havre("system", "prune", *flags, stdin=b"n\n")
        theirs = havre.docker("system", "prune", *flags, stdin=b"n\n")
        assert ours.stdout + ours.stderr == theirs.stdout + theirs.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["-it"],
        ["-d", "-a", "stdout"],
        ["-m", "5x"],
        ["-m", "inf"],
        ["--health-interval", "5"],
        ["-p", "99999:80"],
        ["-p", "a:b"],
        ["-p", "80/xyz"],
        ["-p", "published=80,x,target=80"],
    ],
)
def test_what_is_refused_before_it_is_tried(havre: Havre, words: list[str]) -> None:
    ours, theirs = (run("run", "--rm", *words, "busybox", "true") for run in (havre.havre, havre.docker))
    assert (ours.stderr.replace(b"havre", b"docker"), ours.returncode) == (theirs.stderr, theirs.returncode)


@pytest.mark.parametrize(
    "words",
    [
        ["version", "-f", "{{.Server.APIVersion}} {{.Client.APIVersion}}"],
        ["image", "inspect", "-f", "{{.ID}}", "busybox"],
        ["inspect", "-f", "{{.HostConfig.NanoCPUs}} {{.HostConfig.CPUShares}}", "shown"],
        ["inspect", "-f", "{{.Name}}", "nosuch", "shown", "shelf", "bridge"],
        ["inspect", "-f", "{{", "shown"],
        ["update", "shown"],
    ],
)
def test_what_is_told_of_things_is_told_alike(havre: Havre, words: list[str]) -> None:
    havre.docker("create", "--name", "shown", "-v", "shelf:/s", "--cpus", "1", "busybox", "true", check=True)
    ours, theirs = havre.havre(*words), havre.docker(*words)
    havre.docker("rm", "shown", check=True)
    havre.docker("volume", "rm", "shelf", check=True)
    assert normal(ours) == normal(theirs)
