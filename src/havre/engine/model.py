"""What is known of one container, and the values it is made of."""

from typing import TypeAlias

import msgspec

from havre.engine.health import Health
from havre.engine.lifecycle import ALIVE, State
from havre.engine.settings import Config, EndpointWish, HostConfig
from havre.networks.model import Attachment

BRIDGE, HOST, NONE = "bridge", "host", "none"
SHARED = "container:"
"""Begins a namespace mode that takes another container's; its name or id follows."""


class IdMap(msgspec.Struct, frozen=True, kw_only=True):
    """Files of the first id of a pair belong to the second one inside, and the other way round."""

    user: tuple[int, int]
    group: tuple[int, int]


class BindMount(msgspec.Struct, frozen=True, kw_only=True, tag="bind"):
    """A file or folder of the host. *mode* is what the user wrote in the short form, for `inspect`."""

    source: str
    destination: str
    writable: bool = True
    mode: str = ""
    propagation: str = "rprivate"
    recursive: bool = True
    recursive_read_only: bool = True
    force_recursive_read_only: bool = False
    make_source: bool = False
    id_map: IdMap | None = None


class TmpfsMount(msgspec.Struct, frozen=True, kw_only=True, tag="tmpfs"):
    """A file system in memory. *listed* false: given by --tmpfs, which `inspect` shows among the settings only."""

    destination: str
    options: tuple[str, ...] = ()
    writable: bool = True
    listed: bool = True


class VolumeMount(msgspec.Struct, frozen=True, kw_only=True, tag="volume"):
    """A volume. *name* is empty until the container is made and the volume with it; *source* is where its content is.

    *labels*, *options* and *driver* are for a volume that is not there yet; *copy* lets an empty one begin with what
    the image has at *destination*; *subpath* is the part of it that is mounted. *anonymous*: nobody named it, so it
    may go with the container.
    """

    destination: str
    name: str = ""
    source: str = ""
    writable: bool = True
    mode: str = ""
    copy: bool = True
    labels: dict[str, str] = {}
    options: dict[str, str] = {}
    subpath: str = ""
    id_map: IdMap | None = None
    anonymous: bool = False
    driver: str = ""


class ImageMount(msgspec.Struct, frozen=True, kw_only=True, tag="image"):
    """The content of an image, read-only. *chain* is what *image* meant when the container was made.

    With *container*, an id, it is what that container, which does not run, sees: its own changes over its image.
    """

    image: str
    container: str = ""
    destination: str
    chain: str = ""
    subpath: str = ""


ResolvedMount: TypeAlias = BindMount | TmpfsMount | VolumeMount | ImageMount


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A container as it is written down. *failure* is the text of a start that failed.

    *config* is already joined with the image's; *chain* names the sealed layers it stands on. *args* is the
    whole command. *stopped_by_user* holds a restart policy back.
    """

    id: str
    name: str
    created_ns: int
    image_id: str
    chain: str
    config: Config
    host: HostConfig
    endpoints: dict[str, EndpointWish] = {}
    mounts: tuple[ResolvedMount, ...] = ()
    args: tuple[str, ...] = ()
    state: State = State.CREATED
    pid: int = 0
    exit_code: int = 0
    failure: str = ""
    oom_killed: bool = False
    started_ns: int = 0
    finished_ns: int = 0
    restart_count: int = 0
    stopped_by_user: bool = False
    attachment: Attachment | None = None
    health: Health | None = None

    @property
    def alive(self) -> bool:
        """Whether a process of the container exists, as far as is known."""
        return self.state in ALIVE

    @property
    def log_driver(self) -> str:
        """Where the output goes."""
        return self.host.log_config.type

    def actor_attributes(self) -> dict[str, str]:
        """What every event of the container tells of it."""
        return {**self.config.labels, "image": self.config.image, "name": self.name}


class ExecWish(msgspec.Struct, frozen=True, kw_only=True):
    """A further process as it was asked for."""

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    privileged: bool = False
    tty: bool = False
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    detach_keys: str = ""
    height: int = 0
    width: int = 0


class ExecRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An exec instance that was started, as it is written down; *code* is None until it has ended."""

    id: str
    container_id: str
    wish: ExecWish
    pid: int = 0
    code: int | None = None
