"""Expected values and messages are what Debian's dockerd answered to the same lines."""

from __future__ import annotations

import msgspec
import pytest

from havre.base.errors import InvalidInput
from havre.images.changes import apply_changes, is_signal, parse_ports
from havre.oci.image_config import Empty, Healthcheck, ProcessConfig


def changed(*lines: str, base: ProcessConfig | None = None) -> ProcessConfig:
    return apply_changes(base or ProcessConfig(), lines)


def test_every_instruction() -> None:
    made = changed(
        'ENV a=1 b=$a c="x y"',
        "LABEL k=$a l='$a' m=\\\\$a n=${a:-z}${q:-z}",
        "EXPOSE 80-82 53/udp",
        "USER $a",
        'VOLUME ["/a b"] ',
        "VOLUME /x $a",
        "HEALTHCHECK --interval=1m --retries=3 CMD curl x",
        "CMD a b",
        'ENTRYPOINT ["/x"]',
        "ONBUILD RUN echo $a",
        "ENV old style value",
        "WORKDIR $a",
        "ENV a=2",
    )
    assert made.env == ["a=2", "b=", "c=x y", "old=style value"]
    assert made.labels == {"k": "1", "l": "$a", "m": "\\1", "n": "1z"}
    assert sorted(made.exposed_ports or {}) == ["53/udp", "80/tcp", "81/tcp", "82/tcp"]
    assert made.user == "1"
    assert made.volumes == {"/a b": Empty(), "/x": Empty(), "1": Empty()}
    assert made.healthcheck == Healthcheck(test=["CMD-SHELL", "curl x"], interval=60 * 10**9, retries=3)
    assert made.cmd == ["/bin/sh", "-c", "a b"]
    assert made.entrypoint == ["/x"]
    assert made.on_build == ["RUN echo $a"]
    assert made.working_dir == "/1"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("RUN x", "run is not a valid change command"),
        ("FOO x", "foo is not a valid change command"),
        ("ENV", "ENV requires at least one argument"),
        ("ENV a", "ENV must have two arguments"),
        ("ENV =x", "ENV names can not be blank"),
        ("EXPOSE abc", "Invalid containerPort: abc"),
        ("EXPOSE 99999", "Invalid containerPort: 99999"),
        ("EXPOSE 5-2", "Invalid containerPort: 5-2"),
        ("EXPOSE 80/foo", "Invalid proto: foo"),
        ("EXPOSE", "EXPOSE requires at least one argument"),
        ("LABEL a", "LABEL must have two arguments"),
        ("STOPSIGNAL FOO", "Invalid signal: FOO"),
        ("HEALTHCHECK", "HEALTHCHECK requires at least one argument"),
        ("HEALTHCHECK FOO", 'Unknown type "FOO" in HEALTHCHECK (try CMD)'),
        ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK --retries=1", "Missing type for HEALTHCHECK"),
        ("HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"),
        ("HEALTHCHECK --interval=1us CMD x", 'Interval "interval" cannot be less than 1ms'),
        ("HEALTHCHECK --interval=x CMD x", 'time: invalid duration "x"'),
        ("HEALTHCHECK --retries=-1 CMD x", "invalid retries: -1 is not between 0 and 2147483647"),
        ("HEALTHCHECK --foo=1 CMD x", "unknown flag: --foo"),
        ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("ONBUILD", "ONBUILD requires at least one argument"),
        ("USER", "USER requires exactly one argument"),
        ("VOLUME", "VOLUME requires at least one argument"),
        ("VOLUME []", "VOLUME requires at least one argument"),
        ('VOLUME [" "]', "VOLUME specified can not be an empty string"),
        ("WORKDIR", "WORKDIR requires exactly one argument"),
        ("SHELL sh -c", "SHELL requires the arguments to be in JSON form"),
    ],
)
def test_refused(line: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        changed(line)
    assert caught.value.message == message


def test_an_open_quote_is_shown() -> None:
    with pytest.raises(InvalidInput) as caught:
        changed('ENV a="b')
    assert caught.value.message == (
        'failed to process "\\"b": unexpected end of statement while looking for matching double-quote'
    )


def test_work_dirs_join() -> None:
    assert changed("WORKDIR a", "WORKDIR b/../c").working_dir == "/a/c"
    assert changed("WORKDIR /a", "WORKDIR ../../..").working_dir == "/"
    assert changed("WORKDIR //x").working_dir == "/x"


def test_an_entry_point_clears_a_command_that_was_meant_for_another() -> None:
    base = ProcessConfig(cmd=["old"])
    assert changed("ENTRYPOINT /x", base=base).cmd is None
    assert changed("CMD new", "ENTRYPOINT /x", base=base).cmd == ["/bin/sh", "-c", "new"]
    assert changed("USER x", base=base).cmd == ["old"]


def test_a_shell_of_ones_own() -> None:
    assert changed('SHELL ["/bin/bash", "-lc"]', "CMD a").cmd == ["/bin/bash", "-lc", "a"]


def test_lines_and_comments() -> None:
    made = changed("ENV a=1\n# no\n\nENV b=2")
    assert made.env == ["a=1", "b=2"]
    assert changed("cmd\tx").cmd == ["/bin/sh", "-c", "x"]


def test_health_checks() -> None:
    made = changed('HEALTHCHECK --timeout=2s --start-period=1s --start-interval=5s CMD ["a","b"]').healthcheck
    assert made == Healthcheck(test=["CMD", "a", "b"], timeout=2 * 10**9, start_period=10**9, start_interval=5 * 10**9)
    assert changed("HEALTHCHECK NONE").healthcheck == Healthcheck(test=["NONE"])


def test_what_was_there_stays() -> None:
    base = ProcessConfig(env=["PATH=/bin", "x=1"], labels={"a": "b"}, on_build=["RUN a"])
    made = changed("ENV PATH=$PATH:/sbin", "LABEL c=d", "ONBUILD RUN b", base=base)
    assert made.env == ["PATH=/bin:/sbin", "x=1"]
    assert made.labels == {"a": "b", "c": "d"}
    assert made.on_build == ["RUN a", "RUN b"]
    assert base.env == ["PATH=/bin", "x=1"]
    assert msgspec.json.encode(base)


@pytest.mark.parametrize("text", ["SIGTERM", "term", "15", "RTMIN+3", "SIGRTMAX-1", "9", "sigrtmin", "USR1"])
def test_signals(text: str) -> None:
    assert is_signal(text)


@pytest.mark.parametrize("text", ["", "SIG", "0", "65", "999999999999", "RTMIN+16", "FOO", "٣", "TERM ", "SIG_DFL"])
def test_no_signals(text: str) -> None:
    assert not is_signal(text)


def test_ports() -> None:
    assert parse_ports("80") == ["80/tcp"]
    assert parse_ports("8000-8002/UDP") == ["8000/udp", "8001/udp", "8002/udp"]
    assert len(parse_ports("1-65535/sctp")) == 65535
