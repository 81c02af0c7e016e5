"""A-08: a secret that was given to the engine is in no log, error, event, command line or file that others can read."""

from __future__ import annotations

import base64
import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Havre, running
from tests.support.hosts import Host

pytestmark = pytest.mark.root

CANARY = "canary-7f3a-secret"


@pytest.fixture
def engine(host: Host, tmp_path: Path, rootfs_tar: bytes) -> Iterator[Havre]:
    with running(Havre(host, tmp_path / "hv", ["--debug"])) as made:
        assert isinstance(made, Havre)
        made.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
        yield made


def command_lines() -> list[bytes]:
    """Of every process that is not the test's own or a container's."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                found.append(Path(f"/proc/{name}/cmdline").read_bytes())
            except OSError:
                continue
    return [line for line in found if CANARY.encode() in line]


def test_a_secret_stays_where_it_was_put(engine: Havre, tmp_path: Path) -> None:
    errors = []
    api = engine.api("1.50")
    login = base64.urlsafe_b64encode(json.dumps({"username": "u", "password": CANARY}).encode()).decode()
    secret_env = [f"PASSWORD={CANARY}"]
    made = api.post(
        "/containers/create", {"Image": "busybox", "Cmd": ["sleep", "1000"], "Env": secret_env}, name="holds"
    )
    errors.append(made.body)
    errors.append(api.post("/containers/holds/start").body)
    session = api.post("/containers/holds/exec", {"Cmd": ["sleep", "1000"], "Env": secret_env}).json["Id"]
    errors.append(api.post(f"/exec/{session}/start", {"Detach": True}).body)
    for body in (
        {"Image": "busybox", "Cmd": ["nosuch"], "Env": secret_env},
        {"Image": "nosuch", "Env": secret_env},
        {"Image": "busybox", "Cmd": ["true"], "Env": secret_env, "HostConfig": {"Memory": 1}},
        {"Image": "busybox", "Cmd": ["true"], "Env": [f"A={CANARY}\0"]},
    ):
        answer = api.post("/containers/create", body)
        errors.append(answer.body)
        if answer.status == 201:
            errors.append(api.post(f"/containers/{answer.json['Id']}/start").body)
    headers = {"X-Registry-Auth": login}
    errors.append(
        api.call("POST", "/images/create", query={"fromImage": "127.0.0.1:1/x", "tag": "y"}, headers=headers).body
    )
    errors.append(api.call("POST", "/images/127.0.0.1:1/x/push", query={"tag": "y"}, headers=headers).body)
    errors.append(api.post("/auth", {"username": "u", "password": CANARY, "serveraddress": "http://127.0.0.1:1"}).body)
    (tmp_path / "Dockerfile").write_text(
        "FROM busybox\nRUN --mount=type=secret,id=s cat /run/secrets/s > /dev/null\nRUN false\n"
    )
    (tmp_path / "secret").write_text(CANARY)
    built = engine.havre("build", "--secret", f"id=s,src={tmp_path}/secret", str(tmp_path), timeout_s=100)
    errors += [built.stdout, built.stderr]
    errors.append(
        engine.docker("events", "--since", "1h", "--until", f"{time.time():.9f}", "--format", "{{json .}}").stdout
    )
    errors.append(engine.docker("ps", "-a", "--no-trunc", check=True).stdout)
    errors.append(engine.docker("history", "--no-trunc", "busybox", check=True).stdout)
    errors.append(engine.docker("logs", "holds", check=True).stdout)
    errors.append(engine.docker("info", check=True).stdout)
    api.close()
    assert not [body for body in errors if CANARY.encode() in body]
    assert CANARY not in engine.log.read_text()
    assert not command_lines()
    assert open_to_others(engine.data_root) == open_to_others(engine.exec_root) == []


def open_to_others(root: Path) -> list[str]:
    """Files with the secret that somebody else than root can reach."""
    reached: list[str] = []
    if not root.stat().st_mode & 0o001:
        return reached
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if stat.S_IMODE(Path(folder, name).lstat().st_mode) & 0o001]
        for name in names:
            path = Path(folder, name)
            state = path.lstat()
            if stat.S_ISREG(state.st_mode) and state.st_mode & 0o004 and CANARY.encode() in path.read_bytes():
                reached.append(str(path))
    return reached
