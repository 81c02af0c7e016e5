"""The images in memory: what `docker create` asks for on its fastest path. Not for several threads.

It holds what the names record holds and is changed only after the record was.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import replace

from havre.base.errors import InvalidInput
from havre.images.model import Image, NoSuchImage
from havre.oci.digest import Digest
from havre.oci.reference import Reference

_SHA256 = "sha256:"
_HEX_DIGITS = 64
_REMEMBERED = 4096


class Catalogue:
    """Images by id, by name and by the beginning of an id."""

    def __init__(self) -> None:
        self._images: dict[str, Image] = {}
        self._names: dict[Reference, str] = {}
        self._hexes: list[str] = []
        self._children = _Groups()
        self._platforms = _Groups()
        self._manifests = _Groups()
        self._asked: dict[str, Image] = {}

    def all(self) -> tuple[Image, ...]:
        """Every image, the newest first."""
        return tuple(sorted(self._images.values(), key=lambda image: (-image.created_ns, image.id)))

    def find(self, text: str) -> Image:
        """The image that *text* names: an id, a name, or the beginning of an id, in Docker's order.

        Raises NoSuchImage, also where *text* begins several ids; InvalidInput where it can name nothing.
        """
        known = self._asked.get(text)
        if known is not None:
            return known
        found = self._look_up(text)
        if len(self._asked) < _REMEMBERED:
            self._asked[text] = found
        return found

    def get(self, image_id: str) -> Image | None:
        """The image with exactly that id."""
        return self._images.get(image_id)

    def named(self, reference: Reference) -> Image | None:
        """The image that has exactly that name."""
        image_id = self._names.get(reference)
        return None if image_id is None else self._images[image_id]

    def by_prefix(self, text: str) -> Image | None:
        """The image whose id alone *text* begins, with or without `sha256:`."""
        beginning = text.removeprefix(_SHA256)
        first = bisect_left(self._hexes, beginning)
        fitting = [one for one in self._hexes[first : first + 2] if one.startswith(beginning)]
        return self._images[_SHA256 + fitting[0]] if len(fitting) == 1 and beginning else None

    def in_repository(self, repository: Reference) -> tuple[Reference, ...]:
        """All tags of one repository, sorted."""
        return tuple(sorted(name for name in self._names if not name.digest and name.repository() == repository))

    def children(self, image_id: str) -> frozenset[str]:
        """The images committed on *image_id*."""
        return self._children.of(image_id)

    def platforms(self, image: Image) -> tuple[Image, ...]:
        """*image* and those for other platforms that came by the same index, *image* first."""
        others = self._platforms.of(image.index.digest) if image.index is not None else frozenset()
        return (image, *(self._images[one] for one in sorted(others - {image.id})))

    def is_covered(self, image: Image) -> bool:
        """Whether *image* has no name, and one of another platform has names that mean its index."""
        return not image.references and any(one.references for one in self.platforms(image))

    def with_manifest(self, digest: str) -> Image | None:
        """An image that has exactly that manifest."""
        return next((self._images[one] for one in self._manifests.of(digest)), None)

    def put(self, image: Image) -> None:
        """Hold *image*; its references become its own, whoever had them."""
        previous = self._images.get(image.id)
        if previous is not None:
            self._ungroup(previous)
            kept = [name for name in previous.references if name not in image.references]
            image = replace(image, references=tuple(sorted((*kept, *image.references), key=str)))
        else:
            insort(self._hexes, image.id.removeprefix(_SHA256))
        self._images[image.id] = image
        self._group(image)
        for name in image.references:
            self._take(name, image.id)
        self._asked.clear()

    def tag(self, image_id: str, names: Iterable[Reference], at_ns: int) -> Image:
        """Give *names* to an image that is here."""
        image = replace(self._images[image_id], references=tuple(names), last_tagged_ns=at_ns)
        self.put(image)
        return self._images[image_id]

    def untag(self, names: Iterable[Reference]) -> None:
        """Take *names* away; unknown ones are no error."""
        for name in names:
            owner = self._names.pop(name, None)
            if owner is not None:
                self._drop_reference(owner, name)
        self._asked.clear()

    def drop(self, image_id: str) -> None:
        """Forget an image and its names; an unknown one is no error."""
        image = self._images.pop(image_id, None)
        if image is None:
            return
        for name in image.references:
            del self._names[name]
        del self._hexes[bisect_left(self._hexes, image_id.removeprefix(_SHA256))]
        self._ungroup(image)
        self._asked.clear()

    def _look_up(self, text: str) -> Image:
        identifier = _whole_id(text)
        if identifier is not None:
            image = self._images.get(identifier)
            if image is None:
                raise NoSuchImage(f"No such image: {identifier}")
            return image
        reference = Reference.parse(text).with_default_tag()
        exact = Reference(reference.domain, reference.path, digest=reference.digest)
        image = self.named(exact if reference.digest else reference) or self.by_prefix(text)
        if image is None:
            raise NoSuchImage(f"No such image: {reference.familiar}")
        return image

    def _take(self, name: Reference, image_id: str) -> None:
        owner = self._names.get(name)
        if owner is not None and owner != image_id:
            self._drop_reference(owner, name)
        self._names[name] = image_id

    def _drop_reference(self, owner: str, name: Reference) -> None:
        image = self._images[owner]
        left = tuple(one for one in image.references if one != name)
        self._images[owner] = replace(image, references=left)

    def _group(self, image: Image) -> None:
        self._children.add(image.parent, image.id)
        self._manifests.add(image.manifest.digest, image.id)
        self._platforms.add(image.index.digest if image.index is not None else "", image.id)

    def _ungroup(self, image: Image) -> None:
        self._children.discard(image.parent, image.id)
        self._manifests.discard(image.manifest.digest, image.id)
        self._platforms.discard(image.index.digest if image.index is not None else "", image.id)


class _Groups:
    """Ids by something they have in common; the empty key holds none."""

    def __init__(self) -> None:
        self._ids: dict[str, set[str]] = {}

    def of(self, key: str) -> frozenset[str]:
        return frozenset(self._ids.get(key, ()))

    def add(self, key: str, image_id: str) -> None:
        if key:
            self._ids.setdefault(key, set()).add(image_id)

    def discard(self, key: str, image_id: str) -> None:
        group = self._ids.get(key, set())
        group.discard(image_id)
        if not group:
            self._ids.pop(key, None)


def is_id_or_prefix(image_id: str, text: str) -> bool:
    """Whether *text* begins *image_id*, with or without its algorithm."""
    return image_id.startswith(text) or image_id.removeprefix(_SHA256).startswith(text)


def _whole_id(text: str) -> str | None:
    if len(text) == _HEX_DIGITS and ":" not in text:
        text = _SHA256 + text
    try:
        return str(Digest.parse(text))
    except InvalidInput:
        return None


def is_whole_id(text: str) -> bool:
    """Whether *text* can only be an id, with or without its algorithm."""
    return _whole_id(text) is not None
