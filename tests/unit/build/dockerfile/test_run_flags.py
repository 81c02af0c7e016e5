from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.instructions import Device, Mount, MountKind, NetworkMode, SecurityMode, Sharing
from havre.build.dockerfile.run_flags import (
    check_mount,
    mount_origin,
    parse_device,
    parse_mount,
    parse_network,
    parse_security,
)


@pytest.mark.parametrize(
    ("flag", "mount"),
    [
        ("target=/x", Mount(target="/x")),
        ("type=bind,from=a,src=/s,dst=/d,rw", Mount(origin="a", source="/s", target="/d", read_only=False)),
        ("source=s,destination=d,readonly=false", Mount(source="s", target="d", read_only=False)),
        ("target=/x,readwrite=0", Mount(target="/x")),
        ("TYPE=Cache,target=/c", Mount(kind=MountKind.CACHE, target="/c", read_only=False)),
        (
            "type=cache,target=/c,id=i,sharing=LOCKED,ro,mode=0750,uid=1,gid=2",
            Mount(kind=MountKind.CACHE, target="/c", id="i", sharing=Sharing.LOCKED, mode=0o750, uid=1, gid=2),
        ),
        ("type=tmpfs,target=/t,size=1m", Mount(kind=MountKind.TMPFS, target="/t", read_only=False, size_bytes=1 << 20)),
        ("type=secret,id=s", Mount(kind=MountKind.SECRET, id="s")),
        (
            "type=secret,id=s,env=TOKEN,required",
            Mount(kind=MountKind.SECRET, id="s", env="TOKEN", required=True),
        ),
        ("type=secret,target=/t,required=false", Mount(kind=MountKind.SECRET, target="/t")),
        ("type=ssh", Mount(kind=MountKind.SSH)),
        ('"target=/a,b"', Mount(target="/a,b")),
    ],
)
def test_mounts(flag: str, mount: Mount) -> None:
    assert parse_mount(flag) == mount


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("", "failed to parse csv mounts: EOF"),
        ("type=cach", 'unsupported mount type "cach" (did you mean cache?)'),
        ("typ=cache", "unexpected key 'typ' in 'typ=cache' (did you mean type?)"),
        ("target", "invalid field 'target' must be a key=value pair"),
        ("ro=maybe", "invalid value for ro: maybe"),
        ("rw=maybe", "invalid value for rw: maybe"),
        ("required", "unexpected key 'required' for mount type 'bind'"),
        ("type=secret,required=x", "invalid value for required: x"),
        ("size=1", "unexpected key 'size' for mount type 'bind'"),
        ("type=tmpfs,size=x", "invalid value for size: x"),
        ("type=cache,sharing=share", 'unsupported sharing value "share" (did you mean shared?)'),
        ("sharing=shared", "invalid cache sharing set for bind mount"),
        ("mode=755", 'mode not allowed for "bind" type mounts'),
        ("type=tmpfs,uid=1", 'uid not allowed for "tmpfs" type mounts'),
        ("gid=1", 'gid not allowed for "bind" type mounts'),
        ("type=cache,mode=9", "invalid value 9 for mode"),
        ("type=cache,uid=x", "invalid value x for uid"),
        ("type=secret", "invalid secret mount. one of source, target required"),
        ("type=secret,id=a,from=b", "secret mount should not have a from"),
        ("type=secret,id=a,sharing=shared", "secret mount should not define sharing"),
        ("type=secret,id=a,source=b", "both source and id can't be set"),
    ],
)
def test_mounts_that_are_none(flag: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse_mount(flag)
    assert caught.value.reason == message


def test_values_are_expanded_and_keys_are_not() -> None:
    mount = parse_mount("type=cache,target=$t,id=$i", lambda word: word.replace("$", "x"))
    assert (mount.target, mount.id) == ("xt", "xi")


@pytest.mark.parametrize("flag", ["target=$x", "from=a", "from=a$", "from"])
def test_what_may_be_right_once_variables_have_values(flag: str) -> None:
    check_mount(flag)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("From=$x", "'from' doesn't support variable expansion, define alias stage instead"),
        ('a"', 'failed to parse csv mounts: parse error on line 1, column 2: bare " in non-quoted-field'),
    ],
)
def test_what_cannot_be_right(flag: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        check_mount(flag)
    assert caught.value.reason == message


def test_origins() -> None:
    assert mount_origin("from=a,target=$x,from=b") == "b"
    assert mount_origin("target=x") == ""


@pytest.mark.parametrize(
    ("flag", "device"),
    [
        ("vendor.com/class=name", Device("vendor.com/class=name")),
        ("vendor.com/class", Device("vendor.com/class")),
        ("name=n,required", Device("n", required=True)),
        ("n,required=false", Device("n")),
        ("required", Device("", required=True)),
    ],
)
def test_devices(flag: str, device: Device) -> None:
    assert parse_device(flag) == device


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("", "failed to parse csv devices: EOF"),
        ("a,name=b", "device name already set to a"),
        ("a,b", "invalid field 'b' must be a key=value pair"),
        ("a,requird=true", "unexpected key 'requird' in 'requird=true' (did you mean required?)"),
        ("a,required=x", "invalid value for required: x"),
    ],
)
def test_devices_that_are_none(flag: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse_device(flag)
    assert caught.value.reason == message


def test_modes() -> None:
    assert parse_network("host") is NetworkMode.HOST
    assert parse_security("insecure") is SecurityMode.INSECURE
    with pytest.raises(DockerfileError, match=r'^invalid network mode "x"$'):
        parse_network("x")
    with pytest.raises(DockerfileError, match=r'^security "" is not valid$'):
        parse_security("")


@given(st.text("type=cache,rofmsz\"'1", max_size=20))
def test_any_flag_is_read_or_refused(flag: str) -> None:
    try:
        check_mount(flag)
        parse_mount(flag)
    except DockerfileError as error:
        assert error.reason
