"""Texts and codes are those of Debian's dockerd 20.10, read off it, unless a line says otherwise."""

from __future__ import annotations

from typing import cast

import msgspec
import pytest

from havre.base.errors import HavreError, InternalError, InvalidInput, NotSupported
from havre.engine.model import Record
from havre.engine.settings import HostConfig, LogSettings, parse_config, parse_endpoints, parse_host
from havre.engine.validate import check_command, check_runtime, check_settings, settled_host
from havre.wire.containers import CreateContainer
from tests.fakes.rooms import FACTS

JSON_FILE = LogSettings(type="json-file")


def check(**wanted: object) -> list[str]:
    given = cast("CreateContainer", {"Image": "busybox", "Cmd": ["true"], **wanted})
    return check_settings(parse_config(given), parse_host(given), parse_endpoints(given), FACTS)


def check_host(**host: object) -> list[str]:
    return check(HostConfig=host)


def settled(**host: object) -> HostConfig:
    return settled_host(parse_host(cast("CreateContainer", {"HostConfig": host})), FACTS, JSON_FILE)


HOST_REFUSALS = [
    ({"BlkioWeight": 5}, "Range of blkio weight is from 10 to 1000"),
    ({"Memory": 1000}, "Minimum memory limit allowed is 6MB"),
    ({"Memory": -5}, "Minimum memory limit allowed is 6MB"),
    (
        {"Memory": 10000000, "MemorySwap": 5000000},
        "Minimum memoryswap limit should be larger than memory limit, see usage",
    ),
    ({"MemorySwap": 5000000}, "You should always set the Memory limit when using Memoryswap limit, see usage"),
    ({"MemorySwappiness": 101}, "Invalid value: 101, valid memory swappiness range is 0-100"),
    ({"MemoryReservation": 100}, "Minimum memory reservation allowed is 6MB"),
    (
        {"Memory": 10000000, "MemoryReservation": 20000000},
        "Minimum memory limit can not be less than memory reservation limit, see usage",
    ),
    ({"NanoCpus": -1}, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
    ({"NanoCpus": 100000000000}, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
    ({"NanoCpus": 1000000000, "CpuQuota": 5}, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"),
    ({"NanoCpus": 1000000000, "CpuPeriod": 5}, "Conflicting options: Nano CPUs and CPU Period cannot both be set"),
    (
        {"CpuPeriod": 5},
        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    ),
    ({"CpuQuota": 5}, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
    ({"CpuShares": -5}, "invalid CPU shares (-5): value must be a positive integer"),  # of Docker 28
    ({"CpusetCpus": "0-x"}, "Invalid value 0-x for cpuset cpus: invalid format: 0-x"),
    ({"CpusetCpus": "0-70"}, "Requested CPUs are not available - requested 0-70, available: 0-1"),
    ({"CpusetCpus": "0-2147483647"}, "Invalid value 0-2147483647 for cpuset cpus: invalid format: 0-2147483647"),
    ({"CpusetMems": "5"}, "Requested memory nodes are not available - requested 5, available: 0"),
    ({"CapAdd": ["NOPE"]}, 'invalid CapAdd: unknown capability: "CAP_NOPE"'),
    ({"CapDrop": ["nope"]}, 'invalid CapDrop: unknown capability: "CAP_NOPE"'),
    ({"SecurityOpt": ["nope"]}, 'invalid --security-opt 1: "nope"'),
    ({"SecurityOpt": ["nope=1"]}, 'invalid --security-opt 2: "nope=1"'),
    ({"SecurityOpt": ["no-new-privileges=nope"]}, 'invalid --security-opt 2: "no-new-privileges=nope"'),
    ({"SecurityOpt": ["seccomp=nope"]}, "Decoding seccomp profile failed: "),
    ({"NetworkMode": "container:"}, "Invalid network mode: invalid container format container:<name|id>"),
    ({"PidMode": "x"}, "invalid PID mode: x"),
    ({"IpcMode": "x"}, "Invalid IPC mode: x"),
    ({"IpcMode": "container:"}, "Invalid IPC mode: container:"),
    ({"UTSMode": "x"}, "invalid UTS mode: x"),
    ({"UsernsMode": "x"}, "invalid user namespace mode: x"),
    ({"CgroupnsMode": "x"}, "invalid cgroup namespace mode: x"),
    ({"RestartPolicy": {"Name": "x"}}, "invalid restart policy 'x'"),
    (
        {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}},
        "maximum retry count cannot be used with restart policy 'always'",
    ),
    ({"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": -3}}, "maximum retry count cannot be negative"),
    (
        {"AutoRemove": True, "RestartPolicy": {"Name": "always"}},
        "can't create 'AutoRemove' container with restart policy",
    ),
    ({"OomScoreAdj": 2000}, "Invalid value 2000, range for oom score adj is [-1000, 1000]"),
    ({"ShmSize": -5}, "SHM size can not be less than 0"),
    ({"LogConfig": {"Type": "zz"}}, 'error looking up logging plugin zz: plugin "zz" not found'),
    ({"LogConfig": {"Type": "json-file", "Config": {"zz": "1"}}}, "unknown log opt 'zz' for json-file log driver"),
    (
        {"LogConfig": {"Type": "json-file", "Config": {"max-size": "zz"}}},
        "failed to initialize logging driver: invalid size: 'zz'",
    ),
    (
        {"LogConfig": {"Type": "json-file", "Config": {"max-file": "0"}}},
        "failed to initialize logging driver: max-file cannot be less than 1",
    ),
    ({"Isolation": "hyperv"}, "Invalid isolation: \"hyperv\" - linux only supports 'default'"),
    ({"DeviceCgroupRules": ["zz"]}, "invalid device cgroup rule format: 'zz'"),
    (
        {"Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/n", "CgroupPermissions": "zz"}]},
        "bad mode specified: zz",
    ),
    ({"ExtraHosts": ["zz"]}, 'bad format for add-host: "zz"'),
    ({"ExtraHosts": ["zz:1.2.3.400"]}, 'invalid IP address in add-host: "1.2.3.400"'),
    ({"ExtraHosts": ["a b:1.2.3.4"]}, 'bad format for add-host: "a b:1.2.3.4"'),
    ({"Dns": ["1.1.1.1\nsearch evil"]}, "1.1.1.1\nsearch evil is not an ip address"),
    ({"PortBindings": {"80/zz": [{"HostPort": "x"}]}}, 'invalid port specification: "x"'),
    ({"Ulimits": [{"Name": "zz", "Soft": 1, "Hard": 2}]}, "invalid ulimit type: zz"),
    (
        {"Ulimits": [{"Name": "nofile", "Soft": 3, "Hard": 2}]},
        "ulimit soft limit must be less than or equal to hard limit: 3 > 2",
    ),
    ({"Sysctls": {"kernel.foo": "1"}}, 'sysctl "kernel.foo" is not in a separate kernel namespace'),
    ({"Sysctls": {"kernel.core_pattern": "|x"}}, 'sysctl "kernel.core_pattern" is not in a separate kernel namespace'),
    (
        {"Sysctls": {"net.ipv4.ip_forward": "1"}, "NetworkMode": "host"},
        'sysctl "net.ipv4.ip_forward" not allowed in host network namespace',
    ),
    ({"Sysctls": {"net.ipv4/../../kernel.foo": "1"}}, "invalid sysctl 'net.ipv4/../../kernel.foo'"),
    ({"Sysctls": {"net.ipv4.ip_forward": "1\n2"}}, "invalid sysctl 'net.ipv4.ip_forward'"),
    ({"CgroupParent": "/a/../../b"}, "invalid cgroup parent: '/a/../../b'"),
    ({"Annotations": {"": "x"}}, "invalid Annotations: the empty string is not permitted as an annotation key"),
    ({"Memory": "x"}, "invalid JSON: "),
]


@pytest.mark.parametrize(("host", "message"), HOST_REFUSALS)
def test_host_settings_are_refused_in_dockers_words(host: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        check_host(**host)
    text = str(wrong.value)
    assert text.startswith(message) if message.endswith(": ") else text == message


CONFIG_REFUSALS: list[tuple[dict[str, object], str]] = [
    ({"StopSignal": "x"}, "Invalid signal: x"),
    ({"StopSignal": "0"}, "Invalid signal: 0"),
    ({"WorkingDir": "rel"}, "the working directory 'rel' is invalid, it needs to be an absolute path"),
    ({"Env": ["=x"]}, "invalid environment variable: =x"),
    ({"Env": [""]}, "invalid environment variable: "),
    ({"Env": ["HOME=/a\nroot::0:0"]}, "invalid environment variable: HOME holds a control character"),
    ({"Env": ["A=\0"]}, "invalid environment variable: A holds a control character"),
    ({"Hostname": "x\ny"}, "invalid hostname: 'x\\ny' is not 1 to 64 printable characters"),
    ({"Hostname": "x" * 65}, f"invalid hostname: '{'x' * 65}' is not 1 to 64 printable characters"),
    ({"Healthcheck": {"Test": ["CMD", "x"], "Interval": 5}}, "Interval in Healthcheck cannot be less than 1ms"),
    ({"Healthcheck": {"Test": ["CMD", "x"], "Timeout": -5}}, "Timeout in Healthcheck cannot be less than 1ms"),
    ({"Healthcheck": {"Retries": -5}}, "Retries in Healthcheck cannot be negative"),
    (
        {"Hostname": "x", "HostConfig": {"UTSMode": "host"}},
        "conflicting options: hostname and the UTS mode",
    ),
    (
        {"Hostname": "x", "HostConfig": {"NetworkMode": "container:y"}},
        "conflicting options: hostname and the network mode",
    ),
    (
        {"NetworkingConfig": {"EndpointsConfig": {"bridge": {"IPAMConfig": {"IPv4Address": "172.17.0.9"}}}}},
        "user specified IP address is supported on user defined networks only",
    ),
    ({"User": "a\nb"}, "invalid user: 'a\\nb'"),
]


@pytest.mark.parametrize(("config", "message"), CONFIG_REFUSALS)
def test_settings_are_refused_in_dockers_words(config: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        check(**config)
    assert str(wrong.value) == message


@pytest.mark.parametrize(
    "host",
    [
        {"LogConfig": {"Type": "fluentd"}},
        {"CpuRealtimeRuntime": 5},
    ],
)
def test_what_is_not_offered_says_so(host: dict[str, object]) -> None:
    with pytest.raises(NotSupported):
        check_host(**host)


def test_a_limit_of_the_writable_layer_is_refused_as_docker_does() -> None:
    with pytest.raises(InternalError, match="--storage-opt is supported only for overlay over xfs"):
        check_host(StorageOpt={"size": "1G"})


@pytest.mark.parametrize(
    ("host", "warning"),
    [
        ({"OomKillDisable": True}, "OOM killer is disabled for the container, but no memory limit is set"),
        ({"NetworkMode": "host", "PortBindings": {"80/tcp": [{}]}}, "Published ports are discarded"),
        ({"OomScoreAdj": -5}, "Lowering oom_score_adj takes CAP_SYS_RESOURCE, which this daemon lacks"),
        ({"KernelMemory": 5}, "Specifying a kernel memory limit is deprecated"),
    ],
)
def test_warnings(host: dict[str, object], warning: str) -> None:
    (only,) = check_host(**host)
    assert only.startswith(warning)


@pytest.mark.parametrize(
    "host",
    [
        {"PidsLimit": -5},
        {"CpuShares": 1},
        {"NetworkMode": "nosuchnet"},
        {"NetworkMode": "container:nosuch"},
        {"CgroupnsMode": "private"},
        {"SecurityOpt": ["apparmor=foo", "label=disable", "no-new-privileges", "seccomp=unconfined"]},
        {"SecurityOpt": ["no-new-privileges:true", "systempaths=unconfined", "writable-cgroups=true"]},
        {"MemorySwappiness": -1},
        {"Memory": 6 << 20, "MemorySwap": -1},
        {"Sysctls": {"net.core.somaxconn": "1", "kernel.shmmax": "1", "fs.mqueue.msg_max": "1"}},
        {"Runtime": "runc"},
        {"LogConfig": {"Type": "none", "Config": {"max-file": "2"}}},
        {"ExtraHosts": ["a:host-gateway", "b=::1", "c:[::1]"]},
        {"IpcMode": "shareable", "UTSMode": "host", "PidMode": "host"},
        {"Ulimits": [{"Name": "nofile", "Soft": -1, "Hard": -1}]},
        {"DeviceCgroupRules": ["c 1:3 mr", "a *:* rwm"]},
    ],
)
def test_what_docker_takes_is_taken(host: dict[str, object]) -> None:
    assert check_host(**host) == []


def test_a_command_is_needed() -> None:
    wanted = cast("CreateContainer", {"Image": "x"})
    with pytest.raises(InvalidInput, match=r"^No command specified$"):
        check_command(parse_config(wanted))


def test_nulls_are_zero_values() -> None:
    fields: dict[str, object] = dict.fromkeys(msgspec.to_builtins(HostConfig()))
    fields["Mounts"] = [{"Type": "bind", "Source": "/a", "Target": "/b", "BindOptions": None, "ReadOnly": None}]
    fields["PortBindings"] = {"80/tcp": None, "81/tcp": [{"HostIp": None}]}
    given = parse_host(cast("CreateContainer", {"HostConfig": fields}))
    assert given.memory == 0
    assert given.restart_policy.name == ""
    assert given.masked_paths is None
    assert given.port_bindings["80/tcp"] is None
    assert given.mounts is not None
    assert not given.mounts[0].read_only


def test_what_the_user_left_open_is_filled_in() -> None:
    host = settled(Memory=100 << 20, MemorySwappiness=-1, PidsLimit=0, CapAdd=["net_admin", "NET_ADMIN"])
    assert host.memory_swap == 200 << 20
    assert host.memory_swappiness is None
    assert host.pids_limit is None
    assert host.cap_add == ["CAP_NET_ADMIN"]
    assert host.shm_size == 67108864
    assert (host.ipc_mode, host.network_mode, host.cgroupns_mode) == ("private", "bridge", "private")
    assert (host.runtime, host.log_config.type, host.restart_policy.name) == ("havre", "json-file", "no")
    assert "/proc/kcore" in (host.masked_paths or ())
    assert "/proc/sys" in (host.readonly_paths or ())


def test_open_paths() -> None:
    assert settled(Privileged=True).masked_paths is None
    assert settled(SecurityOpt=["systempaths=unconfined"]).readonly_paths is None
    assert settled(MaskedPaths=["/x"], Privileged=True).masked_paths == ["/x"]
    assert settled(Privileged=True).cgroupns_mode == "host"  # on cgroup v1, as Docker


@pytest.mark.parametrize("wish", [{"Privileged": True}, {"PidMode": "host"}, {"IpcMode": "host"}])
def test_who_sees_the_host_has_no_label(wish: dict[str, object]) -> None:
    assert settled(**wish).security_opt == ["label=disable"]
    assert settled(**wish, SecurityOpt=["no-new-privileges"]).security_opt == ["no-new-privileges"]
    assert settled(UTSMode="host").security_opt is None


HOSTILE: list[object] = [
    None,
    "",
    "x",
    "x\0y",
    "x\ny",
    "\u0661",
    0,
    -1,
    2**63,
    2**70,
    True,
    [],
    ["x"],
    {},
    {"x": "y"},
    {"x": {"y": {}}},
]


@pytest.mark.parametrize("field", sorted(msgspec.to_builtins(HostConfig())))
def test_no_value_of_any_field_breaks_the_checks(field: str) -> None:
    for value in HOSTILE:
        try:
            check_host(**{field: value})
        except HavreError:
            continue
        settled(**{field: value})


def test_a_record_survives_its_json() -> None:
    record = Record(
        id="a" * 64,
        name="n",
        created_ns=1,
        image_id="i",
        chain="",
        config=parse_config(cast("CreateContainer", {"Volumes": {"/v": None}, "ExposedPorts": {"80/tcp": {}}})),
        host=settled(Privileged=True),
        args=("sh",),
    )
    assert msgspec.json.decode(msgspec.json.encode(record), type=Record) == record


def test_runtimes_are_ours_or_of_the_configuration() -> None:
    for name in ("", "havre", "runc", "crun"):
        check_runtime(HostConfig(runtime=name), {"crun": ("crun",)})
    with pytest.raises(InvalidInput, match="Unknown runtime specified zz"):
        check_runtime(HostConfig(runtime="zz"), {"crun": ("crun",)})
