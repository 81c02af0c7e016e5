"""Which orders a child that was born ahead can take."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from havre.oci.runtime_spec import Device, Hook, Hooks, IDMapping, Linux, Mount, Namespace, Root, Seccomp, Spec
from havre.runtime import defaults
from havre.runtime.bundle import Bundle
from havre.runtime.cradle import fits, group_of

_LAYERS = ["lowerdir=/l", "upperdir=/u", "workdir=/w"]
_OVERLAY = Mount(destination="/", type="overlay", source="overlay", options=_LAYERS)
_PARENT = "/havre"


def usual() -> Bundle:
    kinds = ("mount", "pid", "ipc", "uts", "cgroup")
    network = Namespace(type="network", path="/run/netns/x")
    return Bundle(
        id="one",
        run_dir="/run/one",
        rootfs_mounts=[_OVERLAY],
        seccomp_program=b"program",
        spec=Spec(
            oci_version="1.2.0",
            root=Root(path="/root"),
            mounts=[*defaults.default_mounts(), bind("rbind", "rprivate")],
            linux=Linux(
                cgroups_path="/havre/one",
                namespaces=[*(Namespace(type=kind) for kind in kinds), network],
                masked_paths=list(defaults.masked_paths()),
                readonly_paths=list(defaults.READONLY_PATHS),
            ),
        ),
    )


def bind(*options: str) -> Mount:
    return Mount(destination="/etc/hosts", type="bind", source="/hosts", options=list(options))


def linux(**changes: object) -> Callable[[Bundle], Bundle]:
    return lambda given: replace(given, spec=replace(given.spec, linux=replace(given.spec.linux or Linux(), **changes)))


def spec(**changes: object) -> Callable[[Bundle], Bundle]:
    return lambda given: replace(given, spec=replace(given.spec, **changes))


def bundle(**changes: object) -> Callable[[Bundle], Bundle]:
    return lambda given: replace(given, **changes)


def without(kind: str) -> Callable[[Bundle], Bundle]:
    def change(given: Bundle) -> Bundle:
        kept = [one for one in (given.spec.linux or Linux()).namespaces or () if one.type != kind]
        return linux(namespaces=kept)(given)

    return change


def shared(kind: str) -> Callable[[Bundle], Bundle]:
    def change(given: Bundle) -> Bundle:
        kept = (without(kind)(given).spec.linux or Linux()).namespaces or []
        return linux(namespaces=[*kept, Namespace(type=kind, path="/proc/1/ns/x")])(given)

    return change


def test_the_usual_container_fits() -> None:
    assert fits(usual(), _PARENT)


@pytest.mark.parametrize(
    "change",
    [
        without("network"),
        shared("network"),
        spec(mounts=[]),
        spec(mounts=[bind("bind", "rprivate")]),
        linux(devices=[Device(path="/dev/fuse", type="c", major=10, minor=229)]),
        linux(masked_paths=[*defaults.masked_paths(), "/proc/more"]),
    ],
)
def test_what_fits_as_well(change: Callable[[Bundle], Bundle]) -> None:
    assert fits(change(usual()), _PARENT)


@pytest.mark.parametrize(
    "change",
    [
        *(without(kind) for kind in ("pid", "ipc", "uts", "cgroup")),
        *(shared(kind) for kind in ("pid", "ipc", "uts")),
        linux(cgroups_path="/elsewhere/one"),
        linux(masked_paths=None),
        linux(readonly_paths=["/proc/sys"]),
        linux(rootfs_propagation="shared"),
        linux(uid_mappings=[IDMapping(container_id=0, host_id=1, size=1)]),
        linux(devices=[Device(path="/dev/null", type="c", major=1, minor=5)]),
        spec(linux=None),
        spec(hooks=Hooks(create_container=[Hook(path="/bin/true")])),
        spec(mounts=[bind("rbind")]),
        spec(mounts=[bind("rbind", "private")]),
        spec(mounts=[bind("rbind", "rshared")]),
        spec(mounts=[bind("bind", "private")] * 60),
        bundle(rootfs_mounts=[]),
        bundle(rootfs_mounts=[bind("bind")]),
        bundle(on_ramdisk=True),
        bundle(keep_fds=1),
    ],
)
def test_what_is_born_in_the_ordinary_way(change: Callable[[Bundle], Bundle]) -> None:
    assert not fits(change(usual()), _PARENT)


def test_a_filter_that_is_still_to_be_compiled() -> None:
    bare = bundle(seccomp_program=b"")(usual())
    assert fits(bare, _PARENT)
    assert not fits(linux(seccomp=Seccomp(default_action="SCMP_ACT_ALLOW"))(bare), _PARENT)


def test_the_group_of_a_launcher() -> None:
    assert group_of(7, _PARENT) == "/havre/spare-7"
