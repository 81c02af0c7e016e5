"""A runtime spec as other runtimes want to read it: nothing that is known is left out for being a default."""

import msgspec
from msgspec.structs import replace

from havre.oci.runtime_spec import DeviceRule, Spec

VERSION = "1.0.2"
"""What every runtime knows; fields that came later are passed over by older ones."""


def config_of(spec: Spec) -> "dict[str, object]":
    """The content of config.json."""
    linux = spec.linux
    if linux is not None and linux.resources is not None:
        rules = [rule for rule in linux.resources.devices or () if not _adds_by_itself(rule)]
        linux = replace(linux, resources=replace(linux.resources, devices=rules))
    return {**whole(replace(spec, linux=linux)), "ociVersion": VERSION}


def _adds_by_itself(rule: DeviceRule) -> bool:
    """Every runtime lets any node be made, as the last of its rules: runc takes no exception from that before it."""
    return rule.allow and rule.access == "m" and rule.major is None


def whole(value: msgspec.Struct) -> "dict[str, object]":
    """*value* as JSON's values, with its zeros and its defaults; only what says nothing (null, "") is left out."""
    found: dict[str, object] = {}
    for field in msgspec.structs.fields(value):
        item = getattr(value, field.name)
        if item is not None and item != "":
            found[field.encode_name] = _plain(item)
    return found


def _plain(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return whole(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
