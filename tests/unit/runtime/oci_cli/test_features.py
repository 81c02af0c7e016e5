"""What is offered is what the code takes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from havre.kernel.seccomp import compile_filter
from havre.oci.runtime_spec import Seccomp, SeccompArg, SeccompRule
from havre.runtime.init.mount_options import parse_options
from havre.runtime.oci_cli.features import ACTIONS, ARCHITECTURES, OPERATORS, features


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_filters_are_made_of_what_is_named(action: str, operator: str) -> None:
    rule = SeccompRule(
        names=["socket"],
        action=f"SCMP_ACT_{action}",
        args=[SeccompArg(index=0, value=1, value_two=1, op=f"SCMP_CMP_{operator}")],
    )
    assert compile_filter(Seccomp(default_action="SCMP_ACT_ALLOW", syscalls=[rule]))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_architectures(architecture: str) -> None:
    assert compile_filter(Seccomp(default_action="SCMP_ACT_ALLOW", architectures=[f"SCMP_ARCH_{architecture}"]))


def test_mount_options() -> None:
    for word in features().mount_options:
        assert parse_options([word]).data == ()


def test_the_document_has_the_names_of_the_specification() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "havre.runtime.command", "features"], check=True, capture_output=True, text=True
    )
    document = json.loads(done.stdout)
    assert set(document) == {"ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux", "annotations"}
    linux = document["linux"]
    assert {"namespaces", "capabilities", "cgroup", "seccomp", "apparmor", "selinux", "intelRdt"} <= set(linux)
    assert linux["cgroup"] == {"v1": True, "v2": True, "systemd": False, "systemdUser": False, "rdma": True}
    assert linux["mountExtensions"] == {"idmap": {"enabled": False}}
