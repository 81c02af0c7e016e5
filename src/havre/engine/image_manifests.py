"""The manifests of an image of several platforms, as the Engine API shows them: each with how much of it is here."""

import msgspec

from havre.images.indexes import Variant
from havre.oci import descriptor as oci
from havre.wire.images import Descriptor, ImageManifestSummary, Platform


def summary_of(variant: Variant, containers: list[str]) -> ImageManifestSummary:
    """One manifest; *containers* are those that use it."""
    image = variant.image
    unpacked = image.size_bytes if image is not None else 0
    shown: ImageManifestSummary = {
        "ID": variant.descriptor.digest,
        "Descriptor": shown_descriptor(variant.descriptor),
        "Available": image is not None,
        "Size": {"Content": variant.content_bytes, "Total": variant.content_bytes + unpacked},
        "Kind": "attestation" if variant.about else "image" if variant.is_image else "unknown",
    }
    if variant.about:
        shown["AttestationData"] = {"For": variant.about}
    elif variant.is_image and variant.platform is not None:
        shown["ImageData"] = {
            "Platform": msgspec.convert(msgspec.to_builtins(variant.platform), Platform),
            "Containers": containers,
            "Size": {"Unpacked": unpacked},
        }
    return shown


def shown_descriptor(pointer: oci.Descriptor) -> Descriptor:
    """*pointer* as the API tells it."""
    return msgspec.convert(msgspec.to_builtins(pointer), Descriptor)
