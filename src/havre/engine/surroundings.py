"""Finding and preparing what a start needs of the host: namespaces of others, files, devices, the filter."""

import os
from contextlib import AsyncExitStack

from msgspec.structs import replace

from havre.base.errors import Conflict, InvalidInput, NotSupported
from havre.base.tasks import in_thread
from havre.engine.cdi import edits_of, wanted_devices
from havre.engine.cdi_files import Edits, read_devices
from havre.engine.container_volumes import mount_all
from havre.engine.device_nodes import find_devices
from havre.engine.links import link_environment
from havre.engine.model import HOST, SHARED, BindMount, Record
from havre.engine.network_wishes import wanted_networks
from havre.engine.own_files import FILES, network_wishes, write_own_files
from havre.engine.parts import Parts
from havre.engine.places import Places
from havre.engine.process_spec import capabilities_of
from havre.engine.propagation import check_propagation, propagating
from havre.engine.roster import Container
from havre.engine.security import parse_security
from havre.engine.shared_memory import folder_of, mount_shared_memory, unmount_shared_memory
from havre.engine.spec import Surroundings
from havre.engine.staged import stage
from havre.engine.validate import check_runtime
from havre.networks.model import Attachment, Wishes
from havre.runtime import defaults


async def connect(parts: Parts, record: Record) -> Attachment:
    """Give the container its networks. Raises NoSuchNetwork, NoSuchContainer, Conflict and what a network may raise."""
    mode = record.host.network_mode
    if mode.startswith(SHARED):
        donor = _running(parts, mode, "network")
        return await parts.networks.attach(record.id, Wishes(shared=f"/proc/{donor.record.pid}/ns/net"))
    return await parts.networks.attach(record.id, network_wishes(parts, record, wanted_networks(record)))


async def prepare(parts: Parts, record: Record, attachment: Attachment, undo: AsyncExitStack) -> Surroundings:
    """Write and find everything else. What stands on the host is pushed on *undo*."""
    host = record.host
    if not host.network_mode.startswith(SHARED):
        write_own_files(parts, record, attachment)
    if any(isinstance(mount, BindMount) and mount.make_source for mount in record.mounts):
        await in_thread(_make_sources, record)
    if passing := propagating(record.mounts):
        await in_thread(check_propagation, passing)
    await mount_all(parts, record, undo)
    staged = await stage(parts, record, undo)
    memory = await _shared_memory(parts, record, undo)
    simple = not (host.privileged or host.devices)
    devices = find_devices(host) if simple else await in_thread(find_devices, host)
    profile = parse_security(host.security_opt or (), privileged=host.privileged).seccomp
    capabilities = capabilities_of(host, parts.facts)
    check_runtime(host, parts.settings.runtimes)
    tool = parts.settings.runtimes.get(host.runtime, ())
    return Surroundings(
        facts=parts.facts,
        places=replace(_places(parts, record, attachment, memory), staged=staged),
        devices=devices,
        link_environment=link_environment(parts, record),
        seccomp_program=b"" if tool else await parts.filters.program(profile, capabilities),
        seccomp_rules=parts.filters.rules(profile, capabilities) if tool else None,
        tool=tool,
        edits=await in_thread(_edits, parts, record) if host.device_requests else (),
        cgroup_parent=parts.settings.cgroup_parent,
    )


def _edits(parts: Parts, record: Record) -> tuple[Edits, ...]:
    known = read_devices(parts.settings.cdi_folders)
    return tuple(edits_of(wanted_devices(record.host.device_requests or (), known), known))


def _places(parts: Parts, record: Record, attachment: Attachment, memory: str) -> Places:
    folders, host = parts.folders, record.host
    owner, hostname = record.id, record.config.hostname
    if host.network_mode.startswith(SHARED):
        donor = parts.roster.get(host.network_mode.removeprefix(SHARED))
        owner, hostname = donor.id, donor.record.config.hostname
    files = {name: str(folders.container(owner) / name) for name in FILES}
    return Places(
        root=str(parts.snapshots.target(record.id)),
        root_mounts=parts.snapshots.mounts(record.id),
        run_dir=str(folders.run(record.id)),
        log_path=str(folders.log(record.id)),
        hostname=hostname,
        network_namespace=attachment.netns_path,
        pid_namespace=_namespace(parts, host.pid_mode, "pid", "PID"),
        ipc_namespace=_namespace(parts, host.ipc_mode, "ipc", "IPC"),
        shared_memory=memory,
        resolv_conf=files["resolv.conf"],
        hostname_file=files["hostname"],
        hosts=files["hosts"],
        init=(parts.settings.init_path or _init()) if host.init else "",
    )


def _namespace(parts: Parts, mode: str, kind: str, word: str) -> str:
    if not mode.startswith(SHARED):
        return ""
    return f"/proc/{_running(parts, mode, word).record.pid}/ns/{kind}"


def _running(parts: Parts, mode: str, word: str) -> Container:
    donor = parts.roster.get(mode.removeprefix(SHARED))
    if not donor.record.alive:
        raise Conflict(f"cannot join {word} of a non running container: {donor.id}")
    return donor


async def _shared_memory(parts: Parts, record: Record, undo: AsyncExitStack) -> str:
    mode, root = record.host.ipc_mode, parts.folders.exec_root
    if mode == HOST:
        return "/dev/shm"  # noqa: S108  the host's own is what was asked for
    if mode == "shareable":
        undo.push_async_callback(in_thread, unmount_shared_memory, root, record.id)
        return await in_thread(mount_shared_memory, root, record.id, record.host.shm_size)
    if not mode.startswith(SHARED):
        return ""
    donor = _running(parts, mode, "IPC")
    if donor.record.host.ipc_mode == HOST:
        return "/dev/shm"  # noqa: S108  as above
    if donor.record.host.ipc_mode != "shareable":
        raise InvalidInput(
            f"can't join IPC of container {donor.id}: non-shareable IPC "
            "(hint: use IpcMode:shareable for the donor container)"
        )
    return str(folder_of(root, donor.id))


def _make_sources(record: Record) -> None:
    """Folders of the host that `-v` names and that are not there, as Docker makes them."""
    for mount in record.mounts:
        if isinstance(mount, BindMount) and mount.make_source:
            try:
                os.makedirs(mount.source, 0o755, exist_ok=True)  # noqa: PTH103  the user's own path
            except FileExistsError:
                continue  # a file is as good
            except OSError as failed:
                raise InvalidInput(
                    f"error while creating mount source path '{mount.source}': mkdir {mount.source}: {failed.strerror}"
                ) from failed


def _init() -> str:
    found = defaults.find_init()
    if found is None:
        raise NotSupported("--init needs docker-init, tini or catatonit on this host, and none is installed")
    return found
