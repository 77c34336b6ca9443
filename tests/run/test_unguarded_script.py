"""A script without ``if __name__ == "__main__":`` runs once, however many workers it starts."""

from __future__ import annotations

import subprocess
import sys
from multiprocessing import spawn
from pathlib import Path

from autodip_zarr.run.scheduling.mainless import without_main
from autodip_zarr.stores.sample import write_sample_zarr

from ..samples import make_sample

SCRIPT = """
import sys
from autodip_zarr import Choices, Machine, denoise
print("begins as", __name__, flush=True)
source, output, table = sys.argv[1:]
choices = Choices(output=output, table=table, preset="reference")
print(denoise(source, choices, Machine(workers=1)).in_one_line(), flush=True)
"""


def test_a_script_that_is_not_guarded_runs_once(tmp_path: Path, quick_table: str) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x", (1, 1, 2, 24, 32)), "0.5")
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py", "x.zarr", "out", quick_table]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.splitlines() == [
        "begins as __main__",
        "images: 1 done; planes denoised: 2, failed: 0",
    ], done.stderr
    assert (done.returncode, done.stderr) == (0, "")


def test_processes_of_others_load_the_main_module_as_ever() -> None:
    ordinary = spawn.get_preparation_data
    expected = ordinary("Pool-1").keys()
    with without_main(), without_main():
        assert spawn.get_preparation_data("Pool-1").keys() == expected
        worker = spawn.get_preparation_data("Dask Worker process (from Nanny)").keys()
        assert set(expected - worker) <= {"init_main_from_name", "init_main_from_path"}
        assert not any(key.startswith("init_main") for key in worker)
    assert spawn.get_preparation_data is ordinary
