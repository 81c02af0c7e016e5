"""`/v2/<name>/manifests/<reference>`: pull, push and delete of manifests and tags."""

import hashlib
from typing import Final
from urllib.parse import quote

from aiohttp import web

from havre.base.tasks import in_thread
from havre.oci.descriptor import INDEX_TYPES, Platform
from havre.oci.digest import Digest
from havre.oci.manifest import MAX_MANIFEST_BYTES
from havre.oci.reference import is_tag
from havre.registry.server.described import Described, child_for, describe
from havre.registry.server.fetching import Source
from havre.registry.server.http.exchange import Exchange, empty, origin_of
from havre.registry.server.negotiate import Accepted, matches_etag, parse_accept
from havre.registry.server.notices import Board, Notice
from havre.registry.server.paths import ManifestAt, parse_digest
from havre.registry.server.records.manifests import Held
from havre.registry.server.refusal import Code, Refusal
from havre.registry.server.repositories import Repositories

_MAX_TAGS: Final = 10
_SINGLE: Final = Platform(architecture="amd64", os="linux")
"""What a client that knows no index is given, as Docker's registry does."""


class ManifestRoutes:
    """Manifests by digest or tag."""

    def __init__(self, repositories: Repositories, source: Source, board: Board) -> None:
        self._repositories = repositories
        self._source = source
        self._board = board

    async def get(self, exchange: Exchange, at: ManifestAt) -> web.StreamResponse:
        """GET and HEAD, of a type that the client takes, with `If-None-Match`."""
        if at.digest is None and not is_tag(at.text):
            raise self._repositories.unknown_manifest(at)
        held = await self._source.manifest(at)
        accepted = parse_accept(exchange.headers("Accept"))
        if not accepted.takes(held.media_type):
            held = await self._replacement(at, held, accepted)
        headers = {
            "Docker-Content-Digest": str(held.digest),
            "ETag": f'"{held.digest}"',
            "Content-Type": held.media_type,
        }
        if matches_etag(exchange.header("If-None-Match"), str(held.digest)):
            return empty(304, headers)
        if exchange.request.method == "HEAD":
            return empty(200, {**headers, "Content-Length": str(held.size)})
        data = await in_thread(self._repositories.read_manifest, held.digest)
        self._tell(exchange, at, "pull", held)
        return web.Response(body=data, headers=headers)

    async def put(self, exchange: Exchange, at: ManifestAt) -> web.StreamResponse:
        """PUT: one document, with all that it needs already in the repository."""
        extra = exchange.queries("tag")
        named = extra if at.digest is not None else [at.text]
        tags = [ManifestAt(at.name, tag, None).tag() for tag in named]
        if len(extra) > _MAX_TAGS or (extra and at.digest is None):
            raise Refusal(Code.TAG_INVALID, f"at most {_MAX_TAGS} tags, and only beside a digest", status=414)
        data = await exchange.read(MAX_MANIFEST_BYTES, "a manifest")
        digest = await in_thread(_digest_of, data, at.digest)
        described = await in_thread(describe, data, exchange.header("Content-Type"), digest)
        await in_thread(self._repositories.put_manifest, at.name, data, described, tags)
        held = Held(described.digest, described.media_type, described.size)
        self._tell(exchange, at, "push", held, tags[0] if tags else "")
        response = empty(201, _stored(at.name, described))
        for tag in extra:
            response.headers.add("OCI-Tag", tag)
        return response

    async def delete(self, exchange: Exchange, at: ManifestAt) -> web.StreamResponse:
        """DELETE: a tag alone, or a manifest with the tags that name it."""
        if at.digest is None:
            at.tag()
        held = self._repositories.find_manifest(at)
        await in_thread(self._repositories.delete_manifest, at)
        self._tell(exchange, at, "delete", held)
        return empty(202, {})

    async def _replacement(self, at: ManifestAt, held: Held, accepted: Accepted) -> Held:
        """What a client gets that does not take the stored type. Raises Refusal."""
        if at.digest is None and held.media_type in INDEX_TYPES:
            data = await in_thread(self._repositories.read_manifest, held.digest)
            child = child_for(data, _SINGLE)
            if child is not None and accepted.takes(child.media_type):
                digest = parse_digest(child.digest)
                return await self._source.manifest(ManifestAt(at.name, child.digest, digest))
        raise Refusal(
            Code.MANIFEST_UNKNOWN, f"manifest is of type {held.media_type}, which the Accept header does not name"
        )

    def _tell(self, exchange: Exchange, at: ManifestAt, action: str, held: Held, tag: str | None = None) -> None:
        named = at.text if at.digest is None else ""
        self._board.tell(
            Notice(
                action=action,
                repository=at.name,
                url=f"{exchange.origin}/v2/{at.name}/manifests/{held.digest}",
                origin=origin_of(exchange),
                digest=str(held.digest),
                media_type=held.media_type,
                size=held.size,
                tag=named if tag is None else tag,
            )
        )


def _digest_of(data: bytes, expected: Digest | None) -> Digest:
    """The digest of *data*, by the algorithm of *expected*. Raises Refusal when it is another."""
    if expected is None:
        return Digest.of(data)
    digest = Digest(expected.algorithm, hashlib.new(expected.algorithm, data).hexdigest())
    if digest != expected:
        raise Refusal(Code.DIGEST_INVALID, f"the manifest has digest {digest}, not {expected}")
    return digest


def _stored(name: str, described: Described) -> dict[str, str]:
    headers = {
        "Location": f"/v2/{quote(name)}/manifests/{described.digest}",
        "Docker-Content-Digest": str(described.digest),
    }
    if described.subject is not None:
        headers["OCI-Subject"] = str(described.subject)
    return headers
