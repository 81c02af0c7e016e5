"""Who bears which labels and has what of the host, for sockets that do not let everything through."""

from collections.abc import Mapping

from havre.base.errors import HavreError
from havre.engine.execs import Execs
from havre.engine.model import Record
from havre.engine.parts import Parts
from havre.engine.reach import host_reach


class Labels:
    """Looks into memory only."""

    def __init__(self, parts: Parts, execs: Execs) -> None:
        self._parts = parts
        self._execs = execs

    def of_container(self, ref: str) -> Mapping[str, str]:
        """The labels of a container. Raises NoSuchContainer, InvalidInput."""
        return self._parts.roster.get(ref).record.config.labels

    def of_exec(self, exec_id: str) -> Mapping[str, str]:
        """Those of the container of an exec instance. Raises NoSuchExec."""
        return self._execs.container_of(exec_id).record.config.labels

    def reach_of_container(self, ref: str) -> str:
        """What a container has of the host. Raises NoSuchContainer, InvalidInput."""
        return host_reach(self._parts.roster.get(ref).record, self._find)

    def reach_of_exec(self, exec_id: str) -> str:
        """What the container of an exec instance has of the host. Raises NoSuchExec."""
        return host_reach(self._execs.container_of(exec_id).record, self._find)

    def _find(self, ref: str) -> Record | None:
        try:
            return self._parts.roster.get(ref).record
        except HavreError:
            return None
