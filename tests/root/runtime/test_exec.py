"""Further processes in a running container: the same cage, their own streams and codes."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from havre.kernel.seccomp import compile_filter
from havre.oci.runtime_spec import Rlimit, Seccomp, SeccompRule
from havre.runtime.errors import NoSuchProcess, NotNow
from havre.runtime.runtime import AttachWishes, StartFailed, Stdio
from tests.root.runtime.conftest import another_waits, new_place
from tests.support.bundles import Client, Place, capabilities

pytestmark = pytest.mark.root

STATUS = "grep -E '^(Cap|Seccomp:|NoNewPrivs|Groups|Uid)' /proc/self/status"


async def test_output_code_user_folder(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sleep", "100"))
    done = await place.execute(shim, "sh", "-c", "id -u; id -G; pwd; echo $HOME; exit 9", user="ann", cwd="/tmp")
    assert done.output.splitlines() == ["1000", "1000 50", "/tmp", "/home/ann"]
    assert done.code == 9
    client.close()
    await place.end(shim)


async def test_it_is_in_all_namespaces_and_the_cgroup(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sleep", "100"))
    show = "for n in mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done; cat /proc/self/cgroup"
    inside = (await place.execute(shim, "sh", "-c", show)).output.splitlines()
    first = [os.readlink(f"/proc/{shim.pid}/ns/{kind}") for kind in ("mnt", "pid", "net", "ipc", "uts", "cgroup")]
    assert inside[:6] == first
    assert all(line.endswith(":/") for line in inside[6:])
    client.close()
    await place.end(shim)


async def test_same_cage_as_the_first_process(place: Place) -> None:
    """R-01: the same fingerprint by both doors."""
    shim, client = await place.launch(place.bundle("sh", "-c", f"{STATUS}; sleep 100"))
    first = (await client.read_until(b"Seccomp")).decode().split()
    while len(first) < 18:
        first += (await client.read()).decode().split()
    assert (await place.execute(shim, "sh", "-c", STATUS)).output.split() == first
    client.close()
    await place.end(shim)


async def test_privileged_then_plain(place: Place) -> None:
    """R-02: nothing of a strong exec stays for the next."""
    shim, client = await place.launch(place.bundle("sleep", "100"))
    plain = (await place.execute(shim, "sh", "-c", STATUS)).output
    strong = await place.execute(
        shim, "sh", "-c", STATUS, capabilities=capabilities(["CAP_SYS_ADMIN"]), seccomp_program=b""
    )
    assert "CapEff:\t0000000000200000" in strong.output
    assert (await place.execute(shim, "sh", "-c", STATUS)).output == plain
    client.close()
    await place.end(shim)


@pytest.mark.parametrize("nnp", [False, True])
async def test_a_session_that_was_waited_for_is_like_the_first(tmp_path: Path, image: Path, nnp: bool) -> None:  # noqa: FBT001  a parameter
    lead = "[ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && echo leads"
    show = f"{STATUS}; cat /proc/self/cgroup; ls /proc/$$/fd; ls -l /proc/$$/ns | sed 's/.*-> //'; {lead}"
    async for place in new_place(tmp_path, image, "", way="ahead"):
        shim, client = await place.launch(place.bundle("sleep", "100"))
        first = (await place.execute(shim, "sh", "-c", show, no_new_privileges=nnp)).output
        assert first.endswith("leads\n")
        found = False
        async with asyncio.timeout(60):
            while not found:  # one waits for half a second, which a busy machine may pass over
                found = await another_waits(shim.pid)
                assert (await place.execute(shim, "sh", "-c", show, no_new_privileges=nnp)).output == first
        client.close()
        await place.end(shim)


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["nosuch"], 127, 'exec: "nosuch": executable file not found in $PATH'),
        (["/etc"], 126, 'exec: "/etc": is a directory'),
    ],
)
async def test_what_cannot_be_executed(place: Place, args: list[str], code: int, text: str) -> None:
    shim, client = await place.launch(place.bundle("sleep", "100"))
    with pytest.raises(StartFailed) as caught:
        await place.execute(shim, *args)
    assert caught.value.message.startswith("OCI runtime exec failed: exec failed: unable to start container process: ")
    assert caught.value.message.endswith(text)
    assert caught.value.exit_code == code
    assert (await place.execute(shim, "echo", "well")).output == "well\n"
    client.close()
    await place.end(shim)


async def test_terminal(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sleep", "100"))
    request = place.exec_request(
        "sh",
        "-c",
        "tty; stty size; read x; echo got $x",
        stdio=Stdio(terminal=True, stdin=True, console_height=11, console_width=22),
    )
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    terminal = Client(ours)
    await shim.exec(request, (theirs, AttachWishes(stdin=True)))
    assert (await terminal.read_until(b"11 22")).startswith(b"/dev/pts/0")
    await shim.resize(5, 6, request.id)
    await terminal.write(b"word\n")
    await terminal.read_until(b"got word")
    assert await shim.wait_exec(request.id) == 0
    assert await shim.wait_exec_stream(request.id) is False
    for thing in (terminal, theirs, client):
        thing.close()
    await place.end(shim)


async def test_input_with_half_close(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sleep", "100"))
    request = place.exec_request("cat", stdio=Stdio(stdin=True, stdin_once=True))
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    guest = Client(ours)
    await shim.exec(request, (theirs, AttachWishes(stdin=True)))
    await guest.write(b"through")
    guest.half_close()
    assert await guest.read_all() == "through"
    assert await shim.wait_exec(request.id) == 0
    for thing in (guest, theirs, client):
        thing.close()
    await place.end(shim)


async def test_a_filter_that_forbids_to_fork(place: Place) -> None:
    forbidding = compile_filter(
        Seccomp(
            default_action="SCMP_ACT_ALLOW",
            syscalls=[SeccompRule(names=["clone", "fork", "vfork", "clone3"], action="SCMP_ACT_ERRNO", errno_ret=1)],
        )
    )
    shim, client = await place.launch(place.bundle("sleep", "100", seccomp_program=forbidding))
    done = await place.execute(shim, "sh", "-c", "echo in; echo sub | cat", seccomp_program=forbidding)
    assert done.output.startswith("in\n")
    assert "sub" not in done.words
    client.close()
    await place.end(shim)


async def test_container_that_ends_takes_its_guests_along(place: Place) -> None:
    """R-21: forked children and guests die with the first process; no zombie."""
    shim, client = await place.launch(place.bundle("sh", "-c", "sleep 500 & setsid sleep 500 & sleep 1000"))
    request = place.exec_request("sh", "-c", "sleep 500 & sleep 600")
    guest = await shim.exec(request)
    pids: set[int] = set()
    while len(pids) < 5:
        pids = set(await shim.pids())
        await asyncio.sleep(0.01)
    assert guest in pids
    await shim.signal(9)
    assert (await shim.wait_exit()).code == 137
    assert await shim.wait_exec(request.id) == 137
    client.close()
    await place.runtime.remove(shim.id)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


async def test_into_what_has_ended_or_stands_still(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sleep", "100"))
    await shim.pause()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    refused = Client(ours)
    with pytest.raises(NotNow, match="paused"):
        await shim.exec(place.exec_request("true"), (theirs, AttachWishes()))
    theirs.close()
    assert await asyncio.wait_for(refused.read_all(), 30) == ""  # the shim has let go of its end
    refused.close()
    await shim.resume()
    await shim.signal(9)
    await shim.wait_exit()
    with pytest.raises(NoSuchProcess):
        await shim.exec(place.exec_request("true"))
    client.close()
    await place.runtime.remove(shim.id)


async def test_limit_that_cannot_be_raised(place: Place) -> None:
    """R-25, by exec too."""
    shim, client = await place.launch(place.bundle("sleep", "100"))
    done = await place.execute(shim, "sh", "-c", "ulimit -n", rlimits=[Rlimit(type="RLIMIT_NOFILE", soft=64, hard=128)])
    assert done.output == "64\n"
    with pytest.raises(StartFailed, match="hard limit"):
        await place.execute(shim, "true", rlimits=[Rlimit(type="RLIMIT_NOFILE", soft=64, hard=1 << 40)])
    client.close()
    await place.end(shim)


async def test_many_at_once(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sleep", "100"))
    done = await asyncio.gather(*(place.execute(shim, "echo", str(number)) for number in range(8)))
    assert [one.output for one in done] == [f"{number}\n" for number in range(8)]
    client.close()
    await place.end(shim)


async def test_sessions_that_follow_one_another(place: Place) -> None:
    """The second is run by a child that waited for it, which nobody takes for a part of the container."""
    shim, client = await place.launch(place.bundle("sleep", "100"))
    for number in range(5):
        done = await place.execute(shim, "sh", "-c", f"echo {number}; exit {number}")
        assert (done.words, done.code) == ([str(number)], number)
        await asyncio.sleep(0)
        assert await shim.pids() == [shim.pid]
    with pytest.raises(StartFailed):
        await place.execute(shim, "nosuch")
    assert (await place.execute(shim, "id", "-u", user="ann")).words == ["1000"]
    client.close()
    async with asyncio.timeout(20):
        while _children_of(shim.pid):
            await asyncio.sleep(0.01)
    await place.end(shim)


def _children_of(first: int) -> list[str]:
    """What the keeper has beside the container's first process once all is quiet: nothing."""
    keeper = Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1]
    children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
    return [child for child in children if child != str(first)]
