"""The image that every Havre has: `hello-world`, one small program that says what happened and what to try next.

Its bytes are the same everywhere, so its id is too.
"""

from havre.base.tasks import in_thread
from havre.images.candidate import Arrival, Candidate, make_manifest
from havre.images.elf import can_write_for, program
from havre.images.images import Images
from havre.images.model import Image, NoSuchImage
from havre.images.platforms import host_platform
from havre.images.tarball import END_MARK, file
from havre.oci.descriptor import OCI_LAYER, OCI_MANIFEST, Descriptor
from havre.oci.digest import Digest
from havre.oci.image_config import History, ImageConfig, ProcessConfig, RootFS, decode, encode
from havre.oci.reference import Reference

HELLO = Reference.parse("hello-world:latest")
_CREATED = "2026-01-01T00:00:00Z"
_CREATED_NS = 1_767_225_600 * 10**9
_TEXT = """Hello from Havre!
If you can read this, Havre is installed and works.

What happened, step by step:
 1. The command line asked the Havre daemon, through its socket, for a container.
 2. The daemon looked for the image "hello-world". It ships with Havre ({architecture}), so
    nothing had to be downloaded.
 3. A new process was put into namespaces and a control group of its own, with the
    image as its whole file system, and became the program that prints these lines.
 4. What it printed went through the container's own supervisor to your terminal; then
    the program ended, and `havre ps -a` still shows its container.

Try next, a whole Debian made from the packages of your own mirror:
 $ havre image bootstrap debian:bookworm
 $ havre run -it debian:bookworm bash

Every command explains itself:
 $ havre --help

"""


async def ensure_hello(images: Images) -> Image:
    """The image `hello-world`, made when it is not there. Raises NoSuchImage on machines it cannot speak to."""
    try:
        return images.find(HELLO.familiar)
    except NoSuchImage:
        if not can_write_for(host_platform().architecture):
            raise
    async with images.arriving() as arrival:
        candidate = await in_thread(_bring, arrival, host_platform().architecture)
        return await images.add(arrival, candidate)


def hello_layer(architecture: str) -> bytes:
    """The one layer: a tar with the program in it."""
    text = _TEXT.format(architecture=architecture).encode()
    return file("hello", program(architecture, text), mode=0o755, mtime_ns=_CREATED_NS) + END_MARK


def hello_config(architecture: str) -> bytes:
    """The config whose digest is the image's id."""
    command = ["/hello"]
    config = ImageConfig(
        created=_CREATED,
        author="Havre",
        architecture=architecture,
        os="linux",
        config=ProcessConfig(
            env=["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            cmd=command,
            working_dir="/",
        ),
        rootfs=RootFS(diff_ids=[str(Digest.of(hello_layer(architecture)))]),
        history=[
            History(created=_CREATED, created_by="COPY hello /", author="Havre"),
            History(created=_CREATED, created_by='CMD ["/hello"]', author="Havre", empty_layer=True),
        ],
    )
    return encode(config)


def _bring(arrival: Arrival, architecture: str) -> Candidate:
    layer, config_bytes = hello_layer(architecture), hello_config(architecture)
    digest = arrival.ingest_bytes(layer)
    pointer = Descriptor(media_type=OCI_LAYER, digest=str(digest), size=len(layer))
    return Candidate(
        config=decode(config_bytes),
        config_bytes=config_bytes,
        manifest_bytes=make_manifest(config_bytes, [pointer]),
        manifest_type=OCI_MANIFEST,
        blobs=(digest,),
        names=(HELLO,),
    )
