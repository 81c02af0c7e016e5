"""A bundle's config.json as a specification that this runtime can carry out, or a refusal that names the reason."""

import re
from pathlib import Path

import msgspec

from havre.base.errors import InvalidInput, NotFound, NotSupported
from havre.oci import runtime_spec
from havre.oci.runtime_spec import DeviceRule, Linux, Process, Resources, Spec

CONFIG = "config.json"
_VERSION = re.compile(r"1\.[0-3](\.[0-9]{1,4})?(-[0-9A-Za-z.+-]{1,64})?")


# The nodes that each container gets (config-linux.md, "Default Devices") must also open: null, zero, full, random,
# urandom, tty, ptmx and the terminals; any node may be made.
_OWN_RULES = (
    DeviceRule(allow=True, type="c", access="m"),
    DeviceRule(allow=True, type="b", access="m"),
    *(DeviceRule(allow=True, type="c", major=1, minor=minor) for minor in (3, 5, 7, 8, 9)),
    DeviceRule(allow=True, type="c", major=5, minor=0),
    DeviceRule(allow=True, type="c", major=5, minor=2),
    DeviceRule(allow=True, type="c", major=136),
)


_EMPTY = (b"null", b"{}", b"[]", b'""')
_NOTHING = msgspec.Raw(b"null")


class _ProcessExtras(msgspec.Struct, rename="camel"):
    scheduler: msgspec.Raw = _NOTHING
    io_priority: msgspec.Raw = _NOTHING
    exec_cpu_affinity: msgspec.Raw = msgspec.field(name="execCPUAffinity", default=_NOTHING)


class _SeccompExtras(msgspec.Struct, rename="camel"):
    listener_path: str | None = None


class _LinuxExtras(msgspec.Struct, rename="camel"):
    intel_rdt: msgspec.Raw = _NOTHING
    memory_policy: msgspec.Raw = _NOTHING
    net_devices: msgspec.Raw = _NOTHING
    personality: msgspec.Raw = _NOTHING
    time_offsets: msgspec.Raw = _NOTHING
    seccomp: _SeccompExtras | None = None


class _Extras(msgspec.Struct):
    """The parts of the specification that are read only to be refused: silence would be a broken promise."""

    process: _ProcessExtras | None = None
    linux: _LinuxExtras | None = None


def load(bundle: Path, container_id: str, *, with_cgroups: bool) -> Spec:
    """The specification in *bundle*, its root an absolute path and its cgroup named.

    Raises NotFound, InvalidInput or NotSupported.
    """
    if not bundle.is_dir():
        raise NotFound(f"chdir {bundle}: no such file or directory")
    try:
        with (bundle / CONFIG).open("rb") as file:
            data = file.read(runtime_spec.MAX_SPEC_BYTES + 1)
    except FileNotFoundError:
        raise NotFound("JSON specification file config.json not found") from None
    spec = runtime_spec.decode(data)
    refuse_extras(data)
    _check(spec)
    if spec.root is None or not spec.root.path:
        raise InvalidInput("root must be specified in config.json")
    root = bundle / spec.root.path
    if not root.is_dir():
        raise NotFound(f"invalid rootfs: stat {root}: no such file or directory")
    linux = spec.linux or Linux()
    group = (linux.cgroups_path or f"/havre/{container_id}") if with_cgroups else ""
    resources = linux.resources or Resources()
    rules = [*(resources.devices or ()), *_OWN_RULES]
    return msgspec.structs.replace(
        spec,
        root=msgspec.structs.replace(spec.root, path=str(root.resolve())),
        linux=msgspec.structs.replace(
            linux, cgroups_path=group, resources=msgspec.structs.replace(resources, devices=rules)
        ),
    )


def process_of(spec: Spec) -> Process:
    """The process that `load` made sure of."""
    if spec.process is None:
        raise InvalidInput("process property must not be empty")
    return spec.process


def refuse_extras(data: bytes) -> None:
    """Raises NotSupported for a field that has a meaning which this runtime cannot give it."""
    try:
        extras = msgspec.json.decode(data, type=_Extras)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"invalid runtime config: {error}") from error
    process, linux = extras.process or _ProcessExtras(), extras.linux or _LinuxExtras()
    for part, name, value in (
        ("process", "scheduler", process.scheduler),
        ("process", "ioPriority", process.io_priority),
        ("process", "execCPUAffinity", process.exec_cpu_affinity),
        ("linux", "intelRdt", linux.intel_rdt),
        ("linux", "memoryPolicy", linux.memory_policy),
        ("linux", "netDevices", linux.net_devices),
        ("linux", "personality", linux.personality),
        ("linux", "timeOffsets", linux.time_offsets),
    ):
        if bytes(value) not in _EMPTY:
            raise NotSupported(f"config.json asks for {part}.{name}, which havre-runtime does not offer")
    if linux.seccomp is not None and linux.seccomp.listener_path:
        raise NotSupported("config.json asks for linux.seccomp.listenerPath, which havre-runtime does not offer")


def _check(spec: Spec) -> None:
    if not _VERSION.fullmatch(spec.oci_version):
        raise InvalidInput(f"unsupported spec version {spec.oci_version[:64]!r}")
    process = process_of(spec)
    if not process.cwd.startswith("/"):
        raise InvalidInput(f'Cwd must be an absolute path: "{process.cwd}"')
    if not process.args:
        raise InvalidInput("args must not be empty")
    _check_namespaces(spec)
    for point, hooks in _hooks(spec):
        for hook in hooks:
            if not hook.path.startswith("/"):
                raise InvalidInput(f"path of {point} hook is not absolute: {hook.path[:256]!r}")


def _check_namespaces(spec: Spec) -> None:
    seen = set()
    for entry in (spec.linux.namespaces if spec.linux else None) or ():
        if entry.type in seen:
            raise InvalidInput(f"malformed spec file: duplicated ns {entry.type!r}")
        seen.add(entry.type)
    if spec.hostname and "uts" not in seen:
        raise InvalidInput("unable to set hostname without a private UTS namespace")


def _hooks(spec: Spec) -> "list[tuple[str, list[runtime_spec.Hook]]]":
    given = spec.hooks
    if given is None:
        return []
    return [
        ("prestart", given.prestart or []),
        ("createRuntime", given.create_runtime or []),
        ("createContainer", given.create_container or []),
        ("startContainer", given.start_container or []),
        ("poststart", given.poststart or []),
        ("poststop", given.poststop or []),
    ]
