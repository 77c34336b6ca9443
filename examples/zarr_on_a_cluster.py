"""Denoise an OME-Zarr on a Dask cluster that runs already, and put the result into the same store.

dask scheduler --port 8786 &
dask worker tcp://127.0.0.1:8786 --nworkers 2 --nthreads 3 &
python examples/zarr_on_a_cluster.py IMAGE.zarr tcp://127.0.0.1:8786
"""

from __future__ import annotations

import sys

from autodip_zarr import Choices, Machine, denoise


def main(image: str, scheduler: str, table: str = "published") -> None:
    """Denoise the image with the workers of the cluster; they must see the same files."""
    choices = Choices(write_back=True, table=table)
    summary = denoise([image], choices, Machine(scheduler=scheduler))
    for done in summary.images:
        print(f"{done.status}: {done.target}, {done.planes_done} planes in {done.seconds:.0f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
