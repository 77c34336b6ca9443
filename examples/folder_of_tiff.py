"""Denoise a folder of OME-TIFF: plan first, look at it, then run on a local Dask cluster.

python examples/folder_of_tiff.py FOLDER RESULTS
"""

from __future__ import annotations

import sys

from autodip_zarr import Choices, denoise, plan


def main(folder: str, results: str, table: str = "published") -> None:
    """Print what would be done with each channel, and do it."""
    choices = Choices(output=results, table=table)

    planned = plan([folder], choices)  # reads no pixel
    for image in planned.images:
        for channel in image.channels:
            if channel.match is None:
                print(
                    f"{image.header.ref.source}, channel {channel.metadata.index}: copied, {channel.reason}"
                )
            else:
                print(f"{image.header.ref.source}, channel {channel.metadata.index}: {channel.match.config}")

    summary = denoise([folder], choices)
    for done in summary.images:
        print(f"{done.status}: {done.target}")


if __name__ == "__main__":
    main(*sys.argv[1:])
