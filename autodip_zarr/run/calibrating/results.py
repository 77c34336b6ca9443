"""Measurements as a dataset of xarray, joined over runs, and as what a choice is made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from autodip_zarr.calibration.choice import Scored
from autodip_zarr.calibration.grid import Grid
from autodip_zarr.calibration.table import MeasuredPair
from autodip_zarr.dip.estimate import estimate
from autodip_zarr.domain import DipConfig, Recipe, Width
from autodip_zarr.errors import OptionError
from autodip_zarr.run.calibrating.measure import SCORES, Record
from autodip_zarr.run.calibrating.plan import Settings

if TYPE_CHECKING:
    from xarray import Dataset

_DIMENSIONS: Final = ("pair", "seed", "depth", "width", "skip", "stop", "output")
"""Of the scores; ``seconds`` and ``steps`` have all but the last."""

PRESET_OUTPUT: Final = "preset"
"""The output that is what ``denoise`` would write, by which configurations are chosen."""

_TIMES: Final = ("seconds", "steps")
_TERMS: Final = ("field", "microscope", "specimen")
_FIELD_PX: Final = (512, 512)
_ATTRIBUTES: Final = {
    "psnr": {"long_name": "PSNR on the scale of minimum and maximum of the noisy plane", "units": "dB"},
    "psnr_range255": {"long_name": "PSNR by the range of the pixel type, 255 for 8 bits", "units": "dB"},
    "ssim": {"long_name": "structural similarity on the scale of the noisy plane"},
    "lpips": {"long_name": "LPIPS of values from 0 to 1, low is good"},
    "seconds": {"long_name": "wall time of the fits up to the stop", "units": "s"},
    "steps": {"long_name": "Adam steps that the preset makes of the stop"},
}


def dataset_of(records: Iterable[Record], settings: Settings) -> Dataset:
    """Return measurements as a dataset; what was not measured is NaN.

    Parameters
    ----------
    records : iterable of dict
        What was measured.
    settings : Settings
        What they have in common: recipe, but for the seed, and device.
    """
    from xarray import Dataset  # noqa: PLC0415 - pandas with it, which nothing else needs

    kept = list(records)
    axes = _axes(kept)
    at = {name: {value: index for index, value in enumerate(values)} for name, values in axes.items()}
    shape = tuple(len(axes[name]) for name in _DIMENSIONS)
    arrays = {name: np.full(shape, np.nan) for name in SCORES}
    arrays |= {name: np.full(shape[:-1], np.nan) for name in _TIMES}
    for record in kept:
        depth, width, skip = record["network"]
        pair, seed = at["pair"][record["pair"]["name"]], at["seed"][record["seed"]]
        place = (pair, seed, at["depth"][depth], at["width"][str(width)], at["skip"][skip])
        stops = [at["stop"][stop] for stop in record["stops"]]
        for name in _TIMES:
            arrays[name][place][stops] = record[name]
        for name in SCORES:
            for output, values in record[name].items():
                arrays[name][(*place, stops, at["output"][output])] = values
    variables = {
        name: (_DIMENSIONS[: array.ndim], array, _ATTRIBUTES[name]) for name, array in arrays.items()
    }
    recipe = settings.recipe
    attributes: dict[str, Any] = {
        "preset": recipe.preset,
        "recipe": _common(recipe),
        "device": settings.device,
    }
    attributes |= {"software": f"autodip-zarr {version('autodip-zarr')}", "crop_px": settings.crop_px}
    return Dataset(variables, _coordinates(kept, axes), attributes)


def _axes(records: Sequence[Record]) -> dict[str, list[Any]]:
    widths: list[Width] = list({record["network"][1] for record in records})
    axes: dict[str, list[Any]] = {
        "pair": list(dict.fromkeys(record["pair"]["name"] for record in records)),
        "seed": sorted({record["seed"] for record in records}),
        "depth": sorted({record["network"][0] for record in records}),
        "width": [str(width) for width in sorted(widths, key=_by_width)],
        "skip": sorted({record["network"][2] for record in records}),
        "stop": sorted({stop for record in records for stop in record["stops"]}),
        "output": list(dict.fromkeys(output for record in records for output in record["psnr"])),
    }
    return axes


def _by_width(width: Width) -> float:
    return float("inf") if width == "asc" else float(width)


def _coordinates(records: Sequence[Record], axes: Mapping[str, list[Any]]) -> dict[str, Any]:
    pairs = {record["pair"]["name"]: record for record in records}
    rows = [pairs[name] for name in axes["pair"]]
    texts = ("pair", "width", "output")
    found: dict[str, Any] = {
        name: np.array(values, object) if name in texts else values for name, values in axes.items()
    }
    for name in _TERMS:
        found[name] = ("pair", np.array([row["pair"][name] or "" for row in rows], object))
    for name in rows[0]["about"] if rows else ():
        found[name] = ("pair", [float(row["about"][name]) for row in rows])
    return found


def _common(recipe: Recipe) -> str:
    """Return what of a recipe measurements must share: not the seed, which is a dimension, nor rounding."""
    left_out = ("seed", "precision", "threads", "deterministic")
    return json.dumps({name: value for name, value in asdict(recipe).items() if name not in left_out})


def refuse_other_recipe(dataset: Dataset, recipe: Recipe) -> None:
    """Refuse measurements of another recipe.

    Raises
    ------
    OptionError
        They were made by one.
    """
    if dataset.attrs["recipe"] != _common(recipe):
        is_other = dataset.attrs["preset"] != recipe.preset
        found = f"preset {dataset.attrs['preset']}" if is_other else "other options of the fit"
        hint = "each preset gets a table of its own; --preset says which one"
        raise OptionError("measurements of an earlier run", found, f"preset {recipe.preset}", hint)


def joined(one: Dataset, other: Dataset) -> Dataset:
    """Join the measurements of two runs; where both have one, that of the first counts."""
    names = [name for name in one.coords if name not in one.dims]
    both = one.reset_coords(names).combine_first(other.reset_coords(names)).set_coords(names)
    widths = sorted(both["width"].to_numpy().tolist(), key=lambda text: _by_width(_parse_width(text)))
    both = both.sel(width=widths)
    both.attrs = dict(one.attrs)
    return both


def _parse_width(text: str) -> Width:
    """Return the width of a coordinate of a dataset."""
    return "asc" if text == "asc" else int(text)


def grid_of(dataset: Dataset) -> Grid:
    """Return the configurations of a dataset."""
    axes = [[int(value) for value in dataset[name].to_numpy()] for name in ("depth", "skip", "stop")]
    widths = tuple(_parse_width(str(text)) for text in dataset["width"].to_numpy())
    return Grid(tuple(axes[0]), widths, tuple(axes[1]), tuple(axes[2]))


def pairs_of(dataset: Dataset) -> tuple[MeasuredPair, ...]:
    """Return the pairs of a dataset."""
    columns = [[str(text) for text in dataset[name].to_numpy()] for name in ("pair", *_TERMS)]
    return tuple(
        MeasuredPair(name, field, microscope or None, specimen or None)
        for name, field, microscope, specimen in zip(*columns, strict=True)
    )


def scored_of(dataset: Dataset, recipe: Recipe) -> Scored:
    """Return what a choice is made from: the scores of what ``denoise`` would write."""
    configs = tuple(grid_of(dataset).configurations())
    chosen = dataset.sel(output=PRESET_OUTPUT)
    flat = (chosen.sizes["pair"], chosen.sizes["seed"], len(configs))
    psnr, lpips = (
        chosen[name].transpose(*_DIMENSIONS[:-1]).to_numpy().reshape(flat) for name in ("psnr", "lpips")
    )
    costs = np.array([_cost(config, recipe) for config in configs])
    return Scored(pairs_of(dataset), configs, costs, psnr, lpips)


def _cost(config: DipConfig, recipe: Recipe) -> float:
    return estimate(config, replace(recipe, tile_px=max(_FIELD_PX)), _FIELD_PX, "cpu").cost
