"""Run the command line as ``python -m autodip_zarr``."""

from __future__ import annotations

from autodip_zarr.cli import main

if __name__ == "__main__":
    main()
