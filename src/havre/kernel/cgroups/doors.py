"""Joining a group in two steps: what can be done ahead of need, and the rest."""

import os
from collections.abc import Iterable
from contextlib import ExitStack

from havre.kernel.cgroups.control import Cgroups, checked_path


def open_doors(cgroups: Cgroups, path: str) -> "list[int]":
    """Handles, close-on-exec, for a process of one thread that will join the group, and is outside until it does.

    In a v2 tree there is no such way; whoever is to be there has to be born there: `Cgroups.clone_fd`.
    """
    name = checked_path(path)
    with ExitStack() as undo:
        doors = []
        for tree in cgroups.trees.every:
            if tree.version == 1:
                doors.append(tree.open(name, "tasks"))
                undo.callback(os.close, doors[-1])
        undo.pop_all()
    return doors


def walk_in(doors: Iterable[int]) -> None:
    """Do by *doors* what `Cgroups.join` with `cloned` does. OSError (ENODEV) when the group is gone."""
    for door in doors:
        os.write(door, b"0")
