"""A container from its start to its end: output, exit codes, errors in Docker's words, nothing left."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from havre.runtime.runtime import LogTarget, StartFailed, Stdio
from tests.support.bundles import Place

pytestmark = pytest.mark.root


async def test_output_and_code(place: Place) -> None:
    done = await place.run("sh", "-c", "echo out; echo err >&2; exit 7")
    assert sorted(done.output.splitlines()) == ["err", "out"]
    assert done.code == 7


async def test_exit_is_on_disk_before_it_is_told(place: Place) -> None:
    bundle = place.bundle("sh", "-c", "exit 3")
    shim, client = await place.launch(bundle)
    told = await shim.wait_exit()
    assert place.runtime.ended(bundle.id) == told
    assert told.code == 3
    client.close()
    await place.runtime.remove(bundle.id)


async def test_death_by_signal_is_128_and_its_number(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sleep", "100"))
    await shim.signal(9)
    assert (await shim.wait_exit()).code == 137
    client.close()
    await place.runtime.remove(shim.id)


async def test_first_process_ignores_signals_without_handler(place: Place) -> None:
    shim, client = await place.launch(
        place.bundle("sh", "-c", "trap 'echo got; exit 4' TERM; echo up; while :; do sleep 0.05; done")
    )
    await client.read_until(b"up")
    await shim.signal(1)
    await shim.signal(15)
    assert "got" in await client.read_all()
    assert (await shim.wait_exit()).code == 4
    client.close()
    await place.runtime.remove(shim.id)


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["nosuch"], 127, 'exec: "nosuch": executable file not found in $PATH'),
        (["/no/such"], 127, 'exec: "/no/such": stat /no/such: no such file or directory'),
        (["/etc"], 126, 'exec: "/etc": is a directory'),
        (["/etc/passwd"], 126, 'exec: "/etc/passwd": permission denied'),
    ],
)
async def test_what_cannot_be_executed(place: Place, args: list[str], code: int, text: str) -> None:
    bundle = place.bundle(*args)
    with pytest.raises(StartFailed) as caught:
        await place.launch(bundle)
    assert caught.value.message == f"OCI runtime create failed: unable to start container process: {text}"
    assert caught.value.exit_code == code
    assert place.runtime.ended(bundle.id) is None
    assert not Path(bundle.run_dir).exists()


async def test_a_file_that_is_no_program_ends_the_container(place: Place) -> None:
    (place.image / "bin/garbage").write_text("")
    (place.image / "bin/garbage").write_bytes(b"\x01\x02garbage")
    (place.image / "bin/garbage").chmod(0o755)
    done = await place.run("/bin/garbage")
    assert done.code == 255
    assert done.output == "exec /bin/garbage: exec format error\n"


async def test_environment_folder_user_name(place: Place) -> None:
    done = await place.run("sh", "-c", "pwd; id -u; id -g; id -G; echo $HOME; hostname", cwd="/tmp", user="ann")
    assert done.output.splitlines() == ["/tmp", "1000", "1000", "1000 50", "/home/ann", "box"]


async def test_missing_folder_is_made(place: Place) -> None:
    done = await place.run("pwd", cwd="/new/deep", make_cwd=True)
    assert done.output == "/new/deep\n"
    with pytest.raises(StartFailed, match="chdir to cwd"):
        await place.run("pwd", cwd="/new/deep")


async def test_unknown_user_is_the_requests_fault(place: Place) -> None:
    with pytest.raises(StartFailed, match="unable to find user bob: no matching entries in passwd file") as caught:
        await place.run("true", user="bob")
    assert caught.value.before_runtime


async def test_terminal(place: Place) -> None:
    stdio = Stdio(terminal=True, stdin=True, console_height=33, console_width=77)
    done = await place.run("sh", "-c", "tty; stty size; test -c /dev/console && echo console", stdio=stdio)
    assert done.output.split("\r\n")[:3] == ["/dev/pts/0", "33 77", "console"]


async def test_resize_reaches_the_program(place: Place) -> None:
    stdio = Stdio(terminal=True, stdin=True)
    program = "trap 'stty size' WINCH; echo up; while :; do sleep 0.02; done"
    shim, client = await place.launch(place.bundle("sh", "-c", program, stdio=stdio))
    await client.read_until(b"up")
    await shim.resize(20, 100)
    await client.read_until(b"20 100")
    client.close()
    await place.end(shim)


async def test_log_holds_what_was_said(place: Place) -> None:
    log = place.folder / "said"
    await place.run("sh", "-c", "echo one; echo two >&2; printf tail", log=LogTarget(driver="json-file", path=str(log)))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {(line["stream"], line["log"]) for line in lines} == {
        ("stdout", "one\n"),
        ("stderr", "two\n"),
        ("stdout", "tail"),
    }


async def test_a_log_that_cannot_be_written_stops_the_start(place: Place) -> None:
    with pytest.raises(StartFailed, match="failed to initialize logging driver"):
        await place.run("true", log=LogTarget(driver="json-file", path="/nowhere/log"))


async def test_pause_and_resume(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sh", "-c", "echo up; while :; do echo tick; sleep 0.02; done"))
    await client.read_until(b"tick")
    await shim.pause()
    state = Path(f"/proc/{shim.pid}/status").read_text()
    assert shim.frozen
    assert "(disk sleep)" in state or "(sleeping)" in state
    await shim.resume()
    await client.read_until(b"tick")
    assert len(await shim.pids()) >= 1
    client.close()
    await place.end(shim)


async def test_what_stands_still_can_be_killed(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sleep", "100"))
    await shim.pause()
    await shim.signal(9)
    assert (await shim.wait_exit()).code == 137
    client.close()
    await place.runtime.remove(shim.id)


async def test_many_at_once(place: Place) -> None:
    bundles = [place.bundle("sh", "-c", f"echo {number}; exit {number}") for number in range(12)]

    async def one(number: int) -> None:
        shim, client = await place.launch(bundles[number])
        assert await client.read_all() == f"{number}\n"
        assert (await shim.wait_exit()).code == number
        client.close()
        await place.runtime.remove(shim.id)

    await asyncio.gather(*(one(number) for number in range(12)))
