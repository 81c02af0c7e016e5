"""The sealed layers of a store in memory: which stand on which, their short links, and how a stack is mounted."""

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from havre.kernel.mounts import MountAttr
from havre.kernel.overlays import detached_overlay
from havre.oci.digest import Digest
from havre.snapshots.contract import Layer, NoSuchLayer

_LINK_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LINK_LENGTH = 6
# What would make the upper folder unreadable as a plain list of changes; off is also the kernel's own default.
_MUST_BE_OFF = ("index", "metacopy", "redirect_dir")
_PARAMETERS = Path("/sys/module/overlay/parameters")


class Lowers:
    """The index of sealed layers; its owner guards it against other threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._layers: dict[Digest, Layer] = {}
        self._children: Counter[Digest] = Counter()
        self._paths: dict[Digest, tuple[str, ...]] = {}
        self.overrides = tuple(f"{name}=off" for name in _MUST_BE_OFF if _is_on(name))

    def add(self, layer: Layer) -> None:
        """Know *layer* from now on."""
        self._layers[layer.chain] = layer
        if layer.parent is not None:
            self._children[layer.parent] += 1

    def forget(self, layer: Layer) -> None:
        """The opposite of `add`; the link goes too."""
        del self._layers[layer.chain]
        self._paths.clear()
        if layer.parent is not None:
            self._children[layer.parent] -= 1
        self.drop_link(layer.link)

    def find(self, chain: Digest) -> Layer | None:
        """The layer on top of *chain*."""
        return self._layers.get(chain)

    def all(self) -> tuple[Layer, ...]:
        """Every layer."""
        return tuple(self._layers.values())

    def has_children(self, chain: Digest) -> bool:
        """Whether a layer stands on *chain*."""
        return self._children[chain] > 0

    def stack(self, chain: Digest | None) -> tuple[Layer, ...] | None:
        """The layers of *chain*, topmost first; None when one is missing."""
        found: list[Layer] = []
        while chain is not None:
            layer = self._layers.get(chain)
            if layer is None:
                return None
            found.append(layer)
            chain = layer.parent
        return tuple(found)

    def paths(self, chain: Digest | None) -> tuple[str, ...]:
        """The folders to mount for *chain*, topmost first, never none. Raises NoSuchLayer."""
        if chain is None:
            return (f"{self._root}/empty",)
        known = self._paths.get(chain)
        if known is None:
            known = self._paths[chain] = self._find_paths(chain)
        return known

    def make_link(self, chain: Digest) -> str:
        """A new short link to the layer's folder, which need not be there yet."""
        while True:
            link = "".join(_LINK_LETTERS[byte & 31] for byte in os.urandom(_LINK_LENGTH))
            with suppress(FileExistsError):
                (self._root / "l" / link).symlink_to(f"../{chain.value}/diff")
                return link

    def drop_link(self, link: str) -> None:
        """Remove a short link."""
        (self._root / "l" / link).unlink(missing_ok=True)

    def mend_links(self) -> None:
        """Remove links of no layer, and make those that are missing."""
        wanted = {layer.link: f"../{layer.chain.value}/diff" for layer in self._layers.values()}
        for path in list((self._root / "l").iterdir()):
            if path.is_symlink() and wanted.get(path.name) == str(path.readlink()):
                del wanted[path.name]
            else:
                path.unlink()
        for name, target in wanted.items():
            (self._root / "l" / name).symlink_to(target)

    def _find_paths(self, chain: Digest) -> tuple[str, ...]:
        stack = self.stack(chain)
        if stack is None:
            raise NoSuchLayer(f"no such layer: {chain}")
        paths: list[str] = []
        for layer in stack:
            paths.append(f"{self._root}/l/{layer.link}")
            if layer.opaque:
                break
        return tuple(paths)


def private_mount(lowers: Sequence[str], upper: Path | None = None) -> int:
    """A handle on the root of an overlay that is mounted nowhere: fsmount(2); it goes with the last handle.

    *lowers* are topmost first; *upper*, with the work folder beside it, is where changes go: without, there are none.
    """
    options = () if upper is None else (("upperdir", str(upper)), ("workdir", str(upper.with_name("work"))))
    attributes = MountAttr.NODEV | (MountAttr.NONE if upper is not None else MountAttr.RDONLY)
    mount = detached_overlay(lowers, options, attributes)
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=mount)
    finally:
        os.close(mount)


def _is_on(parameter: str) -> bool:
    try:
        return (_PARAMETERS / parameter).read_text().strip() not in {"N", "off"}
    except OSError:
        return False  # a kernel without the feature
