"""The texts are those of Debian's dockerd 20.10, read off it."""

from __future__ import annotations

from typing import cast

import pytest

from havre.base.errors import InvalidInput
from havre.engine.model import BindMount, ResolvedMount, TmpfsMount, VolumeMount
from havre.engine.mount_wishes import inherited, parse_bind, resolve_mounts, tmpfs_options
from havre.engine.settings import parse_config, parse_host
from havre.wire.containers import CreateContainer

BIND = 'invalid mount config for type "bind": '


def exists(path: str) -> bool:
    return path != "/nope"


def resolve(*, volumes: object = None, **host: object) -> tuple[ResolvedMount, ...]:
    given = cast("CreateContainer", {"HostConfig": host, "Volumes": volumes})
    return resolve_mounts(parse_config(given), parse_host(given), exists)


REFUSALS: list[tuple[dict[str, object], str]] = [
    ({"Binds": ["a:b:c:d"]}, "invalid volume specification: 'a:b:c:d'"),
    (
        {"Binds": ["/tmp:b"]},
        f"invalid volume specification: '/tmp:b': {BIND}invalid mount path: 'b' mount path must be absolute",
    ),
    (
        {"Binds": ["/tmp:/"]},
        f"invalid volume specification: '/tmp:/': {BIND}invalid specification: destination can't be '/'",
    ),
    (
        {"Binds": ["rel/x:/b"]},
        (
            'create rel/x: "rel/x" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        ),
    ),
    ({"Binds": ["/tmp:/b:zz"]}, "invalid mode: zz"),
    ({"Binds": ["/tmp:/b:ro,rw"]}, "invalid mode: ro,rw"),
    ({"Binds": ["/tmp:/b", "/tmp:/b"]}, "Duplicate mount point: /b"),
    ({"Binds": ["/tmp:/b", "/tmp:/b/./"]}, "Duplicate mount point: /b"),
    (
        {"Binds": ["/tmp:/b:nocopy"]},
        f"invalid volume specification: '/tmp:/b:nocopy': {BIND}field VolumeOptions must not be specified",
    ),
    (
        {"Mounts": [{"Type": "bind", "Source": "/nope", "Target": "/x"}]},
        f"{BIND}bind source path does not exist: /nope",
    ),
    ({"Mounts": [{"Type": "bind", "Source": "", "Target": "/x"}]}, f"{BIND}field Source must not be empty"),
    ({"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": ""}]}, f"{BIND}field Target must not be empty"),
    (
        {"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "rel"}]},
        f"{BIND}invalid mount path: 'rel' mount path must be absolute",
    ),
    (
        {"Mounts": [{"Type": "bind", "Source": "tmp", "Target": "/x"}]},
        f"{BIND}invalid mount path: 'tmp' mount path must be absolute",
    ),
    (
        {"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "/"}]},
        f"{BIND}invalid specification: destination can't be '/'",
    ),
    (
        {"Mounts": [{"Type": "zz", "Source": "/tmp", "Target": "/x"}]},
        'invalid mount config for type "zz": mount type unknown',
    ),
    (
        {"Mounts": [{"Type": "", "Source": "/tmp", "Target": "/x"}]},
        'invalid mount config for type "": mount type unknown',
    ),
    (
        {"Mounts": [{"Type": "tmpfs", "Source": "/tmp", "Target": "/x"}]},
        'invalid mount config for type "tmpfs": field Source must not be specified',
    ),
    (
        {"Mounts": [{"Type": "tmpfs", "Target": "/x", "BindOptions": {}}]},
        'invalid mount config for type "tmpfs": field BindOptions must not be specified',
    ),
    (
        {"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "/x", "VolumeOptions": {}}]},
        f"{BIND}field VolumeOptions must not be specified",
    ),
    (
        {"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "/x", "BindOptions": {"Propagation": "zz"}}]},
        f"{BIND}invalid propagation mode: zz",
    ),
    (
        {"Binds": ["/tmp:/x"], "Mounts": [{"Type": "tmpfs", "Target": "/x"}]},
        "Duplicate mount point: /x",
    ),
    ({"Tmpfs": {"/x": ""}, "Binds": ["/tmp:/x"]}, "Duplicate mount point: /x"),
    ({"Tmpfs": {"rel": ""}}, "invalid mount path: 'rel' mount path must be absolute"),
    ({"Tmpfs": {"/": ""}}, "invalid specification: destination can't be '/'"),
    ({"Tmpfs": {"/x": "zz"}}, 'invalid tmpfs option ["zz"]'),
    ({"Tmpfs": {"/x": "size="}}, 'invalid tmpfs option ["size" ""]'),
]


@pytest.mark.parametrize(("host", "message"), REFUSALS)
def test_refusals_in_dockers_words(host: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        resolve(**host)
    assert str(wrong.value) == message


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({"Binds": ["vol:/x"]}, VolumeMount(name="vol", destination="/x", mode="z")),
        (
            {"Binds": ["vol:/x/:ro,nocopy"]},
            VolumeMount(name="vol", destination="/x", mode="ro,nocopy", writable=False, copy=False),
        ),
        ({"Binds": ["/x"]}, VolumeMount(destination="/x")),
        (
            {"Mounts": [{"Type": "volume", "Source": "vol", "Target": "/x", "ReadOnly": True}]},
            VolumeMount(name="vol", destination="/x", mode="z", writable=False),
        ),
        (
            {"Mounts": [{"Type": "volume", "Target": "/x", "VolumeOptions": {"NoCopy": True, "Labels": {"a": "b"}}}]},
            VolumeMount(destination="/x", mode="z", copy=False, labels={"a": "b"}),
        ),
    ],
)
def test_volumes(host: dict[str, object], expected: VolumeMount) -> None:
    assert resolve(**host) == (expected,)


def test_volumes_from_give_what_is_not_there() -> None:
    own = (BindMount(source="/s", destination="/a"), VolumeMount(destination="/b"))
    donor = (
        VolumeMount(name="v1", destination="/a"),
        VolumeMount(name="v2", destination="/b", mode="z"),
        TmpfsMount(destination="/t"),
        BindMount(source="/s", destination="/c"),
    )
    assert inherited(own, donor, "ro") == [
        VolumeMount(name="v2", destination="/b", mode="ro", writable=False),
        BindMount(source="/s", destination="/c", mode="ro", writable=False),
    ]


def test_a_missing_source_of_the_short_form_will_be_made() -> None:
    assert parse_bind("/nope:/x") == BindMount(source="/nope", destination="/x", make_source=True)


@pytest.mark.parametrize(
    ("text", "writable", "propagation"),
    [("/a:/b:ro", False, "rprivate"), ("/a:/b:rw,rshared", True, "rshared"), ("/a:/b:z,slave,ro", False, "slave")],
)
def test_modes(text: str, writable: bool, propagation: str) -> None:  # noqa: FBT001  a row of the table
    mount = parse_bind(text)
    assert isinstance(mount, BindMount)
    assert (mount.writable, mount.propagation, mount.mode) == (writable, propagation, text.split(":")[2])


def test_the_long_form() -> None:
    options = {"NonRecursive": True, "CreateMountpoint": True}
    (mount,) = resolve(
        Mounts=[{"Type": "bind", "Source": "/nope", "Target": "/x/", "ReadOnly": True, "BindOptions": options}]
    )
    assert mount == BindMount(
        source="/nope",
        destination="/x",
        writable=False,
        recursive=False,
        recursive_read_only=False,
        make_source=True,
    )


def test_tmpfs_of_the_long_form() -> None:
    (mount,) = resolve(
        Mounts=[{"Type": "tmpfs", "Target": "/x", "TmpfsOptions": {"SizeBytes": 5, "Mode": 0o1777}, "ReadOnly": True}]
    )
    assert mount == TmpfsMount(
        destination="/x", options=("noexec", "nosuid", "nodev", "size=5", "mode=1777", "ro"), writable=False
    )


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", ("noexec", "nosuid", "nodev")),
        ("exec", ("nosuid", "nodev", "exec")),
        ("size=1m,size=2m", ("noexec", "nosuid", "nodev", "size=2m")),
        ("rw,ro", ("noexec", "nosuid", "nodev", "ro")),
        ("defaults,uid=5", ("noexec", "nosuid", "nodev", "uid=5")),
    ],
)
def test_the_last_of_contradicting_options_counts(given: str, wanted: tuple[str, ...]) -> None:
    assert tmpfs_options([option for option in given.split(",") if option]) == wanted


def test_declared_volumes_that_no_mount_serves_become_anonymous() -> None:
    mounts = resolve(volumes={"/a": {}, "/b/": {}}, Binds=["/s:/b"])
    assert mounts[1:] == (VolumeMount(destination="/a"),)
    with pytest.raises(InvalidInput):
        resolve(volumes={"rel": {}})
