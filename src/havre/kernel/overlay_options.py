"""How the layers of an overlay are told to the kernel: overlay(7), mount(2). Nothing here calls it."""

import os
from collections.abc import Sequence

from havre.base.errors import InvalidInput

_LAYER_BY_LAYER = (6, 7)
PAGE = 4095
"""The bytes of options that mount(2) takes on machines with small pages."""
Options = Sequence[tuple[str, str]]
"""Keys and values; a flag has an empty value."""


def takes_layers(release: str) -> bool:
    """Whether the kernel that calls itself *release* knows `lowerdir+`."""
    major, _, rest = release.partition(".")
    minor = rest.partition(".")[0].partition("-")[0]
    return not (major.isdecimal() and minor.isdecimal()) or (int(major), int(minor)) >= _LAYER_BY_LAYER


def short_options(lowers: Sequence[str], options: Options = ()) -> tuple[str, str]:
    """The folder that all *lowers* lie below, and the text for mount(2) that names them from there.

    Raises InvalidInput for a path that such a text cannot hold, and for more of them than go into a page of it.
    """
    common = os.path.commonpath(lowers) if len(lowers) > 1 else os.path.dirname(lowers[0])  # noqa: PTH120  texts
    below = [os.path.relpath(lower, common) for lower in lowers]
    if any(letter in path for path in below for letter in ":,\\"):
        raise InvalidInput(f"overlay cannot name one of the folders below {common}")
    pairs = [("lowerdir", ":".join(below)), *options]
    text = ",".join(f"{key}={value}" if value else key for key, value in pairs)
    if len(os.fsencode(text)) > PAGE:  # the kernel would cut it off without a word
        raise InvalidInput(f"overlay cannot name {len(lowers)} folders below {common} in {PAGE} bytes")
    return common, text


def named_options(options: Sequence[str]) -> dict[str, str]:
    """The options of an overlay mount, `key=value` each, by their keys; a flag has an empty value."""
    return dict(option.partition("=")[::2] for option in options)


def lower_folders(options: Sequence[str]) -> list[str]:
    """The folders that an overlay with these options stands on, topmost first."""
    return named_options(options)["lowerdir"].split(":")
