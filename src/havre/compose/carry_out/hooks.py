"""Runs the commands that belong to a container's start and end."""

from __future__ import annotations

from havre.client.client import Client
from havre.compose.errors import Failed
from havre.compose.model.parts import Hook
from havre.wire.exec import ExecConfig, ExecCreated, ExecInspect
from havre.wire.stream import HEADER_BYTES, parse_header


def run_hook(client: Client, container: str, hook: Hook, service: str) -> None:
    """Run *hook* in *container* and wait for its end. Raises Failed, with what it said, unless it ends with 0."""
    wanted: ExecConfig = {
        "Cmd": list(hook.command),
        "User": hook.user,
        "Privileged": hook.privileged,
        "WorkingDir": hook.working_dir,
        "Env": [f"{key}={value}" if value is not None else key for key, value in hook.environment.items()],
        "AttachStdout": True,
        "AttachStderr": True,
    }
    identifier = str(client.post(f"/containers/{container}/exec", ExecCreated, None, wanted).get("Id"))
    stream, said, _ = client.hijack(f"/exec/{identifier}/start", None, {"Detach": False, "Tty": False})
    with stream:
        while piece := stream.recv(65536):
            said = (said + piece)[-65536:]
    code = client.get(f"/exec/{identifier}/json", ExecInspect).get("ExitCode") or 0
    if code:
        words = " ".join(hook.command)
        raise Failed(
            f"service {service!r}: the hook {words!r} exited with status code {code}: {_text(said)}".rstrip(": ")
        )


def _text(framed: bytes) -> str:
    """The frames' content; a beginning that was cut off is left out."""
    made = b""
    while len(framed) >= HEADER_BYTES:
        try:
            _, size = parse_header(framed[:HEADER_BYTES])
        except ValueError:
            break
        made += framed[HEADER_BYTES : HEADER_BYTES + size]
        framed = framed[HEADER_BYTES + size :]
    return made.decode(errors="replace").strip()
