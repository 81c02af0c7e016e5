"""Progress as the Engine API streams it: docker's words, bars and sizes."""

from typing import Final

import msgspec

from havre.images.transfer_events import LayerBytes, LayerState, Note, PushedAlone, TagPushed, TransferEvent
from havre.wire.progress import ProgressLine

_BAR: Final = 50
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def line_of(event: TransferEvent) -> ProgressLine:
    """The line that tells *event*."""
    match event:
        case LayerState(layer, state):
            return {"status": state, "progressDetail": {}, "id": layer}
        case LayerBytes(layer, state, current, total):
            return {
                "status": state,
                "progressDetail": {"current": current, "total": total},
                "progress": bar(current, total),
                "id": layer,
            }
        case Note(text, name):
            return {"status": text, "id": name} if name else {"status": text}
        case TagPushed(tag, digest, size):
            return {"progressDetail": {}, "aux": {"Tag": tag, "Digest": digest, "Size": size}}
        case PushedAlone(index, manifest):
            aux = {
                "manifestPushedInsteadOfIndex": True,
                "originalIndex": msgspec.to_builtins(index),
                "selectedManifest": msgspec.to_builtins(manifest),
            }
            return {"progressDetail": {}, "aux": aux}


def bar(current: int, total: int) -> str:
    """`[=====>      ]  28.86kB/2.812MB`; without a *total* the size alone."""
    if total <= 0:
        return f"{human_size(current):>8}"
    done = min(current * _BAR // total, _BAR)
    return f"[{'=' * done}>{' ' * (_BAR - done)}] {human_size(current):>8}/{human_size(total)}"


def human_size(count: int) -> str:
    """Four digits and a decimal unit, as Go's units package prints them."""
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size /= 1000
        unit += 1
    return f"{size:.4g}{_UNITS[unit]}"
