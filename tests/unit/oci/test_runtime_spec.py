from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.base.errors import InvalidInput
from havre.oci.runtime_spec import (
    MAX_SPEC_BYTES,
    VERSION,
    DeviceRule,
    IDMapping,
    InterfacePriority,
    MemoryLimits,
    Process,
    Root,
    SeccompArg,
    Spec,
    User,
    decode,
    encode,
)

Document = dict[str, Any]


def _example() -> Document:
    """A config that holds every field of the specification that Havre knows, under its name in config.schema.json."""
    hook = {"path": "/bin/hook", "args": ["hook", "a"], "env": ["K=V"], "timeout": 5}
    ids = [{"containerID": 0, "hostID": 1000, "size": 32000}]
    rate = [{"major": 8, "minor": 16, "rate": 300}]
    return {
        "ociVersion": VERSION,
        "hostname": "box",
        "domainname": "box.test",
        "root": {"path": "rootfs", "readonly": True},
        "annotations": {"com.example.key": "value"},
        "process": {
            "terminal": True,
            "consoleSize": {"height": 25, "width": 80},
            "user": {"uid": 1, "gid": 2, "umask": 63, "additionalGids": [5, 6]},
            "args": ["sh"],
            "env": ["PATH=/bin"],
            "cwd": "/work",
            "capabilities": {
                name: ["CAP_KILL"] for name in ("bounding", "effective", "inheritable", "permitted", "ambient")
            },
            "rlimits": [{"type": "RLIMIT_CORE", "hard": 2**64 - 1, "soft": 1024}],
            "noNewPrivileges": True,
            "apparmorProfile": "profile",
            "selinuxLabel": "label",
            "oomScoreAdj": -100,
        },
        "mounts": [
            {
                "destination": "/data",
                "type": "bind",
                "source": "/srv",
                "options": ["rbind", "ro"],
                "uidMappings": ids,
                "gidMappings": ids,
            }
        ],
        "hooks": {
            name: [hook]
            for name in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
        },
        "linux": {
            "uidMappings": ids,
            "gidMappings": ids,
            "sysctl": {"net.core.somaxconn": "256"},
            "cgroupsPath": "/havre/box",
            "namespaces": [{"type": "pid"}, {"type": "network", "path": "/run/netns/x"}],
            "devices": [
                {"path": "/dev/x", "type": "c", "major": 10, "minor": 229, "fileMode": 438, "uid": 0, "gid": 0}
            ],
            "rootfsPropagation": "slave",
            "maskedPaths": ["/proc/kcore"],
            "readonlyPaths": ["/proc/bus"],
            "mountLabel": "label",
            "seccomp": {
                "defaultAction": "SCMP_ACT_ERRNO",
                "defaultErrnoRet": 1,
                "architectures": ["SCMP_ARCH_X86_64"],
                "flags": ["SECCOMP_FILTER_FLAG_LOG"],
                "syscalls": [
                    {
                        "names": ["clone"],
                        "action": "SCMP_ACT_ALLOW",
                        "errnoRet": 38,
                        "args": [{"index": 0, "value": 2**64 - 1, "valueTwo": 7, "op": "SCMP_CMP_MASKED_EQ"}],
                    }
                ],
            },
            "resources": {
                "devices": [{"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"}],
                "memory": {
                    "limit": 1 << 29,
                    "reservation": 1 << 28,
                    "swap": -1,
                    "kernel": -1,
                    "swappiness": 0,
                    "disableOOMKiller": False,
                },
                "cpu": {
                    "shares": 1024,
                    "quota": -1,
                    "period": 500000,
                    "realtimeRuntime": 950000,
                    "realtimePeriod": 1000000,
                    "cpus": "2-3",
                    "mems": "0-7",
                    "burst": 5,
                    "idle": 1,
                },
                "pids": {"limit": 0},
                "blockIO": {
                    "weight": 10,
                    "weightDevice": [{"major": 8, "minor": 0, "weight": 500}],
                    "throttleReadBpsDevice": rate,
                    "throttleWriteBpsDevice": rate,
                    "throttleReadIOPSDevice": rate,
                    "throttleWriteIOPSDevice": rate,
                },
                "hugepageLimits": [{"pageSize": "2MB", "limit": 2**63}],
                "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}},
                "network": {"classID": 1048577, "priorities": [{"name": "eth0", "priority": 500}]},
                "unified": {"memory.high": "1"},
            },
        },
    }


def test_every_field_is_read_under_its_own_name_and_written_again() -> None:
    document = _example()
    assert msgspec.json.decode(encode(decode(msgspec.json.encode(document)))) == document


def test_the_fields_land_where_they_belong() -> None:
    spec = decode(msgspec.json.encode(_example()))
    assert spec.root == Root(path="rootfs", readonly=True)
    assert spec.process is not None
    assert spec.process.user == User(uid=1, gid=2, umask=0o77, additional_gids=[5, 6])
    assert spec.linux is not None
    assert spec.linux.uid_mappings == [IDMapping(container_id=0, host_id=1000, size=32000)]
    assert spec.linux.seccomp is not None
    assert spec.linux.seccomp.syscalls is not None
    assert spec.linux.seccomp.syscalls[0].args == [
        SeccompArg(index=0, value=2**64 - 1, value_two=7, op="SCMP_CMP_MASKED_EQ")
    ]
    resources = spec.linux.resources
    assert resources is not None
    assert resources.devices == [DeviceRule(allow=True, type="c", major=10, minor=229, access="rw")]
    assert resources.network is not None
    assert resources.network.priorities == [InterfacePriority(name="eth0", priority=500)]
    assert resources.memory is not None
    assert resources.memory.disable_oom_killer is False


def test_what_runc_writes_is_read() -> None:
    """The shape of `runc spec`: a device rule without numbers, what is unknown to us, no user field."""
    spec = decode(
        b'{"ociVersion":"1.0.2-dev","process":{"terminal":true,"user":{"uid":0,"gid":0},"args":["sh"],"cwd":"/",'
        b'"rlimits":[{"type":"RLIMIT_NOFILE","hard":1024,"soft":1024}]},"root":{"path":"rootfs","readonly":true},'
        b'"linux":{"resources":{"devices":[{"allow":false,"access":"rwm"}],"memory":{"kernelTCP":-1}},'
        b'"timeOffsets":{"monotonic":{"secs":1}},"namespaces":[{"type":"pid"}]}}'
    )
    assert spec.linux is not None
    assert spec.linux.resources is not None
    assert spec.linux.resources.devices == [DeviceRule(allow=False)]
    assert spec.linux.resources.memory == MemoryLimits()
    assert spec.process is not None
    assert spec.process.user == User()
    assert decode(encode(spec)) == spec


def test_defaults() -> None:
    process = Process()
    assert (process.cwd, process.user, process.terminal) == ("/", User(uid=0, gid=0), False)
    assert msgspec.json.decode(encode(Spec(oci_version=VERSION))) == {"ociVersion": VERSION}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"ociVersion":7}',
        b'{"ociVersion":"1","root":{}}',
        b'{"ociVersion":"1","root":{"path":null}}',
        b'{"ociVersion":"1","process":{"args":"sh"}}',
        b'{"ociVersion":"1","process":{"user":{"uid":"0"}}}',
        b'{"ociVersion":"1","process":{"user":{"uid":1.5}}}',
        b'{"ociVersion":"1","process":{"user":null}}',
        b'{"ociVersion":"1","linux":{"namespaces":{}}}',
        b'{"ociVersion":"1","linux":{"resources":{"memory":{"limit":' + b"9" * 5000 + b"}}}}",
        b'{"ociVersion":"\xff"}',
        b"[" * 100_000,
        b'{"unknown":' * 100_000,
    ],
)
def test_what_is_no_config_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="invalid runtime config"):
        decode(data)


def test_the_size_has_a_limit() -> None:
    padded = b'{"ociVersion":"1.2.0"}'.ljust(MAX_SPEC_BYTES)
    assert decode(padded) == Spec(oci_version="1.2.0")
    with pytest.raises(InvalidInput, match="larger than 4194304"):
        decode(padded + b" ")


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["process", "root", "mounts", "hooks", "linux"]), _values, st.data())
def test_any_document_is_read_or_refused(part: str, value: object, data: st.DataObject) -> None:
    document = _example()
    if isinstance(document[part], dict) and data.draw(st.booleans()):
        document[part][data.draw(st.sampled_from(sorted(document[part])))] = value
    else:
        document[part] = value
    try:
        spec = decode(msgspec.json.encode(document))
    except InvalidInput:
        return
    assert decode(encode(spec)) == spec
