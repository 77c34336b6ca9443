"""What a recipe makes of a configuration: starts, iterations, strength of perturbation; without torch."""

from __future__ import annotations

import math
from typing import Final

from autodip_zarr.dip.planes.tiles import padded_size
from autodip_zarr.domain import DipConfig, Recipe

CALIBRATED_SIDE_PX: Final = 512
"""Side of the fields on which the transferred numbers were found."""

AUTO_TIMES: Final = 2
"""How many times the transferred count a fit that is stopped by itself may take."""

_MOST_TIMES: Final = 4
_LEAST_COUNT_SIDE: Final = 1 / 8
_LEAST_NOISE_SIDE: Final = 1 / 2
_LEAST_PERTURBED_WIDTH: Final = 16
_DEEP: Final = 7
_WIDEST: Final = 512


def iterations_for(config: DipConfig, recipe: Recipe, shape: tuple[int, int]) -> int:
    """Return the number of Adam steps for one field.

    An average of outputs lags, so that short counts are raised to ``recipe.least_iterations`` (at most
    fourfold). A field of fewer pixels holds fewer noisy values for as many weights, and is fitted down
    to its noise sooner: its count falls with the power ``recipe.size_exponent`` of its side, and faster
    (``recipe.unperturbed_exponent``) where a short count is fitted without perturbation. What counts is the
    field that is fitted: deep networks pad small ones. Larger fields keep the count; narrow networks take as
    many steps on any field, since they learn slowly on all, and so do perturbed ones of depth 7 and more.
    The measurements behind all of this are in docs/explanation/quality.md.

    Parameters
    ----------
    config : DipConfig
        Configuration with the transferred number of iterations.
    recipe : Recipe
        With ``least_iterations`` 0 and ``size_exponent`` 0 the transferred number stands.
    shape : tuple of int
        Size of the field (Y, X), in pixels.
    """
    raised = min(_MOST_TIMES * config.iterations, max(config.iterations, recipe.least_iterations))
    if _is_narrow(config) or (config.depth >= _DEEP and _is_perturbed(config, recipe)):
        return raised
    is_short = config.iterations < recipe.perturb_from
    exponent = recipe.unperturbed_exponent if is_short else recipe.size_exponent
    fitted = (padded_size(shape[0], config), padded_size(shape[1], config))
    factor = math.pow(min(1.0, max(_LEAST_COUNT_SIDE, _relative_side(fitted))), exponent)
    return max(min(raised, 1), round(raised * factor))


def starts_for(config: DipConfig, recipe: Recipe) -> int:
    """Return the number of independent fits whose results are averaged.

    Networks that ascend from fewer than 16 channels draw faint lines and patches into the background that are
    not in the image, other ones from each start; so they get ``recipe.ascending_times`` as many, which costs
    little (docs/explanation/quality.md). Networks of one such width throughout were not measured.

    Parameters
    ----------
    config : DipConfig
        Configuration.
    recipe : Recipe
        With the number of starts of other networks.
    """
    return recipe.starts * (recipe.ascending_times if config.width == "asc" and _is_narrow(config) else 1)


def most_iterations_for(config: DipConfig, recipe: Recipe, shape: tuple[int, int]) -> int:
    """Return the number of Adam steps for one field beyond which it is stopped in any case.

    Parameters
    ----------
    config, recipe, shape : DipConfig, Recipe, tuple of int
        See :func:`iterations_for`. With ``recipe.stop`` ``auto`` a fit that still settles goes on
        to twice its count.
    """
    count = iterations_for(config, recipe, shape)
    return AUTO_TIMES * count if recipe.stop == "auto" else count


def perturbation_for(config: DipConfig, recipe: Recipe, shape: tuple[int, int]) -> float:
    """Return the standard deviation of the noise that is added to the input.

    The stronger the noise, the later the fit of a field is at its best, and the better; the smaller the
    field, the earlier. So that the transferred count suits both, fields down to half the calibrated side get
    noise in inverse proportion to their side, and smaller ones as much as those.

    An outermost level of fewer than 16 channels (``asc`` of depth 7 or more) gets none: it cannot average
    the noise away, and learns the image far too late. Nor does a transferred count below
    ``recipe.perturb_from``: perturbed fits draw fine lines only after many steps.

    Parameters
    ----------
    config : DipConfig
        Configuration, with the transferred number of iterations.
    recipe : Recipe
        With the perturbation of a field of 512x512 pixels.
    shape : tuple of int
        Size of the field (Y, X), in pixels.
    """
    if not _is_perturbed(config, recipe):
        return 0.0
    return recipe.perturbation / min(1.0, max(_LEAST_NOISE_SIDE, _relative_side(shape)))


def averaging_for(iterations: int, recipe: Recipe) -> float | None:
    """Return the decay per iteration of the average of outputs, ``None`` for no average.

    Parameters
    ----------
    iterations : int
        Steps of the fit. The longer it is, the slower it moves, and the further back an average may reach.
    recipe : Recipe
        ``averaging`` is the least decay; ``averaged_share`` the share of the steps to reach back over.
    """
    if recipe.averaging is None:
        return None
    return max(recipe.averaging, 1 - 1 / max(1.0, recipe.averaged_share * iterations))


def _is_narrow(config: DipConfig) -> bool:
    outermost = _WIDEST >> (config.depth - 1) if config.width == "asc" else config.width
    return outermost < _LEAST_PERTURBED_WIDTH


def _is_perturbed(config: DipConfig, recipe: Recipe) -> bool:
    return bool(recipe.perturbation) and not _is_narrow(config) and config.iterations >= recipe.perturb_from


def _relative_side(shape: tuple[int, int]) -> float:
    return math.sqrt(shape[0] * shape[1]) / CALIBRATED_SIDE_PX
