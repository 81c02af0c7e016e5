"""What a build is asked for, what it stands on, and what it tells on its way; plain frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from havre.base.errors import InvalidInput
from havre.build.cache_places import CachePlace
from havre.build.dockerfile.errors import Location
from havre.oci.descriptor import Descriptor, Platform
from havre.oci.digest import Digest, chain_id
from havre.registry.client.keyring import Credentials

_NS: Final = 1_000_000_000


class BuildFailed(InvalidInput):
    """A step could not be done as the Dockerfile wants it; *code* is what clients exit with."""

    def __init__(self, reason: str, code: int = 1) -> None:
        super().__init__(reason)
        self.code = code


class CommandFailed(BuildFailed):
    """The command of a RUN ended with another code than 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLimits:
    """What each RUN may use; 0 and empty are no limit. *ulimits* are (name, soft, hard)."""

    memory_bytes: int = 0
    memory_swap_bytes: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    shm_bytes: int = 0
    cgroup_parent: str = ""
    ulimits: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lent:
    """What the client lends for fetching: secrets by id, and the socket of an ssh agent or empty."""

    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    agent: str = ""


NOTHING_LENT: Final = Lent()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildWishes:
    """What the client wants besides the files.

    *dockerfile* is its path in the context, which comes from the address *remote* or with the request.
    *contexts* are named ones: name to `docker-image://…`, or `sent://` and a folder of the archive. *secrets* are by
    id. *source_date_epoch_s* None is the present time. *no_cache_stages* are names or numbers of stages that are not
    to come from the cache. With *inline_cache* the image carries the keys of its steps.
    With *keep_broken* what stood before a step that failed becomes an image without a name.
    """

    dockerfile: str = "Dockerfile"
    remote: str = ""
    names: tuple[str, ...] = ()
    target: str = ""
    args: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    credentials: Mapping[str, Credentials] = field(default_factory=dict, repr=False)
    ssh_agents: Mapping[str, str] = field(default_factory=dict)
    no_cache: bool = False
    no_cache_stages: tuple[str, ...] = ()
    pull: bool = False
    squash: bool = False
    network: str = ""
    extra_hosts: tuple[str, ...] = ()
    limits: StepLimits = field(default_factory=StepLimits)
    platform: str = ""
    security_options: tuple[str, ...] = ()
    allowed: frozenset[str] = frozenset()
    source_date_epoch_s: int | None = None
    rewrite_timestamps: bool = False
    hostname: str = ""
    cache_from: tuple[CachePlace, ...] = ()
    cache_to: tuple[CachePlace, ...] = ()
    inline_cache: bool = False
    keep_broken: bool = False

    @property
    def lent(self) -> Lent:
        """What is lent for fetching."""
        return Lent(secrets=self.secrets, agent=self.ssh_agents.get("default", ""))

    @property
    def epoch_ns(self) -> int | None:
        """When all that the image tells of is to have been made; None is the present time."""
        return None if self.source_date_epoch_s is None else self.source_date_epoch_s * _NS

    @property
    def times_ns(self) -> int | None:
        """The same for the files of its layers, which keep their own times where it is None."""
        return self.epoch_ns if self.rewrite_timestamps else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerMade:
    """One layer of a tree: its archive in the content store, and the chain that it makes."""

    chain: Digest
    diff: Digest
    blob: Descriptor
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Tree:
    """A file tree as a stack of sealed layers, lowest first; an empty stack is an empty tree."""

    layers: tuple[LayerMade, ...] = ()

    @property
    def chain(self) -> Digest | None:
        """What names the whole stack."""
        return self.layers[-1].chain if self.layers else None

    def on_top(self, layer: LayerMade) -> "Tree":
        """The same with one layer more."""
        return Tree((*self.layers, layer))

    def next_chain(self, diff: Digest) -> Digest:
        """The chain of this stack with a layer *diff* on it."""
        chain = chain_id((diff,) if self.chain is None else (self.chain, diff))
        if chain is None:
            raise AssertionError("a stack with a layer has a name")
        return chain


# -- what a build tells


@dataclass(frozen=True, slots=True)
class StepId:
    """Which step: *number* of *total*, and *position* of *stage_steps* in the stage of this number and name (or empty).

    FROM has position 1.
    """

    number: int
    total: int
    stage: int
    stage_name: str
    position: int
    stage_steps: int


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step is about to be done; *text* is the instruction with its variables replaced."""

    step: StepId
    text: str


@dataclass(frozen=True, slots=True)
class StepRuns:
    """A process of the step runs, under this id."""

    step: StepId
    id: str


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What the process of a step said, on standard output or (*is_error*) on standard error."""

    step: StepId
    data: bytes
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step is done, or was found in the cache; *image* is the id that an image ending here would have."""

    step: StepId
    image: str
    cached: bool = False


@dataclass(frozen=True, slots=True)
class StepBroke:
    """A step failed; *line* is where it stands in the Dockerfile, 0 for nowhere."""

    step: StepId
    reason: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Noticed:
    """A build check found something, or an argument was not used."""

    message: str
    check: str = ""
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """The image is there."""

    image_id: str


@dataclass(frozen=True, slots=True)
class Tagged:
    """The image has this name now."""

    name: str


@dataclass(frozen=True, slots=True)
class PullTold:
    """A line of progress of a base image that is being pulled."""

    id: str
    status: str
    current: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class CacheOffered:
    """The client may fetch the steps *keys* from the cache, for its folder *name*."""

    name: str
    keys: tuple[str, ...]


BuildEvent = (
    StepStarted | StepRuns | StepOutput | StepDone | StepBroke | Noticed | Built | Tagged | PullTold | CacheOffered
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """An image that a stage begins with, or files are copied from: see `images.model.Image`."""

    id: str
    reference: str
    tree: Tree
    platform: Platform


@dataclass(frozen=True, slots=True)
class Report:
    """What was asked about a Dockerfile; *findings* is how many checks found something."""

    text: str
    findings: int = 0
