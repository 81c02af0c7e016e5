"""A container's first process, forked ahead of need: a shim that waits keeps one, and hands it the order that fits.

What takes most of a start is the same for nearly every container: namespaces, cgroups, device rules, /proc, /dev and
what covers them. It is made while nothing else is asked for. An order that does not fit is born in the ordinary way.
"""

import contextlib
import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple

from msgspec import Raw
from msgspec.structs import replace

from havre.base.errors import HavreError
from havre.kernel.cgroups import Cgroups
from havre.kernel.cgroups.naming import children, rename
from havre.kernel.channel import Channel, ChannelClosed
from havre.kernel.mounts import MountFlag
from havre.kernel.namespaces import CLONE, clone3
from havre.kernel.overlay_options import takes_layers
from havre.kernel.overlays import detached_overlay
from havre.kernel.process import start_time
from havre.kernel.procfs import Proc
from havre.oci.runtime_spec import Linux, Mount, Resources
from havre.runtime.bundle import Bundle
from havre.runtime.defaults import DEVICE_RULES
from havre.runtime.init import cradle as child
from havre.runtime.init.finish import Pipes, Terminal
from havre.runtime.init.mount_options import Options, parse_options
from havre.runtime.init.mounts import detached_source
from havre.runtime.init.progress import Progress
from havre.runtime.init.stage import MASKED, NODES, READONLY
from havre.runtime.init.sysctls import own_namespaces
from havre.runtime.messages import Bear, Ready, decode_from_init, encode
from havre.runtime.spawn import CREATE_FAILED, Birth

_SPARE = "spare-"
_BINDS = 48  # they travel in one message: channel.DESCRIPTOR_LIMIT
_RULES = list(DEVICE_RULES)


class Place(NamedTuple):
    """Where cradles are made: *group* is the cgroup that one has until its container gives it a name.

    *empty* is a handle on a mount namespace with nothing in it.
    """

    cgroups: Cgroups
    proc: Proc
    group: str
    reap: Callable[[int], int]
    empty: int
    fail_at: str = ""


class Cradle:
    """A child that waits. It is taken once, or buried."""

    def __init__(self, place: Place, birth: Birth, channel: Channel) -> None:
        self._place = place
        self._birth = birth
        self._channel = channel
        self._group = place.group

    def show(self, packed: Raw) -> None:
        """Let the child read what it may become, while others do."""
        with contextlib.suppress(ChannelClosed):  # then it cannot be taken
            self._channel.send(bytes(packed))

    def take(self, bundle: Bundle, stdio: Pipes | Terminal, meanwhile: Callable[[], None]) -> Birth | None:
        """Let the child become *bundle*, which it was shown; None when it cannot, and then it is buried.

        *meanwhile* is called once the child is at work, and before it may execute the user's program.
        """
        try:
            if fits(bundle, self._place.group.rpartition("/")[0]):
                self._hand_over(bundle, stdio, meanwhile)
                return self._birth
        except (OSError, HavreError, ChannelClosed):
            pass  # it is born in the ordinary way, which meets the same and tells it
        self.bury()
        return None

    def bury(self) -> None:
        """End the child and take its cgroup away."""
        self._birth.bury()
        with contextlib.suppress(OSError, HavreError):
            self._place.cgroups.remove(self._group)

    def _hand_over(self, bundle: Bundle, stdio: Pipes | Terminal, meanwhile: Callable[[], None]) -> None:
        linux = bundle.spec.linux or Linux()
        with ExitStack() as handles:
            order, fds = _order(bundle, stdio, handles)
            self._channel.send(encode(order), fds)
        meanwhile()
        cgroups = self._place.cgroups
        rename(cgroups, self._group, linux.cgroups_path)
        self._group = linux.cgroups_path
        wanted = linux.resources
        if wanted is not None:
            cgroups.apply(self._group, replace(wanted, devices=None) if wanted.devices == _RULES else wanted)
        self._birth.tell()


def make_cradle(place: Place) -> Cradle | None:
    """Fork a child that waits; None where this host cannot, or the last one still has the cgroup."""
    if place.cgroups.version != 1 or not takes_layers(os.uname().release):
        return None
    try:
        with ExitStack() as undo:
            place.cgroups.create(place.group, beside=False)
            undo.callback(place.cgroups.remove, place.group)
            place.cgroups.apply(place.group, Resources(devices=_RULES))
            cradle = _fork(place)
            undo.pop_all()
    except (OSError, HavreError, ChannelClosed):
        return None
    return cradle


def sweep(cgroups: Cgroups, parent: str) -> None:
    """Take away what cradles in *parent* left whose launchers are no more; who still waits there waits for nobody."""
    for path in children(cgroups, parent):
        number = path.rpartition("/")[2].removeprefix(_SPARE)
        if number.isdecimal() and start_time(int(number)) is None:
            with contextlib.suppress(OSError, HavreError):
                cgroups.kill(path)
                cgroups.remove(path)


def group_of(launcher_pid: int, parent: str) -> str:
    """The cgroup of a launcher's cradle: one at a time has it."""
    return f"{parent}/{_SPARE}{launcher_pid}"


def _fork(place: Place) -> Cradle:
    progress = Progress(place.fail_at)
    ours, theirs = Channel.pair()
    with ExitStack() as undo:
        undo.callback(ours.close)
        try:
            pid, pidfd = clone3(child.FLAGS | CLONE.PARENT | CLONE.CLEAR_SIGHAND)
            if pid == 0:
                child.wait(child.Crib(theirs, progress, place.cgroups, place.group, place.proc, place.empty))
        finally:
            theirs.close()
        undo.pop_all()
        birth = Birth(pid, pidfd, ours, progress, CREATE_FAILED)
        birth.reap = place.reap
        undo.callback(birth.bury)
        data, _ = ours.receive()
        if not isinstance(decode_from_init(data), Ready):
            raise ChannelClosed("the child could not make its mounts")
        undo.pop_all()
    return Cradle(place, birth, ours)


def fits(bundle: Bundle, parent: str) -> bool:
    """Whether a cradle whose cgroup lies in *parent* can become *bundle*: what is made must be what it asks for."""
    spec, linux = bundle.spec, bundle.spec.linux
    return (
        linux is not None
        and linux.cgroups_path.rpartition("/")[0] == parent
        and not (bundle.on_ramdisk or bundle.keep_fds or spec.hooks or bundle.tool)
        and not (linux.uid_mappings or linux.gid_mappings or linux.rootfs_propagation)
        and (bool(bundle.seccomp_program) or linux.seccomp is None)
        and _namespaces_fit(linux)
        and set(MASKED) <= set(linux.masked_paths or ())
        and set(READONLY) <= set(linux.readonly_paths or ())
        and NODES.isdisjoint(device.path for device in linux.devices or ())
        and _mounts_fit(bundle)
    )


def _namespaces_fit(linux: Linux) -> bool:
    made = {entry.type for entry in linux.namespaces or () if not entry.path}
    joined = {entry.type for entry in linux.namespaces or () if entry.path}
    return made - {"network"} == child.MADE_TYPES and joined <= {"network"}


def _mounts_fit(bundle: Bundle) -> bool:
    """Mounts come from outside as detached ones: an overlay as the root, and what nothing of the host spreads to."""
    roots = bundle.rootfs_mounts
    if len(roots) != 1 or roots[0].type != "overlay":
        return False
    binds = [options for _, _, options in _binds(bundle)]
    return len(binds) <= _BINDS and all(
        options.propagation == MountFlag.PRIVATE and options.propagation_recursive >= options.recursive
        for options in binds
    )


def _binds(bundle: Bundle) -> "list[tuple[int, Mount, Options]]":
    """(number of the mount, the mount, its options) of each bind mount."""
    every = (
        (n, entry, parse_options(entry.options, kind=entry.type)) for n, entry in enumerate(bundle.spec.mounts or ())
    )
    return [one for one in every if one[2].bind]


def _order(bundle: Bundle, stdio: Pipes | Terminal, handles: ExitStack) -> "tuple[Bear, list[int]]":
    """The message and its descriptors; what is opened for it here is closed with *handles*."""
    fds = [_root(bundle.rootfs_mounts[0])]
    handles.callback(os.close, fds[0])
    if not isinstance(stdio, Terminal):
        fds += stdio
    namespaces = (bundle.spec.linux or Linux()).namespaces or ()
    path = next((entry.path for entry in namespaces if entry.type == "network"), None)
    if path:
        fds.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        handles.callback(os.close, fds[-1])
    sources = []
    for number, entry, options in _binds(bundle):
        fds.append(detached_source(entry.source, options))
        handles.callback(os.close, fds[-1])
        sources.append(number)
    own = own_namespaces([(entry.type, entry.path) for entry in namespaces])
    return Bear(sorted(own), "host" if path is None else "join" if path else "make", sources), fds


def _root(entry: Mount) -> int:
    options = parse_options(entry.options, kind=entry.type)
    pairs = [(key, value) for key, _, value in (option.partition("=") for option in options.data)]
    lowers = next(value for key, value in pairs if key == "lowerdir").split(":")
    rest = [("source", "overlay"), *(pair for pair in pairs if pair[0] != "lowerdir")]
    return detached_overlay(lowers, rest, options.attr_set)
