"""`docker import`: an archive of a root folder becomes an image with one layer."""

from dataclasses import dataclass

from havre.base.clock import now_ns, rfc3339
from havre.content.reader import Readable
from havre.images.candidate import Arrival, Candidate, make_manifest
from havre.images.changes import apply_changes
from havre.images.checks import check_config
from havre.images.platforms import host_platform
from havre.oci.descriptor import OCI_LAYER, OCI_MANIFEST, Descriptor, Platform
from havre.oci.image_config import History, ImageConfig, ProcessConfig, RootFS, encode
from havre.oci.reference import Reference
from havre.snapshots.compression import Decompressed


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportWishes:
    """*reference* is the name to give, with a tag; *changes* are Dockerfile lines; no *platform* is the host's.

    *source* is what the user typed for where the archive comes from; it stands in an empty *message*.
    """

    reference: Reference | None = None
    changes: tuple[str, ...] = ()
    message: str = ""
    source: str = "-"
    platform: Platform | None = None


def plan_import(wishes: ImportWishes) -> ProcessConfig:
    """The settings of the image to be; raises InvalidInput for wrong changes, before a byte is read."""
    process = apply_changes(ProcessConfig(), wishes.changes)
    platform = wishes.platform or host_platform()
    check_config(ImageConfig(architecture=platform.architecture, os=platform.os, config=process, rootfs=RootFS()))
    return process


def read_import(source: Readable, arrival: Arrival, wishes: ImportWishes, process: ProcessConfig) -> Candidate:
    """Store what *source* gives, uncompressed, and make an image of it; blocks."""
    stored = arrival.ingest(Decompressed(source))
    platform = wishes.platform or host_platform()
    created = rfc3339(now_ns())
    message = wishes.message or f"Imported from {wishes.source}"
    config = ImageConfig(
        created=created,
        architecture=platform.architecture,
        variant=platform.variant,
        os=platform.os,
        config=process,
        rootfs=RootFS(diff_ids=[str(stored.digest)]),
        history=[History(created=created, comment=message)],
        comment=message,
    )
    config_bytes = encode(config)
    layer = Descriptor(media_type=OCI_LAYER, digest=str(stored.digest), size=stored.size)
    return Candidate(
        config=config,
        config_bytes=config_bytes,
        manifest_bytes=make_manifest(config_bytes, [layer]),
        manifest_type=OCI_MANIFEST,
        blobs=(stored.digest,),
        names=(wishes.reference,) if wishes.reference is not None else (),
    )
