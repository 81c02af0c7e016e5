from __future__ import annotations

import pytest

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.flags import Kind, no_flags, read_flags

KNOWN = {"from": Kind.TEXT, "link": Kind.SWITCH, "exclude": Kind.LIST}


def test_flags() -> None:
    flags = read_flags(("--from=a=b", "--link", "--exclude=x", "--exclude=y"), KNOWN)
    assert flags.text("from") == "a=b"
    assert flags.switch("link") is True
    assert flags.all("exclude") == ("x", "y")


def test_what_was_not_given() -> None:
    flags = read_flags((), KNOWN)
    assert (flags.text("from"), flags.text("from", "x")) == ("", "x")
    assert flags.switch("link") is None
    assert flags.all("exclude") == ()


@pytest.mark.parametrize(("flag", "value"), [("--link=TRUE", True), ("--link=false", False), ("--link", True)])
def test_switches(flag: str, value: bool) -> None:  # noqa: FBT001
    assert read_flags((flag,), KNOWN).switch("link") is value


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--frm=a",), "unknown flag: --frm (did you mean from?)"),
        (("--other",), "unknown flag: --other"),
        (("--from=a", "--from=b"), "duplicate flag specified: --from"),
        (("--link", "--link"), "duplicate flag specified: --link"),
        (("--from",), "missing a value on flag: --from"),
        (("--exclude",), "missing a value on flag: --exclude"),
        (("--link=",), "missing a value on flag: --link"),
        (("--link=yes",), "expecting boolean value for flag --link, not: yes"),
    ],
)
def test_what_is_refused(flags: tuple[str, ...], message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        read_flags(flags, KNOWN)
    assert caught.value.reason == message


def test_none_at_all() -> None:
    no_flags(())
    with pytest.raises(DockerfileError, match=r"^unknown flag: --a$"):
        no_flags(("--a",))
