"""What a blob store shows to other tools as its images: `index.json` of an OCI image layout."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from havre.base.atomic import write_file
from havre.base.exhaustion import exhaustion
from havre.content.errors import DamagedBlob
from havre.oci.descriptor import OCI_INDEX, Descriptor
from havre.oci.manifest import Index


class LayoutIndex:
    """The file *path*; every call blocks."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def make(self) -> None:
        """Let it name nothing, unless it is there."""
        if not self._path.exists():
            self.write([])

    def write(self, manifests: Sequence[Descriptor]) -> None:
        """Make it name exactly *manifests*, atomically."""
        index = Index(schema_version=2, media_type=OCI_INDEX, manifests=list(manifests))
        with exhaustion("writing index.json"):
            write_file(self._path, msgspec.json.encode(index), mode=0o644)

    def read(self) -> tuple[Descriptor, ...]:
        """What it names. Raises DamagedBlob when it is not readable."""
        try:
            index = msgspec.json.decode(self._path.read_bytes(), type=Index)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise DamagedBlob(f"{self._path}: {error}") from error
        return tuple(index.manifests)
