"""A log that goes elsewhere and cannot be read back, beside a `local` one that can."""

from havre.logs.sink import Remote, Writer


class CachedWriter:
    """See sink.Writer. *cache* keeps what the *remote* gets; without, nothing can be read back."""

    def __init__(self, remote: Remote, cache: Writer | None) -> None:
        self._remote = remote
        self._writers: list[Remote | Writer] = [remote] if cache is None else [cache, remote]
        self._cache = cache

    @property
    def lost_lines(self) -> int:
        """How many lines the peer did not get."""
        return self._remote.peer.lost_lines + (self._cache.lost_lines if self._cache else 0)

    @property
    def lost_bytes(self) -> int:
        """How many bytes it did not get."""
        return self._remote.peer.lost_bytes + (self._cache.lost_bytes if self._cache else 0)

    @property
    def waiting(self) -> bool:
        """See sink.Writer."""
        return self._remote.peer.waiting

    @property
    def behind(self) -> int:
        """See sink.Writer."""
        return self._remote.peer.behind

    def catch_up(self) -> None:
        """See sink.Writer."""
        self._remote.peer.catch_up()

    def write(self, stream: int, data: bytes, time_ns: int = 0) -> None:
        """See sink.Writer."""
        for writer in self._writers:
            writer.write(stream, data, time_ns)

    def end(self, stream: int, time_ns: int = 0) -> None:
        """See sink.Writer."""
        for writer in self._writers:
            writer.end(stream, time_ns)

    def close(self) -> None:
        """See sink.Writer."""
        for writer in self._writers:
            writer.close()
