from __future__ import annotations

from typing import Any

import pytest

from havre.build.dockerfile.errors import DockerfileError, Location
from havre.build.dockerfile.program import read_text
from havre.build.dockerfile.settings import DEFAULT_PATH, Settings, resolve_workdir
from havre.oci.image_config import Empty, Healthcheck, ProcessConfig

EMPTY = ProcessConfig()


def after(text: str, process: ProcessConfig = EMPTY) -> Settings:
    settings = Settings(process)
    for instruction in read_text(f"FROM x\n{text}").stages[0].instructions:
        settings = settings.apply(instruction)
    return settings


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("CMD a b", {"cmd": ["/bin/sh", "-c", "a b"]}),
        ('CMD ["a", "b"]', {"cmd": ["a", "b"]}),
        ("CMD []", {"cmd": []}),
        ("CMD a\nCMD b", {"cmd": ["/bin/sh", "-c", "b"]}),
        ("ENTRYPOINT a", {"entrypoint": ["/bin/sh", "-c", "a"]}),
        ('ENTRYPOINT ["a"]\nENTRYPOINT []', {"entrypoint": None}),
        ('SHELL ["a", "-b"]\nCMD c\nENTRYPOINT d', {"cmd": ["a", "-b", "c"], "entrypoint": ["a", "-b", "d"]}),
        ("ENV a=1 b=2\nENV a=3", {"env": ["a=3", "b=2"]}),
        ("LABEL a=1 b=2\nLABEL a=3", {"labels": {"a": "3", "b": "2"}}),
        (
            "EXPOSE 80 81-82/UDP 90:91",
            {"exposed_ports": dict.fromkeys(["80/tcp", "81/udp", "82/udp", "91/tcp"], Empty())},
        ),
        ('VOLUME /a\nVOLUME ["/b"]', {"volumes": {"/a": Empty(), "/b": Empty()}}),
        ("USER a:b", {"user": "a:b"}),
        ("WORKDIR a\nWORKDIR b/../c", {"working_dir": "/a/c"}),
        ("STOPSIGNAL SIGKILL", {"stop_signal": "SIGKILL"}),
        ("HEALTHCHECK NONE", {"healthcheck": Healthcheck(test=["NONE"])}),
        (
            "HEALTHCHECK --interval=1s --timeout=2s --start-period=3s --start-interval=4s --retries=5 CMD a",
            {
                "healthcheck": Healthcheck(
                    test=["CMD-SHELL", "a"],
                    interval=10**9,
                    timeout=2 * 10**9,
                    start_period=3 * 10**9,
                    start_interval=4 * 10**9,
                    retries=5,
                )
            },
        ),
        ("ONBUILD RUN a\nONBUILD COPY b c", {"on_build": ["RUN a", "COPY b c"]}),
        ("RUN a\nCOPY b c\nARG d", {"cmd": None, "env": None}),
    ],
)
def test_changes(text: str, fields: dict[str, Any]) -> None:
    process = after(text).process
    assert {name: getattr(process, name) for name in fields} == fields


def test_the_author() -> None:
    assert after("MAINTAINER A B").author == "A B"


@pytest.mark.parametrize(
    ("text", "cmd"),
    [
        ('ENTRYPOINT ["e"]', None),
        ('CMD ["own"]\nENTRYPOINT ["e"]', ["own"]),
        ('ENTRYPOINT ["e"]\nCMD ["own"]', ["own"]),
        ("USER u", ["inherited"]),
    ],
)
def test_an_entry_point_takes_an_inherited_command_away(text: str, cmd: list[str] | None) -> None:
    assert after(text, ProcessConfig(cmd=["inherited"])).process.cmd == cmd


def test_ports_and_volumes_are_added_to_the_inherited_ones() -> None:
    process = ProcessConfig(exposed_ports={"1/tcp": Empty()}, volumes={"/a": Empty()}, labels={"a": "1"})
    found = after("EXPOSE 2\nVOLUME /b\nLABEL b=2", process).process
    assert list(found.exposed_ports or ()) == ["1/tcp", "2/tcp"]
    assert list(found.volumes or ()) == ["/a", "/b"]
    assert found.labels == {"a": "1", "b": "2"}


def test_a_stage_begins_without_triggers_and_with_a_path() -> None:
    settings = Settings.inherit(ProcessConfig(on_build=["RUN a"], env=["a=1"], cmd=["b"]), "me")
    assert settings.process.on_build is None
    assert settings.env == {"a": "1", "PATH": DEFAULT_PATH}
    assert (settings.author, settings.cmd_is_own, settings.process.cmd) == ("me", False, ["b"])
    assert Settings.inherit(ProcessConfig(env=["PATH=/x"])).process.env == ["PATH=/x"]


def test_what_the_builder_asks_for() -> None:
    settings = Settings(EMPTY)
    assert (settings.shell, settings.working_dir, settings.env) == (("/bin/sh", "-c"), "/", {})
    settings = Settings(ProcessConfig(shell=["a"], working_dir="/w"))  # noqa: S604  not that shell
    assert (settings.shell, settings.working_dir) == (("a",), "/w")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("STOPSIGNAL a", "Invalid signal: a"),
        ("EXPOSE a", "Invalid containerPort: a"),
        ("EXPOSE 80/x", "Invalid proto: x"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        after(text)
    assert (caught.value.reason, caught.value.location) == (reason, Location(2, 2))


def test_a_volume_that_became_nothing() -> None:
    from dataclasses import replace

    from havre.build.dockerfile.instructions import Volume

    (volume,) = read_text("FROM x\nVOLUME $a").stages[0].instructions
    assert isinstance(volume, Volume)
    with pytest.raises(DockerfileError, match=r"^VOLUME specified can not be an empty string$"):
        Settings(EMPTY).apply(replace(volume, paths=("",)))


@pytest.mark.parametrize(
    ("current", "path", "found"),
    [
        ("", "a", "/a"),
        ("/a", "b", "/a/b"),
        ("/a", "/b/", "/b"),
        ("/a", "../..", "/"),
        ("/a", "//b", "/b"),
        ("", "", "/"),
    ],
)
def test_folders(current: str, path: str, found: str) -> None:
    assert resolve_workdir(current, path) == found
