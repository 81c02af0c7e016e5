"""Files of users."""

from __future__ import annotations

import asyncio
from pathlib import Path

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.base.errors import InvalidInput
from havre.registry.server.auth.htpasswd import Htpasswd, parse_htpasswd
from havre.registry.server.refusal import Refusal

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()


def test_users_and_comments() -> None:
    text = f"# users\n\nalice:{HASH}\n  bob:{HASH.replace('$2b$', '$2y$')}\n"
    assert parse_htpasswd(text.encode()).keys() == {"alice", "bob"}


@pytest.mark.parametrize(
    "line", ["alice", "alice:", ":x", "alice:plain", "alice:{SHA}x", "alice:$apr1$a$b", f"alice:{HASH}x"]
)
def test_other_lines_are_refused(line: str) -> None:
    with pytest.raises(InvalidInput, match="line 1"):
        parse_htpasswd(line.encode())


@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(data: bytes) -> None:
    try:
        parse_htpasswd(data)
    except InvalidInput:
        return


async def test_passwords(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text(f"alice:{HASH}\n")
    users = Htpasswd(path)
    assert await users.check("alice", "secret")
    assert await users.check("alice", "secret")
    for user, password in (
        ("alice", "Secret"),
        ("alice", ""),
        ("bob", "secret"),
        ("alice", "x" * 100),
        ("alice", "a\0"),
    ):
        assert not await users.check(user, password)
    kept = users.fingerprint("alice")
    path.write_text(f"alice:{bcrypt.hashpw(b'other', bcrypt.gensalt(4)).decode()}\n#\n")
    assert not await users.check("alice", "secret")
    assert users.fingerprint("alice") not in ("", kept)
    assert users.fingerprint("bob") == ""


async def test_a_flood_of_guesses_is_turned_away(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text(f"alice:{HASH}\n")
    users = Htpasswd(path)
    assert await users.check("alice", "secret")
    guesses = [asyncio.create_task(users.check("alice", f"guess-{number}")) for number in range(300)]
    await asyncio.sleep(0)
    assert await users.check("alice", "secret")  # who is known is not held up
    found = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(each, Refusal) and each.status == 429 for each in found) == 200
    assert found.count(False) == 100
