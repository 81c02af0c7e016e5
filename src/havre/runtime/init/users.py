"""Who a process is, by the passwd and group files of its own root; nothing of the host is asked (rule 11)."""

from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

from havre.runtime.errors import BadUser

MAX_ID = 2**32 - 2
FILE_LIMIT = 10 << 20


class Identity(NamedTuple):
    """The numbers of a process's user, and its home folder. *groups* begins with the primary one."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


class Account(NamedTuple):
    """A line of passwd(5)."""

    name: bytes
    uid: int
    gid: int
    home: bytes


def parse_id(text: str) -> int | None:
    """The number that *text* is; None when it is a name. Raises BadUser for a number beyond the kernel's."""
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) > 10 or int(text) > MAX_ID:
        raise BadUser(f"uids and gids must be in range 0-{MAX_ID}")
    return int(text)


def find_account(passwd: bytes, *, name: str = "", uid: int | None = None) -> Account | None:
    """The first account called *name*, or with number *uid*. Lines out of form are passed over."""
    wanted = b"%d" % uid if uid is not None else name.encode()
    for fields in _lines(passwd, wanted, 7):
        number, group = _number(fields[2]), _number(fields[3])
        if number is None or group is None:
            continue
        if (uid is not None and number == uid) or (uid is None and fields[0] == wanted):
            return Account(fields[0], number, group, fields[5])
    return None


def find_group(group: bytes, name: str) -> int | None:
    """The number of the group called *name*."""
    wanted = name.encode()
    for fields in _lines(group, wanted, 4):
        number = _number(fields[2])
        if number is not None and fields[0] == wanted:
            return number
    return None


def groups_of(group: bytes, member: bytes) -> list[int]:
    """The numbers of the groups that list *member*."""
    found = []
    for fields in _lines(group, member, 4):
        number = _number(fields[2])
        if number is not None and member in fields[3].split(b","):
            found.append(number)
    return found


def identify(wanted: str, further: "list[str]", passwd: bytes, group: bytes) -> Identity:
    """The identity of `name[:group]`, either of which may be a number; empty is user 0. Raises BadUser.

    A colon with nothing behind it names no group. A string of digits is never looked up as a name. Without a group
    the user's own and those that list him count, with one only that. *further* are group names or numbers to add.
    """
    user, _, group_name = wanted.partition(":")
    if "\0" in wanted or "\n" in wanted or ":" in group_name:
        raise BadUser(f"unable to find user {wanted}: invalid user specification")
    uid = parse_id(user or "0")
    account = find_account(passwd, name=user) if uid is None else find_account(passwd, uid=uid)
    if account is None:
        if uid is None:
            raise BadUser(f"unable to find user {user}: no matching entries in passwd file")
        account = Account(b"", uid, 0, b"/")
    gid = _group_number(group, group_name) if group_name else account.gid
    members = [] if group_name or not account.name else groups_of(group, account.name)
    extra = [_group_number(group, name) for name in further]
    numbers = dict.fromkeys((gid, *members, *extra))
    return Identity(account.uid, gid, tuple(numbers), _home(account.home))


def home_of(uid: int, passwd: bytes) -> str:
    """The home folder of user number *uid*; `/` when there is none fit for an environment."""
    account = find_account(passwd, uid=uid)
    return _home(account.home) if account else "/"


def _group_number(group: bytes, name: str) -> int:
    number = parse_id(name)
    if number is None:
        number = find_group(group, name)
    if number is None:
        raise BadUser(f"unable to find group {name}: no matching entries in group file")
    return number


def _home(raw: bytes) -> str:
    """A home folder that no line of another file can be forged with."""
    home = raw.decode(errors="replace")
    return home if home.startswith("/") and home.isprintable() else "/"


def _lines(content: bytes, wanted: bytes, least: int) -> Iterator[list[bytes]]:
    """The fields of lines that hold *wanted* somewhere: most of a long file is passed over unsplit."""
    for line in BytesIO(content):
        if wanted in line:
            fields = line.rstrip(b"\n").split(b":")
            if len(fields) >= least:
                yield fields


def _number(field: bytes) -> int | None:
    if not field.isdigit() or len(field) > 10:
        return None
    number = int(field)
    return number if number <= MAX_ID else None
