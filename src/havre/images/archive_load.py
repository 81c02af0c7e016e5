"""`docker load`: what an archive of any known kind holds, as candidates whose blobs are in the store; blocks."""

from havre.content.reader import Readable
from havre.images.archive_docker import MANIFEST, REPOSITORIES, read_docker, read_old
from havre.images.archive_members import Members
from havre.images.archive_oci import INDEX, read_oci
from havre.images.candidate import Arrival, Candidate
from havre.images.checks import check_config
from havre.images.platforms import fits, format_platform, host_platform
from havre.oci.descriptor import Platform
from havre.snapshots.budget import BadArchive


def read_archive(source: Readable, arrival: Arrival, platform: Platform | None) -> list[Candidate]:
    """The images of the archive *source*, all sound, none published.

    With *platform* only what serves it is taken. No id, digest or size of the archive is believed: every one
    is worked out from the bytes. Raises BadArchive, InvalidInput or NotSupported.
    """
    members = Members(arrival)
    members.take(source)
    if members.has(MANIFEST):
        candidates = read_docker(members, arrival)
    elif members.has(INDEX):
        candidates = read_oci(members, arrival, platform or host_platform(), strict=platform is not None)
    elif members.has(REPOSITORIES):
        candidates = read_old(members, arrival)
    else:
        raise BadArchive("invalid archive: it has no manifest.json, no index.json and no repositories file")
    for candidate in candidates:
        check_config(candidate.config)
    if platform is None:
        return candidates
    serving = [one for one in candidates if fits(one.config.platform, platform) is not None]
    if not serving:
        raise BadArchive(f"invalid archive: it has no image for {format_platform(platform)}")
    return serving
