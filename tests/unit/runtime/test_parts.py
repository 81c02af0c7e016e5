"""Small pure parts: defaults, sysctls, programs, privileges, exit codes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from havre.kernel.capabilities import NUMBERS
from havre.oci.runtime_spec import Capabilities, Linux, Namespace, Seccomp, Spec
from havre.runtime import defaults
from havre.runtime.errors import StepFailed, exit_code_of, strerror
from havre.runtime.init.privileges import Sets, plan_sets, seccomp_flags
from havre.runtime.init.program import Program
from havre.runtime.init.sysctls import needed_namespace, own_namespaces
from havre.runtime.run_dir import RunDir
from havre.runtime.spawn import joined_flags

EVERYTHING = (1 << 41) - 1


def test_default_capabilities_are_dockers_bits() -> None:
    sets = plan_sets(Capabilities(bounding=list(defaults.CAPABILITIES)), EVERYTHING)
    assert sets.bounding == 0x00000000A80425FB


def test_sets_are_cut_to_what_is_held() -> None:
    names = ["CAP_CHOWN", "CAP_SYS_RESOURCE", "CAP_NOT_YET"]
    wanted = Capabilities(bounding=names, effective=names, permitted=names, inheritable=names, ambient=names)
    one = 1 << NUMBERS["CAP_CHOWN"]
    assert plan_sets(wanted, one) == Sets(one, one, one, one, one)
    assert plan_sets(None, EVERYTHING) == Sets(0, 0, 0, 0, 0)


def test_ambient_needs_permitted_and_inheritable() -> None:
    wanted = Capabilities(ambient=["CAP_CHOWN"], permitted=["CAP_CHOWN"])
    assert plan_sets(wanted, EVERYTHING).ambient == 0


def test_seccomp_flags() -> None:
    assert seccomp_flags(None) == 0
    assert seccomp_flags(Seccomp(default_action="x", flags=["SECCOMP_FILTER_FLAG_LOG"])) == 2
    with pytest.raises(StepFailed):
        seccomp_flags(Seccomp(default_action="x", flags=["SECCOMP_FILTER_FLAG_WISH"]))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("net.ipv4.ip_forward", "network"),
        ("net/ipv4/ip_forward", "network"),
        ("kernel.shm_rmid_forced", "ipc"),
        ("fs.mqueue.msg_max", "ipc"),
        ("kernel.domainname", "uts"),
    ],
)
def test_sysctls_that_are_the_containers(name: str, kind: str) -> None:
    assert needed_namespace(name) == kind


@pytest.mark.parametrize(
    "name", ["kernel.core_pattern", "kernel.hostname", "vm.swappiness", "net..x", "", "net/../kernel/core_pattern"]
)
def test_sysctls_that_are_not(name: str) -> None:
    with pytest.raises(StepFailed):
        needed_namespace(name)


def test_own_namespaces() -> None:
    given = [("network", "/proc/self/ns/net"), ("ipc", ""), ("uts", "/no/such")]
    assert own_namespaces(given) == {"ipc", "uts"}


def test_joined_flags() -> None:
    spec = Spec(oci_version="1", linux=Linux(namespaces=[Namespace(type="pid"), Namespace(type="uts", path="/x")]))
    assert joined_flags(spec) == 0x20000000 | 0x04000000
    assert joined_flags(Spec(oci_version="1")) == 0


def test_program_words() -> None:
    program = Program(["ls", "-l"], ["PATH=/a::/b", "X=1", "X=2", "EMPTY=", "none", "=bad"], "/home/x")
    assert program.candidates == [b"/a/ls", b"./ls", b"/b/ls"]
    assert program.env == {b"PATH": b"/a::/b", b"X": b"2", b"EMPTY": b"", b"HOME": b"/home/x"}
    assert Program(["/x"], ["HOME=/given"], "/home").env[b"HOME"] == b"/given"
    assert Program(["/x"], None, "/").candidates == [b"/x"]


@pytest.mark.parametrize(("args", "env"), [([], None), (None, None), ([""], None), (["a\0b"], None), (["a"], ["B=\0"])])
def test_programs_that_are_none(args: list[str] | None, env: list[str] | None) -> None:
    with pytest.raises(StepFailed):
        Program(args, env, "/")


def test_lookup(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain").write_text("")
    good = tmp_path / "good"
    good.write_text("")
    good.chmod(0o755)
    assert Program(["good"], [f"PATH=/nowhere:{tmp_path}"], "/").find() == os.fsencode(good)
    for name in ("folder", "plain", "absent"):
        with pytest.raises(StepFailed, match="executable file not found") as caught:
            Program([name], [f"PATH={tmp_path}"], "/").find()
        assert caught.value.exit_code == 127


def test_exit_codes() -> None:
    assert [exit_code_of(n) for n in (errno.ENOENT, errno.EACCES, errno.EISDIR, errno.EIO)] == [127, 126, 126, 128]
    assert strerror(errno.EACCES) == "permission denied"
    assert strerror(9999) == "errno 9999"


def test_default_mounts_go_from_the_top_down() -> None:
    seen: set[str] = set()
    for entry in defaults.default_mounts(shm_size=1):
        assert entry.destination not in seen
        seen.add(entry.destination)
    assert "size=1" in (defaults.default_mounts(shm_size=1)[-1].options or [])


def test_init_is_found_or_not() -> None:
    found = defaults.find_init()
    assert found is None or os.access(found, os.X_OK)


def test_run_dir(tmp_path: Path) -> None:
    place = RunDir(str(tmp_path / "a/b"))
    assert place.exit() is None
    place.remove()
    place.make()
    place.write_state(os.getpid(), 5, "/c")
    mark = place.state()
    assert mark is not None
    assert (mark.pid, mark.started_ns, mark.cgroup) == (os.getpid(), 5, "/c")
    (tmp_path / "a/b/exit.json").write_text("{")
    assert place.exit() is None
    place.remove()
    place.remove()
    assert not (tmp_path / "a/b").exists()
