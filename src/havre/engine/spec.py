"""From a container's record to what the runtime is handed: pure, and the one place where the API's words end."""

import os
from pathlib import Path
from typing import Final

import msgspec

from havre.base.atomic import write_file
from havre.engine.cdi import edited, group_numbers, node_of_host
from havre.engine.cdi_files import Edits
from havre.engine.device_nodes import Devices, block_number
from havre.engine.host import HostFacts
from havre.engine.limits_spec import DeviceNumber, resources
from havre.engine.log_target import log_target
from havre.engine.model import HOST, SHARED, BindMount, Record
from havre.engine.mounts_spec import mounts_of
from havre.engine.places import Places
from havre.engine.process_spec import container_process
from havre.oci.runtime_spec import VERSION, Linux, Namespace, Root, Seccomp, Spec
from havre.runtime.bundle import Bundle, Stdio
from havre.runtime.defaults import CGROUP_PARENT

_PRIVATE_NETWORK_SYSCTLS: Final = {
    "net.ipv4.ip_unprivileged_port_start": "0",
    "net.ipv4.ping_group_range": "0 2147483647",
}


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the host adds to a record: facts, places, devices, a compiled filter (empty: none).

    With *tool*, the command of a foreign runtime, the filter is *seccomp_rules*. *edits* are those of CDI devices.
    *link_environment* tells of the containers that it is linked to.
    """

    facts: HostFacts
    places: Places
    devices: Devices
    seccomp_program: bytes = b""
    seccomp_rules: Seccomp | None = None
    cgroup_parent: str = CGROUP_PARENT
    tool: tuple[str, ...] = ()
    edits: tuple[Edits, ...] = ()
    link_environment: tuple[str, ...] = ()


def build_bundle(record: Record, around: Surroundings) -> Bundle:
    """All that the runtime needs to start the container of *record*."""
    config, host = record.config, record.host
    height, width = host.console_size
    return Bundle(
        id=record.id,
        spec=edited(build_spec(record, around), around.edits, node_of_host),
        run_dir=around.places.run_dir,
        rootfs_mounts=[
            msgspec.structs.replace(mount, destination=around.places.root) for mount in around.places.root_mounts
        ],
        stdio=Stdio(
            terminal=config.tty,
            stdin=config.open_stdin,
            stdin_once=config.stdin_once,
            console_height=height,
            console_width=width,
        ),
        log=log_target(record, around.places.log_path),
        seccomp_program=around.seccomp_program,
        user=config.user or "0",
        groups=[*(host.group_add or ()), *group_numbers(around.edits)],
        make_cwd=True,
        tool=list(around.tool),
    )


def write_config(bundle: Bundle) -> None:
    """Write the spec where hooks look for it: in the folder that they are told is the bundle. Blocks."""
    os.makedirs(bundle.run_dir, 0o700, exist_ok=True)  # noqa: PTH103  pathlib's has no mode for parents
    write_file(Path(bundle.run_dir) / "config.json", msgspec.json.encode(bundle.spec), durable=False)


def build_spec(record: Record, around: Surroundings, number_of: DeviceNumber = block_number) -> Spec:
    """The runtime spec of *record*. *number_of* is asked for block devices with limits only."""
    host, places, facts = record.host, around.places, around.facts
    return Spec(
        oci_version=VERSION,
        process=container_process(record, facts, places.hostname, around.link_environment),
        root=Root(path=places.root, readonly=host.readonly_rootfs),
        hostname="" if host.uts_mode == HOST else places.hostname,
        domainname="" if host.uts_mode == HOST else record.config.domainname,
        mounts=mounts_of(record, places),
        annotations=host.annotations,
        linux=Linux(
            sysctl=_sysctls(record),
            resources=resources(host, facts, around.devices.rules, number_of),
            cgroups_path=cgroup_path(record, around.cgroup_parent),
            namespaces=_namespaces(record, places),
            devices=around.devices.nodes or None,
            rootfs_propagation=_root_propagation(record),
            masked_paths=list(host.masked_paths or ()) or None,
            readonly_paths=list(host.readonly_paths or ()) or None,
            seccomp=around.seccomp_rules,
        ),
    )


def cgroup_path(record: Record, parent: str = CGROUP_PARENT) -> str:
    """The container's cgroup: its id, below the parent that it or the engine asks for."""
    own = record.host.cgroup_parent or parent
    return f"/{own.strip('/')}/{record.id}"


def _root_propagation(record: Record) -> str:
    """What the mounts ask for reaches the host, or comes from there, only if the root lets it through."""
    wanted = {mount.propagation.removeprefix("r") for mount in record.mounts if isinstance(mount, BindMount)}
    if "shared" in wanted:
        return "shared"
    return "rslave" if "slave" in wanted else ""


def _sysctls(record: Record) -> dict[str, str] | None:
    mode = record.host.network_mode
    given = record.host.sysctls or {}
    if mode == HOST or mode.startswith(SHARED):
        return given or None
    return {**_PRIVATE_NETWORK_SYSCTLS, **given}


def _namespaces(record: Record, places: Places) -> list[Namespace]:
    host = record.host
    namespaces = [Namespace(type="mount")]
    if host.network_mode != HOST:
        namespaces.append(Namespace(type="network", path=places.network_namespace))
    if host.uts_mode != HOST:
        namespaces.append(Namespace(type="uts"))
    if host.pid_mode != HOST:
        namespaces.append(Namespace(type="pid", path=places.pid_namespace))
    if host.ipc_mode != HOST:
        namespaces.append(Namespace(type="ipc", path=places.ipc_namespace))
    if host.cgroupns_mode != HOST:
        namespaces.append(Namespace(type="cgroup"))
    return namespaces
