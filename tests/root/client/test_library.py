"""`import havre` as a program uses it: on Havre, and on the reference, whose API is the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

import havre as library
from tests.support.engines import Engine


@pytest.fixture
def host(either: Engine) -> Iterator[library.Host]:
    with library.connect(f"unix://{either.socket}") as made:
        yield made
    either.remove_all()


def wait_for_lines(container: library.Container, count: int) -> None:
    said = b""
    with closing(container.follow()) as pieces:
        while said.count(b"\n") < count:
            said += next(pieces)


def test_run_gives_what_was_said(host: library.Host) -> None:
    output = host.containers.run("busybox", ["sh", "-c", "echo out; echo err >&2"])
    assert (output.exit_code, output.stdout, output.stderr) == (0, b"out\n", b"err\n")
    assert output.text == "out"
    assert not host.containers.list(everything=True)


def test_run_with_a_terminal_has_one_stream(host: library.Host) -> None:
    assert host.containers.run("busybox", ["sh", "-c", "tty; echo err >&2"], tty=True).text.split() == [
        "/dev/pts/0",
        "err",
    ]


def test_a_failed_command_is_an_error_with_its_words(host: library.Host) -> None:
    with pytest.raises(library.ContainerFailed, match=r"sh -c .* ended with exit code 3: alas") as failed:
        host.containers.run("busybox", ["sh", "-c", "echo alas >&2; exit 3"])
    assert failed.value.output.exit_code == 3
    assert not host.containers.list(everything=True)


def test_what_cannot_start_leaves_nothing(host: library.Host) -> None:
    with pytest.raises(library.ApiError, match="nosuch"):
        host.containers.run("busybox", ["nosuch"])
    with pytest.raises(library.ApiError, match="nosuch"):
        host.containers.start("busybox", ["nosuch"])
    assert not host.containers.list(everything=True)


def test_the_life_of_a_container(host: library.Host) -> None:
    made = host.containers.start("busybox", ["sh", "-c", "echo begun; exec sleep 1000"], name="life", init=True)
    assert (made.name, made.status) == ("life", "running")
    assert host.containers.get("life") == made
    assert host.containers.list() == [made]
    assert made.exec(["sh", "-c", "echo $PPID >/dev/null; echo in; echo bad >&2; exit 4"]) == library.Output(
        4, b"in\n", b"bad\n"
    )
    made.pause()
    assert made.status == "paused"
    made.unpause()
    made.rename("later")
    assert made.name == "later"
    made.restart(1)
    wait_for_lines(made, 2)  # before it has begun, the first process of a container does not hear signals
    made.kill("TERM")
    assert made.wait() == 143
    assert made.status == "exited"
    assert made.logs().stdout == b"begun\n" * 2
    assert made.logs(tail=1).stdout == b"begun\n"
    made.remove()
    with pytest.raises(library.ApiError) as gone:
        host.containers.get("later")
    assert gone.value.status == 404


def test_followed_output_ends_with_the_container(host: library.Host) -> None:
    made = host.containers.start("busybox", ["sh", "-c", "echo one; echo two >&2"])
    assert sorted(b"".join(made.follow()).split()) == [b"one", b"two"]
    made.stop(1)
    made.remove(force=True, volumes=True)


def test_wishes_reach_the_container(host: library.Host, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("shared")
    folder.chmod(0o755)
    (folder / "file").write_text("shared")
    output = host.containers.run(
        "busybox",
        ["sh", "-c", "echo $COLOUR $(id -u) $(pwd) $(hostname) $(cat /in/file); touch /x || echo read-only"],
        environment={"COLOUR": "blue"},
        volumes=[f"{folder}:/in:ro"],
        user="7",
        working_dir="/in",
        hostname="boat",
        network="none",
        read_only=True,
        labels={"a": "b"},
        host={"PidsLimit": 20},
    )
    assert output.text.splitlines() == ["blue 7 /in boat shared", "read-only"]


def test_ports_lead_inside(host: library.Host) -> None:
    made = host.containers.create(
        "busybox", ["sleep", "1000"], ports={80: "127.0.0.1:0", "53/udp": 5353}, memory_bytes=1 << 26, cpus=0.5
    )
    config = made.inspect().get("HostConfig") or {}
    assert config.get("PortBindings") == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
        "53/udp": [{"HostIp": "", "HostPort": "5353"}],
    }
    assert (config.get("Memory"), config.get("NanoCpus")) == (1 << 26, 500_000_000)


def test_images_by_name(host: library.Host) -> None:
    host.images.tag("busybox", "other:v1")
    assert "other:v1" in [tag for image in host.images.list() for tag in image.get("RepoTags") or []]
    assert host.images.inspect("other:v1").get("Id") == host.images.inspect("busybox").get("Id")
    host.images.remove("other:v1")
    with pytest.raises(library.ApiError):
        host.images.inspect("other:v1")


def test_volumes_keep_files(host: library.Host) -> None:
    made = host.volumes.create("kept")
    try:
        assert host.volumes.inspect("kept").get("Mountpoint") == made.get("Mountpoint")
        host.containers.run("busybox", ["sh", "-c", "echo here > /data/file"], volumes=["kept:/data"])
        assert host.containers.run("busybox", ["cat", "/data/file"], volumes=["kept:/data"]).text == "here"
        assert "kept" in [volume.get("Name") for volume in host.volumes.list()]
    finally:
        host.volumes.remove("kept")


def test_the_host_tells_of_itself(host: library.Host) -> None:
    assert host.version().get("Os") == "linux"
    with host.another() as other:
        assert other.info().get("OSType") == "linux"
    assert {"bridge", "host", "none"} <= {network.get("Name") for network in host.networks.list()}
    assert host.networks.inspect("bridge").get("Driver") == "bridge"
