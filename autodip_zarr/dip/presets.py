"""The named recipes and what sequences add to them, as data; without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal

from autodip_zarr.domain import Recipe, WarmStart
from autodip_zarr.errors import OptionError

_REFERENCE: Final = Recipe(
    preset="reference",
    averaging=None,
    perturbation=0.0,
    starts=1,
    learning_rate=0.01,
    tile_px=512,
    halo_px=32,
    seed=0,
    precision="float32",
    threads=1,
    fused=False,
    scaling="minmax",
    least_iterations=0,
    size_exponent=0.0,
)
"""The published protocol to the letter: last output, fixed input, one start."""

_STANDARD: Final = replace(
    _REFERENCE,
    preset="standard",
    averaging=0.98,
    perturbation=1 / 120,
    starts=2,
    fused=True,
    scaling="robust",
    least_iterations=600,
    most_iterations=600,
    size_exponent=0.5,
    stabilisation=1.0,
    mixed=True,
    filters=True,
    probe=0.3,
    optics=0.6,
    in_parts=True,
)
"""Two fits, seen through a blur, whose stop and share the estimated error of the plane itself decides."""

_WARM_START: Final = WarmStart(
    axis="z",
    both_ways=False,
    longest=16,
    share=1 / 6,
    least_iterations=40,
    learning_rate=0.003,
    averaging=0.95,
    least_correlation=0.7,
)
"""Numbers from docs/explanation/stacks.md."""

PRESETS: Final[Mapping[str, Recipe]] = {
    "reference": _REFERENCE,
    "standard": _STANDARD,
    "best": replace(_STANDARD, preset="best", starts=6),
    "prior": replace(_STANDARD, preset="prior", filters=False),
    "fast": replace(_STANDARD, preset="fast", starts=0),
}
"""The recipe of each preset, before the seed, the tiles and the precision of a run are filled in."""


def preset_recipe(name: str, *, seed: int = 0, precision: str) -> Recipe:
    """Return the recipe of a preset.

    Parameters
    ----------
    name : str
        ``reference``, ``standard``, ``best``, ``prior`` or ``fast``.
    seed : int
        Seed from which that of each tile is derived.
    precision : str
        ``float32`` or ``bfloat16``; ``reference`` is float32 whatever is asked for.

    Raises
    ------
    OptionError
        If there is no such preset.
    """
    if name not in PRESETS:
        raise OptionError("preset", repr(name), ", ".join(PRESETS))
    recipe = replace(PRESETS[name], seed=seed)
    return recipe if name == "reference" else replace(recipe, precision=precision)


def warm_start(axis: Literal["z", "t"], *, both_ways: bool = False) -> WarmStart:
    """Return how planes are fitted on from their neighbours along an axis.

    Parameters
    ----------
    axis : str
        ``z`` or ``t``.
    both_ways : bool
        Whether forward and backward.
    """
    return replace(_WARM_START, axis=axis, both_ways=both_ways)
