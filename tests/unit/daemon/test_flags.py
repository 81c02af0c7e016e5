from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput
from havre.daemon.flags import help_text, parse_flags
from havre.daemon.options import OPTIONS


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ([], {}),
        (["-H", "unix:///a", "-Htcp://b", "--host=fd://", "-H=c"], {"host": ["unix:///a", "tcp://b", "fd://", "c"]}),
        (["-D"], {"debug": True}),
        (["--debug"], {"debug": True}),
        (["--debug=false"], {"debug": False}),
        (["-D=0"], {"debug": False}),
        (["-Dp", "/x"], {"debug": True, "pidfile": "/x"}),
        (["-l", "warn"], {"log-level": "warn"}),
        (["--mtu", "1400"], {"mtu": 1400}),
        (["--mtu=-1"], {"mtu": -1}),
        (["--log-opt", "max-size=1m", "--log-opt=max-file=3"], {"log-opt": ["max-size=1m", "max-file=3"]}),
        (["--tlsverify", "--tlscacert=/ca"], {"tlsverify": True, "tlscacert": "/ca"}),
        (["--data-root", "--x"], {"data-root": "--x"}),
        (["--"], {}),
    ],
)
def test_what_is_given(words: list[str], given: dict[str, object]) -> None:
    assert parse_flags(words) == given


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nosuch"], "unknown flag: --nosuch"),
        (["-x"], "unknown shorthand flag: 'x' in -x"),
        (["-Dx"], "unknown shorthand flag: 'x' in -Dx"),
        (["--data-root"], "flag needs an argument: --data-root"),
        (["-p"], "flag needs an argument: 'p' in -p"),
        (["--mtu", "x"], 'invalid argument "x" for "--mtu" flag: strconv.ParseInt: parsing "x": invalid syntax'),
        (["--mtu", "1_0"], 'invalid argument "1_0" for "--mtu" flag'),
        (["--debug=maybe"], 'invalid argument "maybe" for "-D, --debug" flag'),
        (["run"], "accepts no arguments"),
        (["--", "run"], "accepts no arguments"),
    ],
)
def test_what_is_wrong(words: list[str], message: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        parse_flags(words)
    assert message in wrong.value.message


def test_help_names_every_flag() -> None:
    text = help_text()
    for option in OPTIONS:
        assert not option.flag or f"--{option.flag}" in text


def test_flags_and_keys_are_said_once() -> None:
    for names in (
        [option.flag for option in OPTIONS if option.flag],
        [option.key for option in OPTIONS if option.key],
        [option.short for option in OPTIONS if option.short],
    ):
        assert len(names) == len(set(names))
