"""Datasets of xarray in Zarr: written beside their place and then put there, so that none is half there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from autodip_zarr.errors import SourceError, TargetError

if TYPE_CHECKING:
    from xarray import Dataset


def write_dataset(dataset: Dataset, path: str) -> None:
    """Write a dataset as a Zarr group on this machine, in place of one that is there.

    Raises
    ------
    TargetError
        It cannot be written, or something else than such a group is there.
    """
    target = Path(path)
    if target.exists() and not (target / ".zgroup").is_file():
        raise TargetError(path, "is there, and no dataset that this program wrote", "another name")
    partial, old = (target.with_name(f".{target.name}.{os.getpid()}.{what}") for what in ("new", "old"))
    try:
        # version 2: texts have no form in version 3 that is settled
        dataset.to_zarr(partial, mode="w", zarr_format=2, consolidated=True)
        if target.exists():
            target.rename(old)
        partial.rename(target)
    except OSError as error:
        raise TargetError(path, f"cannot be written: {error.strerror}") from error
    finally:
        for rest in (partial, old):
            shutil.rmtree(rest, ignore_errors=True)


def read_dataset(path: str) -> Dataset:
    """Read a dataset whole.

    Raises
    ------
    SourceError
        It is missing or cannot be read.
    """
    from xarray import open_zarr  # noqa: PLC0415 - pandas with it, which nothing else needs

    if not (Path(path) / ".zgroup").is_file():
        raise SourceError(path, "is no dataset that this program wrote", "a Zarr group of version 2")
    try:
        with open_zarr(path, chunks=None) as opened:
            dataset: Dataset = opened.load()
            texts = {
                name: one.astype(object) for name, one in dataset.variables.items() if one.dtype.kind == "T"
            }
            dataset = dataset.assign_coords(texts)  # texts of NumPy do not mix with what is missing
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(
            path, f"cannot be read: {error}", "a dataset of `autodip-zarr calibrate`"
        ) from error
    return dataset
