"""Docker's default profile, resolved."""

from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput
from havre.oci.runtime_spec import Seccomp
from havre.runtime.defaults import CAPABILITIES
from havre.runtime.seccomp_profile import default_profile, kernel_version, parse_profile, resolve


def allowed(seccomp: Seccomp) -> set[str]:
    return {
        name
        for rule in seccomp.syscalls or ()
        if rule.action == "SCMP_ACT_ALLOW" and not rule.args
        for name in rule.names
    }


def test_default_capabilities() -> None:
    found = resolve(default_profile(), CAPABILITIES, "x86_64", (6, 1))
    assert found.default_action == "SCMP_ACT_ERRNO"
    assert found.architectures == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    assert {"chroot", "ptrace", "arch_prctl"} <= allowed(found)
    assert not {"mount", "bpf", "reboot", "clone3", "swapcontext"} & allowed(found)


def test_each_capability_opens_its_calls() -> None:
    for name, call in (("CAP_SYS_ADMIN", "mount"), ("CAP_SYS_BOOT", "reboot"), ("CAP_BPF", "bpf")):
        assert call in allowed(resolve(default_profile(), [name], "x86_64", (6, 1)))


def test_old_kernels_and_other_machines() -> None:
    assert "ptrace" not in allowed(resolve(default_profile(), CAPABILITIES, "x86_64", (4, 7)))
    arm = resolve(default_profile(), CAPABILITIES, "aarch64", (6, 1))
    assert arm.architectures == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    assert "arch_prctl" not in allowed(arm)
    assert "sync_file_range2" in allowed(arm)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"defaultAction":"X","archMap":[{"architecture":"a"}],"architectures":["b"]}',
        b'{"defaultAction":"X","syscalls":[{"action":"Y","name":"a","names":["b"]}]}',
        b'{"defaultAction":"X","syscalls":"no"}',
    ],
)
def test_what_is_no_profile(text: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_profile(text)


def test_single_names_and_own_architectures() -> None:
    profile = parse_profile(
        b'{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86"],'
        b'"syscalls":[{"name":"mkdir","action":"SCMP_ACT_ERRNO"}]}'
    )
    found = resolve(profile, [], "x86_64", (6, 1))
    assert found.architectures == ["SCMP_ARCH_X86"]
    assert found.syscalls is not None
    assert found.syscalls[0].names == ["mkdir"]


def test_kernel_versions() -> None:
    assert kernel_version("6.18.44-fc-v657") == (6, 18)
    assert kernel_version("4.8") == (4, 8)
    for bad in ("", "x.y", "6"):
        with pytest.raises(InvalidInput):
            kernel_version(bad)
