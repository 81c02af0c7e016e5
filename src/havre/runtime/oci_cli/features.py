"""`features`: what this runtime offers (runtime-spec, features.md and features-linux.md)."""

import msgspec

from havre.kernel import capabilities
from havre.kernel.namespaces import BY_NAME
from havre.kernel.seccomp import FLAGS
from havre.oci.runtime_spec import VERSION
from havre.runtime.init import mount_options
from havre.runtime.oci_cli.arguments import Given, Option
from havre.runtime.oci_cli.context import Context
from havre.runtime.oci_cli.state import pretty

HELP = "show the enabled features"
WORDS = ""
OPTIONS: tuple[Option, ...] = ()
# What havre.kernel.seccomp_compiler takes; a test tries each of them on it.
ACTIONS = ("ALLOW", "ERRNO", "KILL", "KILL_PROCESS", "KILL_THREAD", "LOG", "TRACE", "TRAP")
OPERATORS = ("EQ", "GE", "GT", "LE", "LT", "MASKED_EQ", "NE")
ARCHITECTURES = ("AARCH64", "ARM", "X32", "X86", "X86_64")
_HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


class Switch(msgspec.Struct, frozen=True):
    """A feature that is there or not."""

    enabled: bool


class Cgroup(msgspec.Struct, frozen=True, rename="camel"):
    """The kinds of cgroups."""

    v1: bool = True
    v2: bool = True
    systemd: bool = False
    systemd_user: bool = False
    rdma: bool = True


class Seccomp(msgspec.Struct, frozen=True, rename="camel"):
    """What a filter may be made of."""

    enabled: bool
    actions: list[str]
    operators: list[str]
    archs: list[str]
    known_flags: list[str]
    supported_flags: list[str]


class MountExtensions(msgspec.Struct, frozen=True):
    """Beyond options of mount(8)."""

    idmap: Switch


class Linux(msgspec.Struct, frozen=True, rename="camel"):
    """What is Linux's own."""

    namespaces: list[str]
    capabilities: list[str]
    cgroup: Cgroup
    seccomp: Seccomp
    apparmor: Switch
    selinux: Switch
    intel_rdt: Switch
    mount_extensions: MountExtensions
    net_devices: Switch


class Features(msgspec.Struct, frozen=True, rename="camel"):
    """The whole document."""

    oci_version_min: str
    oci_version_max: str
    hooks: tuple[str, ...]
    mount_options: list[str]
    linux: Linux
    annotations: dict[str, str]


def run(given: Given, context: Context) -> int:  # noqa: ARG001  as every verb
    """The verb."""
    print(pretty(features()))  # noqa: T201
    return 0


def features() -> Features:
    """What the code at hand understands; what the host's kernel has of it is not asked."""
    no, yes = Switch(enabled=False), Switch(enabled=True)
    return Features(
        oci_version_min="1.0.0",
        oci_version_max=VERSION,
        hooks=_HOOKS,
        mount_options=mount_options.KNOWN,
        linux=Linux(
            namespaces=sorted(BY_NAME),
            capabilities=list(capabilities.NAMES),
            cgroup=Cgroup(),
            seccomp=_seccomp(),
            apparmor=yes,
            selinux=yes,
            intel_rdt=no,
            mount_extensions=MountExtensions(no),
            net_devices=no,
        ),
        annotations={"org.havre.runtime": "havre-runtime"},
    )


def _seccomp() -> Seccomp:
    return Seccomp(
        enabled=True,
        actions=[f"SCMP_ACT_{word}" for word in ACTIONS],
        operators=[f"SCMP_CMP_{word}" for word in OPERATORS],
        archs=[f"SCMP_ARCH_{word}" for word in ARCHITECTURES],
        known_flags=sorted(FLAGS),
        supported_flags=sorted(FLAGS),
    )
