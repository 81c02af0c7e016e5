"""Who may do what: passwords, our own tokens, tokens of another realm, public and private repositories."""

from __future__ import annotations

import base64
import datetime as dt
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from havre.registry.server.auth.tokens import key_id
from tests.root.registry.conftest import Serve
from tests.support.oci_images import OCI_MANIFEST, digest, image
from tests.support.pushing import push
from tests.support.registries import Registry, Reply, htpasswd

USERS = {"alice": "secret-a", "bob": "secret-b"}
SECRET = {"username": "alice", "password": USERS["alice"]}
WRONG = {"username": "alice", "password": "wrong"}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


ALICE, BOB = (basic(user, password) for user, password in USERS.items())


@pytest.fixture
def users(tmp_path: Path) -> dict[str, Any]:
    return {"htpasswd": {"path": str(htpasswd(tmp_path / "users", USERS)), "realm": "test realm"}}


def token(registry: Registry, *scopes: str, **headers: str) -> str:
    query = urlencode([("service", "havre-registry"), *(("scope", scope) for scope in scopes)])
    answer = registry.request("GET", f"/auth/token?{query}", b"", **headers)
    assert answer.status == 200, answer
    return f"Bearer {answer.json['token']}"


def test_a_password_is_asked_for_and_checked(serve: Serve, users: dict[str, Any]) -> None:
    registry = serve(config={"auth": users})
    answer = registry.request("GET", "/v2/")
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert answer.header("WWW-Authenticate") == 'Basic realm="test realm", charset="UTF-8"'
    assert answer.header("Docker-Distribution-Api-Version") == "registry/2.0"
    assert registry.request("GET", "/v2/", Authorization=ALICE).status == 200
    for wrong in (
        basic("alice", "secret-b"),
        basic("nobody", "x"),
        basic("", ""),
        "Basic !",
        "Bearer x",
        "Other y",
        basic("alice", "x" * 100),
    ):
        assert registry.request("GET", "/v2/", Authorization=wrong).status == 401
    made = push(registry, "private/one", image(), "v1", Authorization=ALICE)
    path = "/v2/private/one/manifests/v1"
    assert registry.request("GET", path).status == 401
    assert registry.request("GET", path, Authorization=BOB).body == made.manifest
    for secret in (*USERS.values(), ALICE):
        assert secret not in registry.tail()


def test_every_door_is_closed_to_strangers(serve: Serve, users: dict[str, Any]) -> None:
    registry = serve(config={"auth": users})
    blob = digest(b"x")
    asked = [
        ("GET", "/v2/_catalog"), ("GET", "/metrics"), ("GET", "/v1/search?q=a"), ("GET", "/v2/a/tags/list"),
        ("GET", f"/v2/a/blobs/{blob}"), ("HEAD", f"/v2/a/blobs/{blob}"), ("DELETE", f"/v2/a/blobs/{blob}"),
        ("GET", "/v2/a/manifests/v1"), ("PUT", "/v2/a/manifests/v1"), ("DELETE", "/v2/a/manifests/v1"),
        ("GET", f"/v2/a/referrers/{blob}"), ("POST", "/v2/a/blobs/uploads/"),
        ("POST", f"/v2/a/blobs/uploads/?mount={blob}&from=b"),
        ("PATCH", f"/v2/a/blobs/uploads/{'0' * 64}"), ("GET", f"/v2/a/blobs/uploads/{'0' * 64}"),
    ]  # fmt: skip
    for method, path in asked:
        assert registry.request(method, path).status == 401, (method, path)


def test_the_file_of_users_may_change(serve: Serve, users: dict[str, Any], tmp_path: Path) -> None:
    registry = serve(config={"auth": users})
    assert registry.request("GET", "/v2/", Authorization=basic("carol", "new")).status == 401
    htpasswd(tmp_path / "users", {"carol": "new"})
    assert registry.request("GET", "/v2/", Authorization=basic("carol", "new")).status == 200
    assert registry.request("GET", "/v2/", Authorization=ALICE).status == 401


RULES = [
    {"repositories": "public/*", "anonymous": ["pull"], "users": {"alice": ["*"]}},
    {"repositories": "home/{user}/*", "users": {"*": ["*"]}},
    {"repositories": "team/*", "users": {"alice": ["pull", "push"], "bob": ["pull"]}},
]


def test_rules_make_repositories_public_and_private(serve: Serve, users: dict[str, Any]) -> None:
    registry = serve(config={"auth": users, "access": RULES})
    challenge = registry.request("GET", "/v2/").header("WWW-Authenticate")
    assert challenge == f'Bearer realm="http://{registry.domain}/auth/token",service="havre-registry"'
    push(registry, "public/one", image(), "v1", Authorization=ALICE)
    made = push(registry, "team/one", image(), "v1", Authorization=ALICE)
    push(registry, "home/bob/one", image(), "v1", Authorization=BOB)
    path = "/v2/team/one/manifests/v1"
    refused = [
        registry.request("DELETE", f"/v2/team/one/manifests/{made.digest}", Authorization=ALICE),
        registry.request("POST", "/v2/team/one/blobs/uploads/", Authorization=BOB),
        registry.request("POST", "/v2/public/one/blobs/uploads/", Authorization=BOB),
        registry.request("GET", "/v2/home/bob/one/manifests/v1", Authorization=ALICE),
        registry.request("POST", "/v2/elsewhere/blobs/uploads/", Authorization=ALICE),
    ]
    assert [(each.status, each.code) for each in refused] == [(403, "DENIED")] * 5
    assert registry.request("GET", path, Authorization=BOB).status == 200
    assert registry.request("GET", path).status == 401
    catalog = registry.request("GET", "/v2/_catalog", Authorization=BOB).json["repositories"]
    assert catalog == ["home/bob/one", "public/one", "team/one"]
    found = registry.request("GET", "/v1/search?q=one").json["results"]
    assert [each["name"] for each in found] == ["public/one"]


def test_tokens_carry_no_more_than_their_users_may(serve: Serve, users: dict[str, Any]) -> None:
    registry = serve(config={"auth": users, "access": RULES})
    push(registry, "public/one", image(), "v1", Authorization=ALICE)
    push(registry, "team/one", image(), "v1", Authorization=ALICE)
    anonymous = token(registry, "repository:public/one:pull,push", "repository:team/one:pull")
    bob = token(registry, "repository:team/one:pull,push", Authorization=BOB)
    alice = token(registry, "repository:team/one:pull", Authorization=ALICE)

    def pull(name: str, bearer: str) -> int:
        return registry.request("GET", f"/v2/{name}/manifests/v1", Authorization=bearer).status

    assert (pull("public/one", anonymous), pull("team/one", anonymous)) == (200, 401)
    assert (pull("team/one", bob), pull("public/one", bob)) == (200, 401)
    for bearer in (anonymous, bob, alice):  # a token is for what was asked, even when its user may do more
        answer = registry.request("POST", "/v2/team/one/blobs/uploads/", Authorization=bearer)
        assert answer.status == 401
        assert 'error="insufficient_scope"' in answer.header("WWW-Authenticate")
        assert 'scope="repository:team/one:pull,push"' in answer.header("WWW-Authenticate")
    assert registry.request("GET", "/v2/", Authorization=bob).status == 200


def test_mounting_needs_the_right_to_read_the_source(serve: Serve, users: dict[str, Any]) -> None:
    registry = serve(config={"auth": users, "access": RULES})
    made = push(registry, "home/bob/one", image(), "v1", Authorization=BOB)
    query = f"mount={digest(made.blobs[0])}&from=home/bob/one"
    stranger = registry.request("POST", f"/v2/home/alice/two/blobs/uploads/?{query}", Authorization=ALICE)
    assert stranger.status == 202
    anywhere = f"/v2/home/{{}}/any/blobs/uploads/?mount={digest(made.blobs[1])}"
    assert registry.request("POST", anywhere.format("alice"), Authorization=ALICE).status == 202
    assert registry.request("POST", anywhere.format("bob"), Authorization=BOB).status == 201
    assert registry.request("POST", f"/v2/home/bob/two/blobs/uploads/?{query}", Authorization=BOB).status == 201


def form(registry: Registry, grant: str, **fields: str) -> Reply:
    body = urlencode({"grant_type": grant, **fields}).encode()
    return registry.request("POST", "/auth/token", body, Content_Type="application/x-www-form-urlencoded")


def test_refresh_tokens_hold_as_long_as_the_password(serve: Serve, users: dict[str, Any], tmp_path: Path) -> None:
    registry = serve(config={"auth": {**users, "tokenservice": {}}})
    scope = "repository:a/b:pull,push"
    first = form(registry, "password", **SECRET, access_type="offline", scope=scope)
    assert first.status == 200
    push(registry, "a/b", image(), "v1", Authorization=f"Bearer {first.json['access_token']}")
    kept = first.json["refresh_token"]
    again = form(registry, "refresh_token", refresh_token=kept, scope=scope)
    assert (
        registry.request("GET", "/v2/a/b/tags/list", Authorization=f"Bearer {again.json['access_token']}").status == 200
    )
    assert registry.request("GET", "/v2/a/b/tags/list", Authorization=f"Bearer {kept}").status == 401
    assert form(registry, "refresh_token", refresh_token=again.json["access_token"]).status == 401
    assert form(registry, "password", **WRONG).status == 401
    assert form(registry, "other").status == 400
    htpasswd(tmp_path / "users", {"alice": "changed"})
    assert form(registry, "refresh_token", refresh_token=kept, scope=scope).status == 401


def test_our_key_outlives_the_server(serve: Serve, users: dict[str, Any]) -> None:
    registry = serve(config={"auth": {**users, "tokenservice": {}}})
    bearer = token(registry, "repository:a/b:pull,push", Authorization=ALICE)
    registry.kill()
    registry.start()
    push(registry, "a/b", image(), "v1", Authorization=bearer)
    key = registry.root / "token-key.pem"
    assert key.stat().st_mode & 0o777 == 0o600


class Realm:
    """A token service of someone else."""

    def __init__(self, folder: Path) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        public = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.bundle = folder / "realm.pem"
        self.bundle.write_bytes(public)

    def config(self) -> dict[str, Any]:
        token = {
            "realm": "https://auth.invalid/token",
            "service": "the registry",
            "issuer": "the realm",
            "rootcertbundle": str(self.bundle),
        }
        return {"auth": {"token": token}}

    def sign(self, key: Any = None, algorithm: str = "ES256", **claims: Any) -> str:
        now = int(time.time())
        payload = {
            "iss": "the realm", "aud": "the registry", "sub": "carol", "exp": now + 60, "nbf": now - 5,
            "access": [{"type": "repository", "name": "a/b", "actions": ["pull", "push"]}],
            **claims,
        }  # fmt: skip
        headers = {"kid": key_id(self.key.public_key())}
        return "Bearer " + jwt.encode(payload, key or self.key, algorithm=algorithm, headers=headers)


def test_tokens_of_another_realm(serve: Serve, tmp_path: Path) -> None:
    realm = Realm(tmp_path)
    registry = serve(config=realm.config())
    answer = registry.request("POST", "/v2/a/b/blobs/uploads/")
    assert answer.header("WWW-Authenticate") == (
        'Bearer realm="https://auth.invalid/token",service="the registry",scope="repository:a/b:pull,push"'
    )
    push(registry, "a/b", image(), "v1", Authorization=realm.sign())
    assert registry.request("DELETE", "/v2/a/b/manifests/v1", Authorization=realm.sign()).status == 401
    assert registry.request("GET", "/v2/_catalog", Authorization=realm.sign()).status == 401
    catalog = realm.sign(access=[{"type": "registry", "name": "catalog", "actions": ["*"]}])
    assert registry.request("GET", "/v2/_catalog", Authorization=catalog).json["repositories"] == ["a/b"]


def test_tokens_that_prove_nothing(serve: Serve, tmp_path: Path) -> None:
    realm = Realm(tmp_path)
    registry = serve(config=realm.config())
    now = dt.datetime.now(dt.UTC)
    public = realm.bundle.read_text()
    unsigned = jwt.encode({"iss": "the realm", "aud": "the registry", "exp": now}, "", algorithm="none")
    hmac_header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()).decode().rstrip("=")
    wrong = {
        "a foreign key": realm.sign(key=ec.generate_private_key(ec.SECP256R1())),
        "expired": realm.sign(exp=int(time.time()) - 3600),
        "not yet": realm.sign(nbf=int(time.time()) + 3600),
        "another audience": realm.sign(aud="elsewhere"),
        "another issuer": realm.sign(iss="someone"),
        "no signature": f"Bearer {unsigned}",
        "the public key as a secret": f"Bearer {hmac_header}.e30.{quote(public[:20])}",
        "broken access": realm.sign(access=[{"type": 1}]),
        "nonsense": "Bearer a.b.c",
        "too long": "Bearer " + "a" * 7000,
    }
    for why, bearer in wrong.items():
        answer = registry.request("GET", "/v2/a/b/tags/list", Authorization=bearer)
        assert (answer.status, answer.code) == (401, "UNAUTHORIZED"), why
    assert "failed" not in registry.tail()


def test_a_registry_beyond_loopback_needs_credentials_for_pushes(serve: Serve) -> None:
    with pytest.raises(AssertionError, match="could push"):
        serve(config={"http": {"addr": "0.0.0.0:0"}})


def test_read_only_takes_nothing(serve: Serve) -> None:
    registry = serve()
    made = push(registry, "a/b", image(), "v1")
    registry.stop()
    registry.config = {"storage": {"maintenance": {"readonly": {"enabled": True}}}}
    registry.start()
    for method, path in (
        ("POST", "/v2/a/b/blobs/uploads/"),
        ("PUT", "/v2/a/b/manifests/v2"),
        ("DELETE", "/v2/a/b/manifests/v1"),
    ):
        answer = registry.request(method, path, b"")
        assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert registry.request("GET", "/v2/a/b/manifests/v1", Accept=OCI_MANIFEST).body == made.manifest
