"""Globs, moments, signals, sets, image defaults, security words: small parsers with small tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.base.errors import InvalidInput
from havre.engine.ages import parse_moment, parse_until
from havre.engine.cpusets import parse_set
from havre.engine.globs import matches
from havre.engine.image_defaults import joined
from havre.engine.log_settings import log_attributes, max_files, max_size_bytes
from havre.engine.process_spec import environment
from havre.engine.security import chosen_capabilities, parse_security
from havre.engine.settings import Config, LogSettings
from havre.engine.signals import parse_signal
from havre.oci.image_config import Empty, Healthcheck, ProcessConfig

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("pattern", "text", "wanted"),
    [
        ("busybox", "busybox", True),
        ("busy*", "busybox", True),
        ("*", "a/b", False),
        ("*/*", "a/b", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[a-c]x", "bx", True),
        ("[^a-c]x", "bx", False),
        ("a*b*c", "aXbYbZc", True),
        ("a*b*c", "aXbY", False),
        ("\\*", "*", True),
        ("\\*", "x", False),
        ("", "", True),
        ("**", "anything", True),
        ("[", "[", True),
    ],
)
def test_globs(pattern: str, text: str, wanted: bool) -> None:  # noqa: FBT001  a row of the table
    assert matches(pattern, text) is wanted


def test_globs_are_never_slow() -> None:
    assert not matches("*a" * 200, "a" * 150 + "b" * 4000)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("10", 10 * SECOND),
        ("10.5", 10 * SECOND + SECOND // 2),
        ("1h", 10_000 * SECOND - 3600 * SECOND),
        ("1h2m3.5s", (10_000 - 3600 - 120 - 3) * SECOND - SECOND // 2),
        ("1970-01-01T00:00:05Z", 5 * SECOND),
        ("1970-01-01", 0),
    ],
)
def test_moments(text: str, wanted: int) -> None:
    assert parse_moment(text, 10_000 * SECOND) == wanted


@pytest.mark.parametrize("text", ["", "x", "1x", "h", "1_0", "\u0661", "1h ", "-5"])
def test_no_moments(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_moment(text, 0)


def test_one_until_at_most() -> None:
    assert parse_until(frozenset(), 7) == 7
    with pytest.raises(InvalidInput):
        parse_until(frozenset({"1h", "2h"}), 0)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("TERM", 15),
        ("sigterm", 15),
        ("9", 9),
        ("SIGRTMIN+1", 35),
        ("RTMAX", 64),
        ("RTMAX-1", 63),
        ("usr1", 10),
        ("99", 99),
    ],
)
def test_signals(text: str, number: int) -> None:
    assert parse_signal(text) == number


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "TERM ", "1_0", "٩", "SIG", "9" * 30])
def test_no_signals(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_signal(text)


@given(st.text(max_size=30))
def test_no_text_breaks_the_set_parser(text: str) -> None:
    try:
        numbers = parse_set(text)
    except InvalidInput:
        return
    assert numbers
    assert max(numbers) <= 8192


def test_sets() -> None:
    assert parse_set("0-2,5") == {0, 1, 2, 5}
    for text in ("", "3-1", "0-2147483647", "1_0", "a", "1,", "-1"):
        with pytest.raises(InvalidInput):
            parse_set(text)


IMAGE = ProcessConfig(
    user="bob",
    env=["PATH=/p", "A=image"],
    entrypoint=["/entry"],
    cmd=["default"],
    working_dir="/w",
    labels={"a": "image", "b": "image"},
    volumes={"/v": Empty()},
    stop_signal="SIGQUIT",
    healthcheck=Healthcheck(test=["CMD", "x"], interval=5, retries=3),
)


def test_what_the_image_gives() -> None:
    config = joined(Config(env=["A=user"], labels={"a": "user"}, healthcheck=Healthcheck(retries=9)), IMAGE)
    assert config.env == ["A=user", "PATH=/p"]
    assert config.labels == {"a": "user", "b": "image"}
    assert (config.user, config.working_dir, config.stop_signal) == ("bob", "/w", "SIGQUIT")
    assert config.healthcheck == Healthcheck(test=["CMD", "x"], interval=5, retries=9)
    assert config.volumes == {"/v": Empty()}


@pytest.mark.parametrize(
    ("entrypoint", "cmd", "wanted"),
    [
        (None, None, (["/entry"], ["default"])),
        (None, ["x"], (["/entry"], ["x"])),
        (["e"], None, (["e"], None)),
        (["e"], ["x"], (["e"], ["x"])),
        ([""], ["x"], (None, ["x"])),
        ([], ["x"], ([], ["x"])),
    ],
)
def test_commands(
    entrypoint: list[str] | None, cmd: list[str] | None, wanted: tuple[list[str] | None, list[str] | None]
) -> None:
    config = joined(Config(entrypoint=entrypoint, cmd=cmd), IMAGE)
    assert (config.entrypoint, config.cmd) == wanted


def test_environment() -> None:
    made = environment("box", ["A=1", "PATH=/x", "A=2", "HOSTNAME"], tty=True)
    assert made == ["PATH=/x", "TERM=xterm", "A=2"]


def test_capability_rules() -> None:
    default, have = ("CAP_CHOWN", "CAP_KILL"), frozenset({"CAP_CHOWN", "CAP_KILL", "CAP_SYS_TIME"})
    assert chosen_capabilities(default, (), (), have) == ["CAP_CHOWN", "CAP_KILL"]
    assert chosen_capabilities(default, ("ALL",), ("CAP_KILL",), have) == ["CAP_CHOWN", "CAP_SYS_TIME"]
    assert chosen_capabilities(default, ("CAP_SYS_TIME",), ("ALL",), have) == ["CAP_SYS_TIME"]
    assert chosen_capabilities(default, ("CAP_SYS_BOOT",), (), have) == ["CAP_CHOWN", "CAP_KILL"]


def test_security_words() -> None:
    assert parse_security((), privileged=False).seccomp == ""
    assert parse_security((), privileged=True).seccomp == "unconfined"
    assert parse_security(("seccomp=builtin",), privileged=True).seccomp == "builtin"
    assert parse_security(('seccomp={"defaultAction":"x=y"}',), privileged=False).seccomp == '{"defaultAction":"x=y"}'
    assert not parse_security(("no-new-privileges=false",), privileged=False).no_new_privileges


@pytest.mark.parametrize(
    ("options", "size", "files"),
    [
        ({}, 20_000_000, 5),
        ({"max-size": "10m"}, 10 << 20, 1),
        ({"max-size": "10M", "max-file": "3"}, 10 << 20, 3),
        ({"max-size": "1kb"}, 1 << 10, 1),
        ({"max-size": "7"}, 7, 1),
        ({"max-size": "-1"}, 0, 1),
        ({"max-file": "3"}, 20_000_000, 3),
        ({"max-size": "1.5k"}, 1536, 1),
    ],
)
def test_log_sizes(options: dict[str, str], size: int, files: int) -> None:
    settings = LogSettings(type="json-file", config=options)
    assert (max_size_bytes(settings), max_files(settings)) == (size, files)


def test_log_attributes() -> None:
    settings = LogSettings(type="json-file", config={"labels": "a, x", "env": "E", "tag": "t"})
    config = Config(labels={"a": "1", "b": "2"}, env=["E=5", "F=6"])
    assert log_attributes(settings, config) == {"a": "1", "E": "5"}
    by_pattern = LogSettings(type="json-file", config={"labels-regex": "^[ab]", "env-regex": "F"})
    assert log_attributes(by_pattern, config) == {"a": "1", "b": "2", "F": "6"}
