"""passwd and group files, read as the kernel's numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.runtime.errors import BadUser
from havre.runtime.init.users import (
    MAX_ID,
    Identity,
    find_account,
    find_group,
    groups_of,
    home_of,
    identify,
    parse_id,
)

PASSWD = b"""root:x:0:0:root:/root:/bin/sh
ann:x:1000:1000::/home/ann:/bin/sh
# a comment
broken:x
minus:x:-1:0::/:/bin/sh
plus:x:+5:0::/:/bin/sh
huge:x:4294967296:0::/:/bin/sh
12:x:7:7::/seven:/bin/sh
forged:x:8:8::/x\tHOME=/evil:/bin/sh
ann:x:2000:2000::/second:/bin/sh
"""
GROUP = b"root:x:0:\nstaff:x:50:ann,bob\nwheel:x:10:root\nbig:x:4294967295:ann\nannex:x:9:annex\n"


def test_names() -> None:
    assert identify("ann", [], PASSWD, GROUP) == Identity(1000, 1000, (1000, 50), "/home/ann")
    assert identify("", [], PASSWD, GROUP) == Identity(0, 0, (0, 10), "/root")
    assert identify("ann:staff", [], PASSWD, GROUP) == Identity(1000, 50, (50,), "/home/ann")
    assert identify(":staff", [], PASSWD, GROUP) == Identity(0, 50, (50,), "/root")
    assert identify("ann:", [], PASSWD, GROUP) == identify("ann", [], PASSWD, GROUP)
    assert identify(":", [], PASSWD, GROUP) == identify("", [], PASSWD, GROUP)


def test_numbers() -> None:
    assert identify("1000", [], PASSWD, GROUP) == Identity(1000, 1000, (1000, 50), "/home/ann")
    assert identify("77", [], PASSWD, GROUP) == Identity(77, 0, (0,), "/")
    assert identify("77:88", [], PASSWD, GROUP) == Identity(77, 88, (88,), "/")
    assert identify("12", [], PASSWD, GROUP).uid == 12  # never the user called 12


def test_further_groups() -> None:
    assert identify("ann", ["wheel", "123", "staff"], PASSWD, GROUP).groups == (1000, 50, 10, 123)
    with pytest.raises(BadUser, match="unable to find group nogroup"):
        identify("ann", ["nogroup"], PASSWD, GROUP)


@pytest.mark.parametrize(
    "user", ["4294967296", "4294967295", "-1", "+5", "1_0", "٠", " 0", "0 ", "huge", "minus", "plus", "broken", "a:b:c"]
)
def test_what_is_no_user(user: str) -> None:
    with pytest.raises(BadUser):
        identify(user, [], PASSWD, GROUP)


@pytest.mark.parametrize("user", ["0:-1", "0:4294967295", "0:big", "0:no", "0\n", "0\0"])
def test_what_is_no_group(user: str) -> None:
    with pytest.raises(BadUser):
        identify(user, [], PASSWD, GROUP)


def test_a_home_that_would_forge_an_environment() -> None:
    assert identify("forged", [], PASSWD, GROUP).home == "/"
    assert home_of(0, PASSWD) == "/root"
    assert home_of(5, PASSWD) == "/"
    assert home_of(0, b"root:x:0:0::relative:/bin/sh\n") == "/"


def test_empty_files() -> None:
    assert identify("5", [], b"", b"") == Identity(5, 0, (0,), "/")
    with pytest.raises(BadUser, match="no matching entries in passwd file"):
        identify("ann", [], b"", b"")


@given(st.integers(0, MAX_ID))
def test_every_number_of_the_kernel_is_one(number: int) -> None:
    assert parse_id(str(number)) == number


@given(st.binary(max_size=400), st.binary(max_size=400), st.text(max_size=12))
def test_any_bytes_give_an_answer(passwd: bytes, group: bytes, user: str) -> None:
    try:
        found = identify(user, [], passwd, group)
    except BadUser:
        return
    assert 0 <= found.uid <= MAX_ID
    assert all(0 <= gid <= MAX_ID for gid in found.groups)
    assert found.home.startswith("/")


def test_parts() -> None:
    account = find_account(PASSWD, name="ann")
    assert account is not None
    assert account.uid == 1000
    assert find_account(PASSWD, uid=8) is not None
    assert find_account(PASSWD, name="nobody") is None
    assert find_group(GROUP, "staff") == 50
    assert find_group(GROUP, "big") is None
    assert groups_of(GROUP, b"ann") == [50]
