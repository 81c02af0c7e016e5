"""Where the parts of one container lie on this host: what a start must know that is not in its record."""

from pathlib import Path

import msgspec

from havre.oci.runtime_spec import Mount


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Paths on the host. An empty namespace path is a fresh namespace; *shared_memory* is what becomes /dev/shm.

    *hostname* is what the container calls itself; *init* the tiny init of `--init`. *staged* is where the
    mounts that the host had to prepare are taken from, by destination.
    """

    root: str
    root_mounts: tuple[Mount, ...]
    run_dir: str
    log_path: str
    hostname: str
    network_namespace: str = ""
    pid_namespace: str = ""
    ipc_namespace: str = ""
    shared_memory: str = ""
    resolv_conf: str = ""
    hostname_file: str = ""
    hosts: str = ""
    init: str = ""
    staged: dict[str, str] = {}


class Folders:
    """The folders below data root and exec root that belong to containers."""

    def __init__(self, data_root: Path, exec_root: Path) -> None:
        self.data_root = data_root
        self.exec_root = exec_root
        self.containers = data_root / "containers"

    def container(self, identifier: str) -> Path:
        """What a container keeps as long as it exists."""
        return self.containers / identifier

    def run(self, identifier: str) -> Path:
        """What it keeps as long as it runs."""
        return self.exec_root / identifier

    def log(self, identifier: str) -> Path:
        """What it said."""
        return self.container(identifier) / f"{identifier}-json.log"
