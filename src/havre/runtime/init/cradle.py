"""A child that is born before anybody knows what it will be: on its stage, in its cgroup, waiting for its order."""

import os
from typing import NamedTuple, NoReturn

from msgspec import Raw

from havre.kernel.capabilities import NUMBERS
from havre.kernel.cgroups import Cgroups
from havre.kernel.channel import Channel, ChannelClosed
from havre.kernel.namespaces import CLONE, unshare
from havre.kernel.process import set_name, set_parent_death_signal
from havre.kernel.procfs import Proc
from havre.oci.runtime_spec import Capabilities, Linux, Namespace, Process, Root, Spec
from havre.runtime.bundle import Bundle
from havre.runtime.init import finish, main
from havre.runtime.init.progress import Progress
from havre.runtime.init.rehearsal import rehearse
from havre.runtime.init.stage import MADE, MASKED, READONLY, Stage, join_group
from havre.runtime.messages import Ready, decode_bear, decode_bundle, encode

_SIGKILL = 9
MADE_TYPES = frozenset({"mount", "pid", "ipc", "uts", "cgroup"})
"""The namespaces that are made ahead; that of the network comes with the order, if at all."""

FLAGS = CLONE.NEWPID | CLONE.NEWIPC | CLONE.NEWUTS
"""Those of clone3(2); that of mounts comes with the stage, and that of the cgroup once it is joined."""


class Crib(NamedTuple):
    """What the child is born with; *empty* is a handle on a mount namespace with nothing in it."""

    channel: Channel
    progress: Progress
    cgroups: Cgroups
    group: str
    proc: Proc
    empty: int


def wait(crib: Crib) -> NoReturn:
    """Never returns: the user's program, a word to the parent and the end, or the end when nobody has a use for it."""
    try:
        set_parent_death_signal(_SIGKILL)
        join_group(crib.cgroups, crib.group)
        stage = Stage(crib.cgroups, crib.group, crib.empty)
        # With copies of other ends, the end of who holds them would not be seen; nor is any of it ours to keep.
        finish.keep_only([crib.channel.fileno(), crib.proc.fd, stage.fileno()])
        set_name("havre-cradle")
        crib.channel.send(encode(Ready()))
        rehearse(_usual(), crib.proc)
        newborn = _take_order(crib, stage)
    except ChannelClosed:
        os._exit(0)
    except BaseException as error:  # noqa: BLE001  the outermost loop of this process: all is told to the parent
        finish.Report(crib.channel, crib.progress).die_of(error)
    main.become(newborn)


def _usual() -> Process:
    """A process like most, out of a bundle like most that is opened as one that was sent."""
    sets = list(NUMBERS)
    process = Process(
        args=["sh"],
        env=["PATH=/bin"],
        cwd="/",
        capabilities=Capabilities(bounding=sets, effective=sets, permitted=sets, inheritable=[], ambient=[]),
        oom_score_adj=0,
    )
    linux = Linux(
        cgroups_path="/",
        namespaces=[Namespace(type=kind) for kind in MADE_TYPES],
        masked_paths=list(MASKED),
        readonly_paths=list(READONLY),
    )
    spec = Spec(oci_version="1.2.0", process=process, root=Root(path="/"), mounts=list(MADE), linux=linux)
    return decode_bundle(Raw(encode(Bundle(id="", run_dir="", spec=spec)))).spec.process or process


def _take_order(crib: Crib, stage: Stage) -> main.Newborn:
    packed, _ = crib.channel.receive()
    bundle = decode_bundle(Raw(packed))
    data, fds = crib.channel.receive()
    order = decode_bear(data)
    fds.reverse()
    root = fds.pop()
    stdio: finish.Pipes | finish.Terminal
    if bundle.stdio.terminal:
        stdio = finish.Terminal(bundle.stdio.console_height, bundle.stdio.console_width)
    else:
        stdio = (fds.pop(), fds.pop(), fds.pop())
    joins = [(fds.pop(), int(CLONE.NEWNET))] if order.network == "join" else []
    made = int(FLAGS | CLONE.NEWNS)
    if order.network == "make":
        unshare(CLONE.NEWNET)
        made |= int(CLONE.NEWNET)
    return main.Newborn(
        bundle=bundle,
        channel=crib.channel,
        progress=crib.progress,
        stdio=stdio,
        cgroups=None,
        proc=crib.proc,
        joins=joins,
        made=made,
        own=frozenset(order.own),
        sources={number: fds.pop() for number in order.sources},
        program=bundle.seccomp_program,
        views=None,
        go=None,
        stage=stage,
        root=root,
    )
