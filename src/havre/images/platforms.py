"""Which platform this machine is, and which of several manifests fits a wish."""

import os
from collections.abc import Sequence

from havre.base.errors import InvalidInput
from havre.oci.descriptor import Descriptor, Platform

_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", ""),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "ppc64le": ("ppc64le", ""),
    "s390x": ("s390x", ""),
    "riscv64": ("riscv64", ""),
    "loongarch64": ("loong64", ""),
}
_ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "armhf": "arm"}
_DEFAULT_VARIANTS = {"arm": "v7", "arm64": "v8"}
_KNOWN_VARIANTS = {"arm": ("v8", "v7", "v6", "v5"), "arm64": ("v9", "v8"), "amd64": ("v4", "v3", "v2", "v1")}
_UNKNOWN = "unknown"


def host_platform() -> Platform:
    """What this machine runs."""
    machine = os.uname().machine
    architecture, variant = _ARCHITECTURES.get(machine, (machine, ""))
    return Platform(architecture=architecture, os="linux", variant=variant)


def parse_platform(text: str) -> Platform:
    """`os[/architecture[/variant]]`, or an architecture alone. Raises InvalidInput."""
    parts = text.lower().split("/")
    if not 1 <= len(parts) <= 3 or not all(part and part.replace("-", "").isalnum() for part in parts):
        raise InvalidInput(f'"{text[:100]}" is an invalid OS component or platform')
    host = host_platform()
    if len(parts) == 1:
        if parts[0] == "linux":
            return host
        architecture = _ALIASES.get(parts[0], parts[0])
        if architecture not in {name for name, _ in _ARCHITECTURES.values()}:
            raise InvalidInput(f'"{text[:100]}": unknown operating system or architecture: invalid argument')
        return Platform(architecture=architecture, os="linux")
    architecture = _ALIASES.get(parts[1], parts[1])
    return Platform(architecture=architecture, os=parts[0], variant=parts[2] if len(parts) == 3 else "")


def wished_platform(text: str) -> Platform | None:
    """As `parse_platform`, but empty is no wish."""
    return parse_platform(text) if text else None


def fits(offered: Platform, wanted: Platform) -> int | None:
    """How badly *offered* serves *wanted*: 0 exactly, more for an older variant, None not at all."""
    if (offered.os, offered.architecture) != (wanted.os, wanted.architecture):
        return None
    default = _DEFAULT_VARIANTS.get(wanted.architecture, "")
    have, want = offered.variant or default, wanted.variant or default
    if have == want:
        return 0
    ladder = _KNOWN_VARIANTS.get(wanted.architecture, ())
    if not want:
        return 1 + (ladder[::-1].index(have) if have in ladder else len(ladder))
    if have in ladder and want in ladder and ladder.index(have) > ladder.index(want):
        return ladder.index(have) - ladder.index(want)
    if not have:
        return len(ladder) + 1
    return None


def choose(offers: Sequence[Descriptor], wanted: Platform) -> Descriptor | None:
    """The manifest that serves *wanted* best; one that tells no platform serves when nothing better is there."""
    graded = [
        (grade, position)
        for position, offer in enumerate(offers)
        if offer.platform is not None and (grade := fits(offer.platform, wanted)) is not None
    ]
    if graded:
        return offers[min(graded)[1]]
    return next((offer for offer in offers if offer.platform is None), None)


def is_attestation(offer: Descriptor) -> bool:
    """Whether a manifest of an index holds statements about images and no image (BuildKit's `unknown/unknown`)."""
    return offer.platform is not None and offer.platform.os == _UNKNOWN


def format_platform(platform: Platform) -> str:
    """`linux/arm64/v8`."""
    return "/".join(part for part in (platform.os, platform.architecture, platform.variant) if part)
