"""Who bears which labels, for sockets that show only some containers."""

from collections.abc import Mapping

from havre.engine.execs import Execs
from havre.engine.parts import Parts


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
