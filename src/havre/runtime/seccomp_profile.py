"""Docker's default system call profile, and its resolution for one container: pure."""

import errno
from collections.abc import Collection
from functools import cache

import msgspec
from msgspec.structs import replace

from havre.base.errors import InvalidInput
from havre.oci.runtime_spec import Seccomp, SeccompArg, SeccompRule

_MAX_BYTES = 4 << 20
_ARCHES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "i686": "x86",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
}
_NATIVE = {
    "amd64": "SCMP_ARCH_X86_64",
    "arm64": "SCMP_ARCH_AARCH64",
    "arm": "SCMP_ARCH_ARM",
    "x86": "SCMP_ARCH_X86",
    "ppc64le": "SCMP_ARCH_PPC64LE",
    "s390x": "SCMP_ARCH_S390X",
    "riscv64": "SCMP_ARCH_RISCV64",
}


class _Part(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    pass


class Condition(_Part, frozen=True):
    """When a rule counts: for all of *caps*, one of *arches*, a kernel not older than *min_kernel*."""

    caps: list[str] | None = None
    arches: list[str] | None = None
    min_kernel: str = ""


class ProfileRule(_Part, frozen=True):
    """A rule as profiles write it; older ones have a single *name*."""

    action: str
    names: list[str] | None = None
    name: str = ""
    errno_ret: int | None = None
    args: list[SeccompArg] | None = None
    includes: Condition | None = None
    excludes: Condition | None = None


class ArchitectureMap(_Part, frozen=True):
    """The further architectures whose calls a kernel of *architecture* also takes."""

    architecture: str
    sub_architectures: list[str] | None = None


class Profile(_Part, frozen=True):
    """A profile of `--security-opt seccomp=FILE`."""

    default_action: str
    default_errno_ret: int | None = None
    arch_map: list[ArchitectureMap] | None = None
    architectures: list[str] | None = None
    flags: list[str] | None = None
    syscalls: list[ProfileRule] | None = None


def parse_profile(data: bytes) -> Profile:
    """Raises InvalidInput for what is no profile."""
    if len(data) > _MAX_BYTES:
        raise InvalidInput(f"seccomp profile of {len(data)} bytes is larger than {_MAX_BYTES}")
    try:
        profile = msgspec.json.decode(data, type=Profile)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput(f"Decoding seccomp profile failed: {error}") from error
    if profile.arch_map and profile.architectures:
        raise InvalidInput(
            "'architectures' and 'archMap' were specified in the seccomp profile, "
            "use either 'architectures' or 'archMap'"
        )
    for rule in profile.syscalls or ():
        if rule.name and rule.names:
            raise InvalidInput("'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'")
    return profile


# The filter sees 64 bits of an argument, socket(2) uses 32: a family of 0x1_0000_0028 would pass for none of those that
# the profile refuses, and be AF_VSOCK. The error differs from the default's, since a rule that repeats that is none.
_NO_WIDE_FAMILY = ProfileRule(
    names=["socket"],
    action="SCMP_ACT_ERRNO",
    errno_ret=errno.EINVAL,
    args=[SeccompArg(index=0, value=0xFFFFFFFF, op="SCMP_CMP_GT")],
)


@cache
def default_profile() -> Profile:
    """The profile that every container gets which asks for none."""
    with open(f"{__file__.rpartition('/')[0]}/seccomp_default.json", "rb") as file:  # noqa: PTH123  no pathlib here
        profile = parse_profile(file.read())
    return replace(profile, syscalls=[_NO_WIDE_FAMILY, *(profile.syscalls or ())])


def resolve(profile: Profile, capabilities: Collection[str], machine: str, kernel: tuple[int, int]) -> Seccomp:
    """The filter of *profile* for a container with *capabilities* on this kind of *machine* (uname -m)."""
    arch = _ARCHES.get(machine, machine)
    rules = []
    for rule in profile.syscalls or ():
        if rule.includes and not _holds(rule.includes, capabilities, arch, kernel):
            continue
        if rule.excludes and _excluded(rule.excludes, capabilities, arch, kernel):
            continue
        names = rule.names or [rule.name]
        rules.append(SeccompRule(names=names, action=rule.action, errno_ret=rule.errno_ret, args=rule.args))
    return Seccomp(
        default_action=profile.default_action,
        default_errno_ret=profile.default_errno_ret,
        architectures=_architectures(profile, arch),
        flags=profile.flags,
        syscalls=rules,
    )


def kernel_version(release: str) -> tuple[int, int]:
    """(6, 18) of `6.18.44-generic`. Raises InvalidInput."""
    parts = release.split("-", maxsplit=1)[0].split(".")
    if len(parts) < 2 or not (parts[0].isdecimal() and parts[1].isdecimal()):
        raise InvalidInput(f"not a kernel version: {release!r}")
    return int(parts[0]), int(parts[1])


def _architectures(profile: Profile, arch: str) -> list[str]:
    native = _NATIVE.get(arch, arch)
    for entry in profile.arch_map or ():
        if entry.architecture == native:
            return [native, *(entry.sub_architectures or ())]
    return profile.architectures or [native]


def _holds(wanted: Condition, capabilities: Collection[str], arch: str, kernel: tuple[int, int]) -> bool:
    if wanted.arches and arch not in wanted.arches:
        return False
    if not all(name in capabilities for name in wanted.caps or ()):
        return False
    return not wanted.min_kernel or kernel >= kernel_version(wanted.min_kernel)


def _excluded(unwanted: Condition, capabilities: Collection[str], arch: str, kernel: tuple[int, int]) -> bool:
    if unwanted.arches and arch in unwanted.arches:
        return True
    if any(name in capabilities for name in unwanted.caps or ()):
        return True
    return bool(unwanted.min_kernel) and kernel >= kernel_version(unwanted.min_kernel)
