"""Worker processes that start without running the script again that called this program."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import spawn
from typing import Any, Final

_WORKER: Final = "Dask Worker process"
"""What Dask calls the processes of its workers, at the beginning of their names."""

_MAIN: Final = ("init_main_from_name", "init_main_from_path")
"""What tells a new process which main module to load."""

_LOCK: Final = threading.Lock()
_running = 0
_prepared = spawn.get_preparation_data


@contextmanager
def without_main() -> Iterator[None]:
    """Within it, Dask's worker processes load no main module; other processes load it as ever.

    Python loads the main module of a program in each process that it spawns. A script that is not guarded by
    ``if __name__ == "__main__":`` would begin all its work there again, on the same images. Workers need
    nothing of it: what is sent to them can be imported, or is pickled by value.
    """
    global _running  # noqa: PLW0603 - runs may go on side by side, in threads
    with _LOCK:
        _running += 1
        spawn.get_preparation_data = _without_main
    try:
        yield
    finally:
        with _LOCK:
            _running -= 1
            if not _running:
                spawn.get_preparation_data = _prepared


def _without_main(name: str) -> dict[str, Any]:
    data = _prepared(name)
    return {key: value for key, value in data.items() if key not in _MAIN or not name.startswith(_WORKER)}
