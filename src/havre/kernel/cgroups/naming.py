"""The names of groups: listed, and changed where the kernel lets them be."""

from contextlib import ExitStack

from havre.kernel.cgroups.control import Cgroups, checked_path


def rename(cgroups: Cgroups, path: str, new_path: str) -> None:
    """Give the group *path* another name with the same parent: v1 only, where also its processes need not move.

    KernelError EEXIST when the name is taken; whatever fails, the group has its old name.
    """
    name, new_name = checked_path(path), checked_path(new_path)
    with ExitStack() as undo:
        for tree in cgroups.trees.every:
            if tree.version == 1:
                tree.rename(name, new_name)
                undo.callback(tree.rename, new_name, name)
        undo.pop_all()


def is_gone(cgroups: Cgroups, path: str) -> bool:
    """Whether the group was taken away to the end: `Cgroups.remove` goes from the first tree to the last."""
    name, trees = checked_path(path), cgroups.trees
    own = [tree for tree in trees.every if tree.version == cgroups.version][-1:]
    return not any(tree.exists(name) for tree in (*own, *([trees.unified] if trees.unified else [])))


def children(cgroups: Cgroups, path: str) -> list[str]:
    """The groups in the group *path*, as paths; of a group that some trees only have, those too."""
    name = checked_path(path)
    below = {folder for tree in cgroups.trees.every for folder in tree.folders(name)[1:]}
    return sorted(f"/{folder}" for folder in below if "/" not in folder[len(name) + 1 :])
