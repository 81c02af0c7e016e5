"""What the user is called at which registry: in config.json, or with a helper program that config.json names.

A helper is `docker-credential-NAME`: asked with `get`, `store` or `erase`, the server or a document on its input.
"""

from __future__ import annotations

import os

from havre.cli.docker_config import DockerConfig
from havre.client.errors import ClientError

HUB = "https://index.docker.io/v1/"
_TOKEN_USER = "<token>"  # noqa: S105  the name under which helpers keep identity tokens
_HELPER_S = 60


class Credentials:
    """One user at one registry; all empty is a stranger."""

    __slots__ = ("identity_token", "password", "server", "username")

    def __init__(self, server: str, username: str = "", password: str = "", identity_token: str = "") -> None:
        self.server, self.username, self.password, self.identity_token = server, username, password, identity_token

    @property
    def known(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.username or self.identity_token)

    def document(self) -> dict[str, str]:
        """As the Engine API takes it."""
        values = {
            "username": self.username,
            "password": self.password,
            "identitytoken": self.identity_token,
            "serveraddress": self.server,
        }
        return {key: value for key, value in values.items() if value} if self.known else {}

    def entry(self) -> dict[str, str]:
        """As `auths` of a config.json keeps it."""
        import base64

        pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return {"auth": pair, **({"identitytoken": self.identity_token} if self.identity_token else {})}

    def header(self) -> str:
        """The value of X-Registry-Auth."""
        import base64
        import json

        return base64.urlsafe_b64encode(json.dumps(self.document()).encode()).decode()


def server_of(image: str) -> str:
    """The registry that an image's name means, as config.json calls it."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        return server_key(first)
    return HUB


def server_key(server: str) -> str:
    """What config.json calls a registry that the user typed: the host alone, and one name for Docker Hub."""
    host = (server.partition("://")[2] or server).partition("/")[0]
    return HUB if host in ("", "docker.io", "index.docker.io", "registry-1.docker.io") else host


class CredentialStore:
    """Finds, keeps and forgets credentials where config.json says."""

    __slots__ = ("config",)

    def __init__(self, config: DockerConfig | None = None) -> None:
        self.config = config or DockerConfig()

    def helper_for(self, server: str) -> str:
        """The helper's name; empty where config.json itself keeps them."""
        found = self.config.table("credHelpers").get(server) if "credHelpers" in self.config.document else None
        return found if isinstance(found, str) and found else self.config.text("credsStore")

    def find(self, server: str) -> Credentials:
        """What is known for *server*, maybe nothing. Raises ClientError when a helper fails."""
        helper = self.helper_for(server)
        if helper:
            return _ask_helper(helper, server)
        auths = self.config.table("auths") if "auths" in self.config.document else {}
        for key in (server, *(one for one in auths if server_key(one) == server)):
            entry = auths.get(key)
            if isinstance(entry, dict):
                return _from_entry(server, entry)
        return Credentials(server)

    def keep(self, found: Credentials) -> None:
        """Remember it. Raises ClientError when a helper fails."""
        helper = self.helper_for(found.server)
        auths = self.config.table("auths")
        if helper:
            import json

            secret, user = found.password, found.username
            if found.identity_token:
                secret, user = found.identity_token, _TOKEN_USER
            document = {"ServerURL": found.server, "Username": user, "Secret": secret}
            _run_helper(helper, "store", json.dumps(document))
            auths[found.server] = {}
        else:
            auths[found.server] = found.entry()
        self.config.save()

    def forget(self, server: str) -> None:
        """Remember it no more; what was not known is no error."""
        helper = self.helper_for(server)
        if helper:
            _run_helper(helper, "erase", server)
        auths = self.config.table("auths")
        for key in [one for one in auths if server_key(one) == server]:
            del auths[key]
        self.config.save()

    def all(self) -> dict[str, dict[str, str]]:
        """Every registry that config.json names, as X-Registry-Config holds it."""
        return {found.server: found.document() for found in self._known()}

    def entries(self) -> dict[str, dict[str, str]]:
        """The same as `auths` of a config.json that needs no helper."""
        return {found.server: found.entry() for found in self._known()}

    def _known(self) -> list[Credentials]:
        servers = {*self.config.table("auths"), *self.config.table("credHelpers")}
        return [found for found in map(self.find, sorted(servers)) if found.known]


def auth_header(image: str) -> dict[str, str]:
    """The header that tells the daemon who asks the registry of *image*."""
    return {"X-Registry-Auth": CredentialStore().find(server_of(image)).header()}


def _from_entry(server: str, entry: dict[str, object]) -> Credentials:
    def value(key: str) -> str:
        found = entry.get(key)
        return found if isinstance(found, str) else ""

    username, password = value("username"), value("password")
    if value("auth"):
        import base64

        try:
            pair = base64.b64decode(value("auth"), validate=True).decode()
        except ValueError:
            raise ClientError(f"invalid auth configuration file: the entry of {server} is no base64") from None
        username, _, password = pair.partition(":")
        password = password.strip("\0")
    return Credentials(server, username, password, value("identitytoken"))


def _ask_helper(helper: str, server: str) -> Credentials:
    import json

    answer = _run_helper(helper, "get", server, missing_is_nothing=True)
    if not answer:
        return Credentials(server)
    try:
        document = json.loads(answer)
        user, secret = str(document["Username"]), str(document["Secret"])
    except (ValueError, KeyError, TypeError):
        raise ClientError(f"error getting credentials: docker-credential-{helper} gave no credentials") from None
    if user == _TOKEN_USER:
        return Credentials(server, identity_token=secret)
    return Credentials(server, user, secret)


def _run_helper(helper: str, verb: str, text: str, *, missing_is_nothing: bool = False) -> str:
    import subprocess  # noqa: TID251  the user's own program, for the user's own secrets

    program = f"docker-credential-{helper}"
    if "/" in helper or os.sep in helper:
        raise ClientError(f"invalid credential helper {helper!r}")
    try:
        done = subprocess.run(  # noqa: S603  named by the user's config.json
            [program, verb], input=text, capture_output=True, text=True, timeout=_HELPER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClientError(f"error {_DOING[verb]} credentials - err: {error}") from None
    if done.returncode == 0:
        return done.stdout
    said = (done.stdout or done.stderr).strip()
    if missing_is_nothing and "credentials not found" in said:
        return ""
    raise ClientError(f"error {_DOING[verb]} credentials - err: exit status {done.returncode}, out: `{said[:200]}`")


_DOING = {"get": "getting", "store": "storing", "erase": "erasing"}
