"""Registries as the Engine API shows them: logins, searches, and what a name means there."""

from collections.abc import Callable
from typing import Final

from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int
from havre.engine.parts import Parts
from havre.engine.transfers import credentials_of
from havre.images.pulling import in_dockers_words
from havre.oci import image_config, manifest
from havre.oci.descriptor import Descriptor
from havre.oci.descriptor import Platform as OciPlatform
from havre.oci.manifest import Index
from havre.oci.reference import Reference
from havre.registry.client.errors import Denied, NotThere
from havre.registry.client.registries import Found, Registries
from havre.registry.client.repository import Repository
from havre.wire.filters import Filters
from havre.wire.images import AuthConfig, AuthResponse, DistributionInspect, Platform, SearchResult

# Inside the class below, `search` gives rows.
_Rows = list[SearchResult]
_LIMIT: Final = 25
_MAX_LIMIT: Final = 100
_FIELDS: Final = frozenset(("is-automated", "is-official", "stars"))
_TRUE: Final = frozenset(("1", "true"))
_FALSE: Final = frozenset(("0", "false"))


class RegistryService:
    """What is asked of registries besides images."""

    def __init__(self, parts: Parts, registries: Registries) -> None:
        self._parts = parts
        self._registries = registries

    async def login(self, auth: AuthConfig) -> AuthResponse:
        """Try a login. Raises LoginNeeded when the registry does not take it."""
        server = auth.get("serveraddress") or ""
        token = await self._registries.login(server, credentials_of(auth))
        return {"Status": "Login Succeeded", "IdentityToken": token}

    async def search(self, term: str, limit: int | None, filters: Filters, auth: AuthConfig) -> _Rows:
        """The repositories that fit *term* and pass *filters*."""
        if not term:
            raise InvalidInput("search term is required")
        if limit is not None and not 0 < limit <= _MAX_LIMIT:
            raise InvalidInput(f"limit {limit} is outside the range of [1, {_MAX_LIMIT}]")
        wanted = _filter(filters)
        found = await self._registries.search(term, limit or _LIMIT, credentials_of(auth))
        return [
            {
                "name": one.name,
                "description": one.description,
                "star_count": one.star_count,
                "is_official": one.is_official,
                "is_automated": one.is_automated,
            }
            for one in found
            if wanted(one)
        ]

    async def distribution(self, name: str, auth: AuthConfig) -> DistributionInspect:
        """What *name* means in its registry, and for which machines it is there. Raises NotFound."""
        reference = Reference.parse(name).with_default_tag()
        repository = await self._registries.repository(reference, credentials_of(auth))
        try:
            document = await repository.manifest(reference.digest or reference.tag)
        except (NotThere, Denied) as error:
            raise in_dockers_words(error, reference) from error
        parsed = manifest.decode(document.data, document.descriptor.media_type)
        if isinstance(parsed, Index):
            platforms = [one.platform for one in parsed.manifests if one.platform is not None]
        else:
            platforms = [await _platform(repository, parsed.config)]
        pointer = document.descriptor
        media_type = pointer.media_type or parsed.media_type
        return {
            "Descriptor": {"mediaType": media_type, "digest": pointer.digest, "size": pointer.size},
            "Platforms": [_shown(one) for one in platforms],
        }


async def _platform(repository: Repository, config: Descriptor) -> OciPlatform:
    data = await repository.small_blob(config, image_config.MAX_CONFIG_BYTES)
    return image_config.decode(data).platform


def _shown(platform: OciPlatform) -> Platform:
    shown: Platform = {"architecture": platform.architecture, "os": platform.os}
    if platform.variant:
        shown["variant"] = platform.variant
    return shown


def _filter(filters: Filters) -> Callable[[Found], bool]:
    unknown = filters.keys() - _FIELDS
    if unknown:
        raise InvalidInput(f"Invalid filter '{min(unknown)[:64]}'")
    stars = max((parse_int(one, what="filter 'stars'") for one in filters.get("stars", ())), default=0)
    official, automated = _flag(filters, "is-official"), _flag(filters, "is-automated")
    return lambda one: (
        one.star_count >= stars and official in {None, one.is_official} and automated in {None, one.is_automated}
    )


def _flag(filters: Filters, field: str) -> bool | None:
    values = filters.get(field) or frozenset()
    if not values:
        return None
    if not (values <= _TRUE or values <= _FALSE):
        raise InvalidInput(f"invalid filter '{field}={sorted(values)}'")
    return values <= _TRUE
