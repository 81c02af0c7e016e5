"""Every message survives its journey."""

from __future__ import annotations

import msgspec
import pytest

from havre.oci.runtime_spec import Process, Resources, Root, Spec
from havre.runtime import messages
from havre.runtime.bundle import AttachWishes, Bundle, ExecRequest, Exit, LogTarget, Stdio

BUNDLE = Bundle(
    id="x", spec=Spec(oci_version="1.2.0", process=Process(args=["a"]), root=Root(path="/r")), run_dir="/run/x"
)
HEAD = messages.Head("x", "/run/x", Stdio(terminal=True), LogTarget(), "/c/x", own_pids=True, joins=3)
REQUEST = ExecRequest(id="e", process=Process(args=["b"]))


@pytest.mark.parametrize(
    "message",
    [
        messages.Hello(1),
        messages.Attach(2, AttachWishes(stdin=True, early=b"\0x"), "e"),
        messages.Resize(3, 24, 80),
        messages.Signal(4, 15, whole=True),
        messages.Freeze(5, frozen=True),
        messages.Update(6, Resources()),
        messages.ListPids(7),
    ],
)
def test_to_the_shim(message: messages.ToShim) -> None:
    assert messages.decode_to_shim(messages.encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        messages.Started(1, 2),
        messages.NotStarted(0, "m", 127, before_runtime=True),
        messages.Done(1),
        messages.Refused(1, "conflict", "m"),
        messages.Detached(1, by_keys=True),
        messages.ExecStarted(1, 2),
        messages.Pids(1, [1, 2]),
        messages.State(1, 2, 3, [messages.ExecState("e", 4, 5)], Exit(code=1), frozen=True),
        messages.Exited(Exit(code=137, oom_killed=True, finished_ns=9)),
        messages.ExecExited("e", 3),
    ],
)
def test_from_the_shim(message: messages.FromShim) -> None:
    assert messages.decode_from_shim(messages.encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        messages.Console(),
        messages.Born(1),
        messages.AwaitsHooks(),
        messages.Ready(),
        messages.Failed("mount", "t", 128),
    ],
)
def test_from_init(message: messages.FromInit) -> None:
    assert messages.decode_from_init(messages.encode(message)) == message


def test_packed_parts() -> None:
    launch = messages.Launch(HEAD, msgspec.Raw(messages.encode(BUNDLE)), [messages.Attach(1, AttachWishes())])
    found = messages.decode_to_shim(messages.encode(launch))
    assert isinstance(found, messages.Launch)
    assert found.head == HEAD
    assert messages.decode_bundle(found.bundle) == BUNDLE
    wanted = messages.Execute(1, "e", Stdio(), msgspec.Raw(messages.encode(REQUEST)))
    got = messages.decode_to_shim(messages.encode(wanted))
    assert isinstance(got, messages.Execute)
    assert messages.decode_exec_request(got.request) == REQUEST


def test_a_workers_memory() -> None:
    memory = messages.Memory(HEAD, 1, 2, frozen=True, codes=[messages.ExecState("e", 0, 7)], roles=["pidfd"])
    assert messages.decode_memory(messages.encode(memory)) == memory


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x91\xa4Nope", b"\x92\xa5Hello\xa1x", b"\x80"])
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        messages.decode_to_shim(data)
