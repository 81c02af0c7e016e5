"""Who files belong to: `--chown`, looked up in the image's own passwd and group (security.md, rule 11)."""

import errno

from havre.build.model import BuildFailed
from havre.kernel.inroot import read_in_root
from havre.kernel.libc import KernelError
from havre.runtime.errors import BadUser
from havre.runtime.init.users import FILE_LIMIT, find_account, find_group, parse_id


def find_owner(root: int, wanted: str) -> tuple[int, int]:
    """(user, group) of `user[:group]` in the tree *root*; nothing is root. Raises BuildFailed.

    A user alone gives the group of the same number or name; where no group has that name, the user's own.
    """
    if not wanted:
        return 0, 0
    name, colon, group = wanted.partition(":")
    try:
        passwd, groups = _read(root, "/etc/passwd"), _read(root, "/etc/group")
        number = parse_id(name)
        account = None if number is not None else find_account(passwd, name=name)
        if number is None and account is None:
            raise BuildFailed(
                f"unable to convert uid/gid chown string to host mapping: can't find uid for user {name}: "
                f"no such user: {name}"
            )
        uid = account.uid if account is not None else (number or 0)
        if not colon:
            own = find_group(groups, name) if account is not None else uid
            return uid, own if own is not None else (account.gid if account is not None else uid)
        return uid, _group(groups, group)
    except BadUser as error:
        raise BuildFailed(f"unable to convert uid/gid chown string to host mapping: {error.message}") from error


def find_user(root: int, wanted: str) -> tuple[int, int]:
    """(user, group) of what USER says, for folders that are made for it; unknown names are root's until they run."""
    name, _, group = wanted.partition(":")
    try:
        passwd, groups = _read(root, "/etc/passwd"), _read(root, "/etc/group")
        number = parse_id(name or "0")
        account = find_account(passwd, name=name) if number is None else find_account(passwd, uid=number)
        uid = account.uid if account is not None else (number or 0)
        gid = _group(groups, group) if group else (account.gid if account is not None else 0)
    except (BadUser, BuildFailed):
        return 0, 0
    return uid, gid


def _group(groups: bytes, name: str) -> int:
    number = parse_id(name)
    if number is None:
        number = find_group(groups, name)
    if number is None:
        raise BuildFailed(
            f"unable to convert uid/gid chown string to host mapping: can't find gid for group {name}: "
            f"no such group: {name}"
        )
    return number


def _read(root: int, path: str) -> bytes:
    try:
        return read_in_root(root, path, FILE_LIMIT)
    except KernelError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            return b""
        raise
