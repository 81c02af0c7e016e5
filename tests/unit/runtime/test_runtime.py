"""What the launcher says to the engine."""

from __future__ import annotations

import asyncio
import os
import resource
from contextlib import closing
from pathlib import Path

from havre.kernel.channel import Channel
from havre.runtime.runtime import Runtime


async def test_a_spare_that_no_handle_is_free_for_is_none(tmp_path: Path) -> None:
    runtime = Runtime(tmp_path)
    ours, theirs = Channel.pair()
    ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with closing(ours), closing(theirs):
        ours.socket.setblocking(False)
        read_end, write_end = os.pipe()
        theirs.send(b"spare", [read_end])
        os.close(read_end)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            runtime._launcher_spoke(ours, ready)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert runtime._spare is None
        assert ready.result()
        os.close(write_end)
