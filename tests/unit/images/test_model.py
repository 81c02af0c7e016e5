from __future__ import annotations

from havre.images.model import Loaded, Renamed, message_of
from havre.oci.reference import Reference

BOX = Reference.parse("busybox:latest")


def test_messages_are_dockers() -> None:
    assert message_of(Loaded("sha256:a", BOX)) == "Loaded image: busybox:latest"
    assert message_of(Loaded("sha256:a", None)) == "Loaded image ID: sha256:a"
    assert message_of(Renamed(BOX, "sha256:b")) == (
        "The image busybox:latest already exists, renaming the old one with ID sha256:b to empty string"
    )
