"""From a container's record to where its output goes: the options' words become numbers, names and places."""

from pathlib import Path
from typing import Final

import msgspec

from havre.engine import log_settings as words
from havre.engine import tags
from havre.engine.model import Record
from havre.engine.settings import LogSettings
from havre.logs.files import EntryDecoder
from havre.logs.journald import field_name
from havre.logs.local_entries import LocalDecoder
from havre.runtime.bundle import Driver, LogTarget

_DAEMON: Final = "docker"
_SHORT: Final = 12
_DEFAULT_TAG: Final = "{{.ID}}"


def log_target(record: Record, json_path: str) -> LogTarget:
    """Where the output is kept. *json_path* is where a json-file would be."""
    settings = record.host.log_config
    if settings.type == "none":
        return LogTarget(driver="none")
    remote = settings.type in words.REMOTE
    prefix = "cache-" if remote else ""
    return LogTarget(
        driver=msgspec.convert(settings.type or "json-file", Driver),
        path=str(kept_at(settings, json_path)) if words.readable(settings) else "",
        max_size_bytes=words.max_size_bytes(settings, prefix),
        max_files=words.max_files(settings, prefix),
        compress=words.compressed(settings, prefix),
        max_age_s=words.max_age_s(settings),
        min_free_bytes=words.min_free_bytes(settings),
        attrs=_attributes(record),
        tag=tag(record) if remote else "",
        options={name: value for name, value in settings.config.items() if name.startswith("syslog-")},
        max_buffer_bytes=words.buffer_bytes(settings),
    )


def kept_at(settings: LogSettings, json_path: str) -> Path:
    """The file that is read back, beside the place of a json-file."""
    path = Path(json_path)
    if settings.type == "local":
        return path.parent / "local-logs" / "container.log"
    if settings.type in words.REMOTE:
        return path.parent / "container-cached.log"
    return path


def decoder_of(settings: LogSettings) -> EntryDecoder | None:
    """What reads that file; None is for json-file."""
    return LocalDecoder() if settings.type == "local" or settings.type in words.REMOTE else None


def tag(record: Record) -> str:
    """The name that lines go by."""
    given = record.host.log_config.config.get("tag", "")
    return tags.expanded(given or _DEFAULT_TAG, _fields(record))


def _fields(record: Record) -> dict[str, str]:
    image = record.image_id.removeprefix("sha256:")
    values = (record.id[:_SHORT], record.id, record.name, image[:_SHORT], record.image_id, record.config.image, _DAEMON)
    return dict(zip(tags.FIELDS, values, strict=True))


def _attributes(record: Record) -> dict[str, str]:
    settings = record.host.log_config
    attributes = words.log_attributes(settings, record.config)
    if settings.type != "journald":
        given = settings.config.get("tag")
        return attributes | ({"tag": tag(record)} if given else {})
    own = tag(record)
    return {
        "CONTAINER_ID": record.id[:_SHORT],
        "CONTAINER_ID_FULL": record.id,
        "CONTAINER_NAME": record.name,
        "CONTAINER_TAG": own,
        "IMAGE_NAME": record.config.image,
        "SYSLOG_IDENTIFIER": own,
    } | {field_name(name): value for name, value in attributes.items() if field_name(name)}
