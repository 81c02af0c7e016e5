"""Devices of the host as nodes and rules for a container: the one part of a spec that must look at the host."""

import os
import re
import stat
from collections.abc import Iterator
from typing import Final

import msgspec

from havre.base.errors import InvalidInput
from havre.engine.settings import DeviceWish, HostConfig
from havre.oci.runtime_spec import Device, DeviceRule
from havre.runtime import defaults

# ptmx is a link into the container's own devpts, console its own terminal.
_NOT_COPIED: Final = frozenset(["pts", "ptmx", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console"])
_RULE: Final = re.compile(r"([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]+)", re.ASCII)
_MAX_DEPTH: Final = 8


class Devices(msgspec.Struct, frozen=True):
    """The nodes to make besides the default ones, and all rules of the devices cgroup in order."""

    nodes: list[Device]
    rules: list[DeviceRule]


def find_devices(host: HostConfig) -> Devices:
    """What *host* asks for. Blocks a little; raises InvalidInput for a path that is no device."""
    if host.privileged:
        nodes = list(_walk("/dev", "/dev", "", 0))
        return Devices(nodes, [DeviceRule(allow=True, type="a", access="rwm")])
    nodes, rules = [], list(defaults.DEVICE_RULES)
    for wish in host.devices or ():
        for node in _wished(wish):
            nodes.append(node)
            access = wish.cgroup_permissions or "rwm"
            rules.append(DeviceRule(allow=True, type=node.type, major=node.major, minor=node.minor, access=access))
    rules += [_parse_rule(text) for text in host.device_cgroup_rules or ()]
    return Devices(nodes, rules)


def block_number(path: str) -> tuple[int, int]:
    """Major and minor number of a block device. Raises InvalidInput."""
    try:
        status = os.stat(path)  # noqa: PTH116  paths are text here
    except OSError as error:
        raise InvalidInput(f"stat {path}: {(error.strerror or '').lower()}") from error
    if not stat.S_ISBLK(status.st_mode):
        raise InvalidInput(f"{path} is not a block device")
    return os.major(status.st_rdev), os.minor(status.st_rdev)


def _wished(wish: DeviceWish) -> list[Device]:
    source = wish.path_on_host
    target = wish.path_in_container or source
    failed = f'error gathering device information while adding custom device "{source}": '
    try:
        status = os.stat(source)  # noqa: PTH116  follows links, as Docker does
    except OSError as error:
        raise InvalidInput(failed + (error.strerror or "").lower()) from error
    if stat.S_ISDIR(status.st_mode):
        found = list(_walk(source, target, wish.cgroup_permissions, 0))
    else:
        found = [device] if (device := _device(status, target)) is not None else []
    if not found:
        raise InvalidInput(f"{failed}not a device node")
    return found


def _walk(folder: str, target: str, access: str, depth: int) -> Iterator[Device]:
    """The devices below *folder*, which is the host's own /dev or what an administrator named; never a container's."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if folder == "/dev" and entry.name in _NOT_COPIED:
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        inside = f"{target}/{entry.name}"
        if stat.S_ISDIR(status.st_mode) and depth < _MAX_DEPTH:
            yield from _walk(entry.path, inside, access, depth + 1)
        elif (device := _device(status, inside)) is not None:
            yield device


def _device(status: os.stat_result, path: str) -> Device | None:
    kind = "c" if stat.S_ISCHR(status.st_mode) else "b" if stat.S_ISBLK(status.st_mode) else ""
    if not kind:
        return None
    return Device(
        path=path,
        type=kind,
        major=os.major(status.st_rdev),
        minor=os.minor(status.st_rdev),
        file_mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
    )


def _parse_rule(text: str) -> DeviceRule:
    found = _RULE.fullmatch(text)
    if found is None:
        raise InvalidInput(f"invalid device cgroup rule format: '{text}'")
    kind, major, minor, access = found.groups()
    return DeviceRule(
        allow=True,
        type=kind,
        major=None if major == "*" else int(major),
        minor=None if minor == "*" else int(minor),
        access=access,
    )
