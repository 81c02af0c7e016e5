from __future__ import annotations

import threading
from pathlib import Path

from havre.engine.remove import remove_folder


def test_two_removals_of_one_folder_may_meet(tmp_path: Path) -> None:
    for _ in range(30):
        folder = tmp_path / "container"
        (folder / "below").mkdir(parents=True)
        for number in range(20):
            (folder / f"file{number}").touch()
        failed: list[BaseException] = []

        def work(folder: Path = folder, failed: list[BaseException] = failed) -> None:
            try:
                remove_folder(folder)
            except OSError as error:
                failed.append(error)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed
        assert not folder.exists()
