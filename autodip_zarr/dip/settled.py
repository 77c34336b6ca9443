"""What configuration, recipe and size of a field come to: one settled fit; without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from autodip_zarr.dip.architecture import Architecture
from autodip_zarr.domain import DipConfig, Recipe, WarmStart

_CALIBRATED_SIDE_PX: Final = 512
"""Side of the fields on which the transferred numbers were found."""

AUTO_TIMES: Final = 2
"""How many times the transferred count a fit that is stopped by itself may take."""

_LOOKS: Final = 16
"""Stops among which a mixed result chooses."""

_MOST_FITS: Final = 64
MOST_TIMES: Final = 4
"""How many times a count is raised at most."""
_LEAST_COUNT_SIDE: Final = 1 / 8
_LEAST_NOISE_SIDE: Final = 1 / 2
_LEAST_PERTURBED_WIDTH: Final = 16
_DEEP: Final = 7


@dataclass(frozen=True)
class SettledFit:
    """How a field is fitted, with nothing left to decide."""

    architecture: Architecture
    """The network."""
    steps: int
    """Adam steps of a fit that is not stopped by itself."""
    starts: int
    """Number of independent fits whose results are averaged."""
    learning_rate: float
    """Step size of Adam."""
    perturbation: float
    """Standard deviation of the noise added to the input at each step; 0 for none."""
    averaging: float | None
    """Decay per step of the exponential average of the outputs; ``None`` takes the last output."""
    loss: str
    """Distance to the noisy image that is minimised; the names are in ``dip.fitting.losses.LOSSES``."""
    tv_weight: float
    """Weight of the total variation of the output in what is minimised."""
    stops_itself: bool
    """Whether the outputs tell when the fit ends, after half to twice the steps."""
    precision: str
    """Arithmetic: ``float32``, ``bfloat16``, or on a card ``tf32``."""
    threads: int
    """CPU threads."""
    fused: bool
    """Whether the network is arranged for speed, which changes rounding."""
    deterministic: bool
    """Whether a card may use only kernels that give the same bits in every run."""
    looks: int = 0
    """Averages that are kept along the fit, at equal distances."""
    optics: bool = False
    """Whether the network is seen through a blur, each tile through its own."""
    kept: tuple[int, ...] = ()
    """Steps after which the output and the average are kept, besides the looks: to measure many stops."""

    @property
    def most_steps(self) -> int:
        """Adam steps after which it ends in any case."""
        return AUTO_TIMES * self.steps if self.stops_itself else self.steps

    def on_from(self, warm: WarmStart) -> SettledFit:
        """Return the fit of a plane that begins with the network of its neighbour."""
        return replace(
            self,
            steps=warm_steps(self.steps, warm),
            learning_rate=warm.learning_rate,
            averaging=warm.averaging,
        )


def settle(config: DipConfig, recipe: Recipe, shape: tuple[int, int]) -> SettledFit:
    """Settle how one field is fitted.

    Parameters
    ----------
    config : DipConfig
        As it was transferred.
    recipe : Recipe
        Everything else.
    shape : tuple of int
        Size of the field (Y, X), in pixels.
    """
    steps = _steps(config, recipe, shape)
    return replace(
        as_transferred(config, recipe),
        steps=steps,
        perturbation=_perturbation(config, recipe, shape),
        averaging=_averaging(steps, recipe),
    )


def as_transferred(config: DipConfig, recipe: Recipe) -> SettledFit:
    """Take the numbers of configuration and recipe as they are, whatever the size of the field."""
    return SettledFit(
        architecture=Architecture.of(config),
        steps=config.iterations,
        starts=starts_for(config, recipe),
        learning_rate=recipe.learning_rate,
        perturbation=recipe.perturbation,
        averaging=recipe.averaging,
        loss=recipe.loss,
        tv_weight=recipe.tv_weight,
        stops_itself=recipe.stop == "auto",
        precision=recipe.precision,
        threads=recipe.threads,
        fused=recipe.fused,
        deterministic=recipe.deterministic,
        looks=_LOOKS if recipe.mixed else 0,
        optics=recipe.optics > 0,
    )


def warm_steps(fresh: int, warm: WarmStart) -> int:
    """Return the Adam steps of a plane that is fitted on from its neighbour.

    Parameters
    ----------
    fresh : int
        Steps of a fit that begins with a fresh network; never exceeded.
    warm : WarmStart
        Share of them and floor.
    """
    return min(fresh, max(warm.least_iterations, round(warm.share * fresh)))


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


def batch_tiles(starts: int, device: str) -> int:
    """Return how many tiles are fitted before what is kept along their fits is dropped.

    Parameters
    ----------
    starts : int
        Fits of each.
    device : str
        On a card many are fitted side by side; what is kept of them lies in the memory of the host.
    """
    return max(1, (_MOST_FITS if device.startswith("cuda") else 1) // max(1, starts))


def _steps(config: DipConfig, recipe: Recipe, shape: tuple[int, int]) -> int:
    """Return the number of Adam steps for one field.

    An average of outputs lags, so that short counts are raised to ``recipe.least_iterations`` (at most
    fourfold). A field of fewer pixels holds fewer noisy values for as many weights, and is fitted down
    to its noise sooner: its count falls with the power ``recipe.size_exponent`` of its side, and faster
    (``recipe.unperturbed_exponent``) where a short count is fitted without perturbation. What counts is the
    field that is fitted: deep networks pad small ones. Larger fields keep the count; narrow networks take as
    many steps on any field, since they learn slowly on all, and so do perturbed ones of depth 7 and more.
    The measurements behind all of this are in docs/explanation/how-settings-were-found.md.
    """
    raised = min(MOST_TIMES * config.iterations, max(config.iterations, recipe.least_iterations))
    if recipe.most_iterations:
        raised = min(raised, recipe.most_iterations)
    if _is_narrow(config) or (config.depth >= _DEEP and _is_perturbed(config, recipe)):
        return raised
    is_short = config.iterations < recipe.perturb_from
    exponent = recipe.unperturbed_exponent if is_short else recipe.size_exponent
    fitted = Architecture.of(config).padded_shape(shape)
    factor = math.pow(min(1.0, max(_LEAST_COUNT_SIDE, _relative_side(fitted))), exponent)
    return max(min(raised, 1), round(raised * factor))


def _perturbation(config: DipConfig, recipe: Recipe, shape: tuple[int, int]) -> float:
    """Return the standard deviation of the noise that is added to the input.

    The stronger the noise, the later the fit of a field is at its best, and the better; the smaller the
    field, the earlier. So that the transferred count suits both, fields down to half the calibrated side get
    noise in inverse proportion to their side, and smaller ones as much as those.

    An outermost level of fewer than 16 channels (``asc`` of depth 7 or more) gets none unless it is seen
    through a blur: it cannot average the noise away, and learns the image far too late. Nor does a
    transferred count below ``recipe.perturb_from``: perturbed fits draw fine lines only after many steps.
    """
    if not _is_perturbed(config, recipe):
        return 0.0
    return recipe.perturbation / min(1.0, max(_LEAST_NOISE_SIDE, _relative_side(shape)))


def _averaging(steps: int, recipe: Recipe) -> float | None:
    """Return the decay per step of the average of outputs, ``None`` for no average.

    The longer the fit is, the slower it moves, and the further back an average may reach.
    ``recipe.averaging`` is the least decay, ``recipe.averaged_share`` the share of the steps to reach over.
    """
    if recipe.averaging is None:
        return None
    return max(recipe.averaging, 1 - 1 / max(1.0, recipe.averaged_share * steps))


def _is_narrow(config: DipConfig) -> bool:
    return Architecture.of(config).widths[0] < _LEAST_PERTURBED_WIDTH


def _is_perturbed(config: DipConfig, recipe: Recipe) -> bool:
    is_late = _is_narrow(config) and not recipe.optics
    return bool(recipe.perturbation) and not is_late and config.iterations >= recipe.perturb_from


def _relative_side(shape: tuple[int, int]) -> float:
    return math.sqrt(shape[0] * shape[1]) / _CALIBRATED_SIDE_PX
