"""How planes are fitted: the configuration, why it was chosen, and all else that may change a pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Width = int | Literal["asc"]
"""Channels of the network per level; ``"asc"`` doubles from level to level and ends at 512."""


@dataclass(frozen=True)
class DipConfig:
    """Architecture and stop of a Deep Image Prior, as a calibration table gives them."""

    depth: int
    """Number of levels of the U-net."""
    width: Width
    """Channels of each level, or ``"asc"``."""
    skip: int
    """Channels of each skip branch; 0 for none."""
    iterations: int
    """Adam steps after which a 512x512 field is stopped."""


@dataclass(frozen=True)
class TableId:
    """Which calibration table a configuration came from."""

    name: str
    """Name of the table."""
    version: str
    """Version of the table."""
    sha256: str
    """Digest of the table file's bytes."""


@dataclass(frozen=True)
class Match:
    """The configuration transferred to a channel, and why this one."""

    config: DipConfig
    """Transferred configuration."""
    tier: str
    """Tier that matched: ``microscope+specimen``, ``microscope``, ``specimen`` or ``global``."""
    group: Mapping[str, str]
    """Terms of the calibration group, for example ``{"microscope": "confocal"}``; empty for ``global``."""
    agreed: tuple[str, ...]
    """Fields that agreed with the group."""
    missing: tuple[str, ...]
    """Fields that a better tier would have needed and that are unknown or not calibrated."""
    metric: str
    """Metric by which the table chose the configuration."""
    table: TableId
    """The table."""
    warnings: tuple[str, ...] = ()
    """What a person should look at, in words."""


@dataclass(frozen=True)
class WarmStart:
    """How planes of a stack or a time-lapse are fitted on from the networks of their neighbours."""

    axis: Literal["z", "t"]
    """Axis along which planes are neighbours."""
    both_ways: bool
    """Whether planes are fitted forward and then backward, and the two results averaged."""
    longest: int
    """Most planes in a chain; each chain begins with a fresh network."""
    share: float
    """Iterations of a plane that is fitted on from its neighbour, relative to those of a fresh fit."""
    least_iterations: int
    """Iterations that such a plane takes at least, so that its neighbour does not show through."""
    learning_rate: float
    """Step size of Adam for such a plane."""
    averaging: float
    """Decay per iteration of the exponential average of the outputs for such a plane."""
    least_correlation: float
    """Correlation with its neighbour, noise discounted, below which a plane begins with a fresh network."""


@dataclass(frozen=True)
class Recipe:
    """Everything besides the configuration that may change a pixel; hashed into the provenance."""

    preset: str
    """``reference``, ``standard``, ``best``, ``prior`` or ``fast``."""
    averaging: float | None
    """Decay per iteration of the exponential average of the outputs; ``None`` takes the last output."""
    perturbation: float
    """Standard deviation of the noise added to the input of a 512x512 field at each iteration; 0 for none."""
    starts: int
    """Number of independent fits whose results are averaged; 0 fits nothing, classical filters are all."""
    learning_rate: float
    """Step size of Adam."""
    tile_px: int
    """Side of a tile in pixels; a plane that fits is not tiled."""
    halo_px: int
    """Overlap of neighbouring tiles that is blended, in pixels."""
    seed: int
    """Seed from which that of each tile is derived."""
    precision: str
    """Arithmetic of the fit: ``float32``, ``bfloat16``, or on a card ``tf32``."""
    threads: int
    """CPU threads of one fit; part of the recipe because it changes rounding."""
    fused: bool = True
    """Whether the network is arranged for speed, which changes rounding; ``False`` runs it to the letter."""
    scaling: str = "robust"
    """``minmax`` scales a plane by its extremes, ``robust`` leaves hot pixels out: ``dip.planes.scaling``."""
    least_iterations: int = 0
    """Number of iterations of a 512x512 field to which shorter counts are raised, at most fourfold."""
    size_exponent: float = 0.0
    """Power of the side of a field by which smaller fields take fewer iterations; 0 for as many."""
    perturb_from: int = 0
    """Transferred number of iterations from which on fits are perturbed; else fine lines come too late."""
    unperturbed_exponent: float = 0.0
    """``size_exponent`` of fits that are not perturbed for their short count: they overfit sooner."""
    loss: str = "mse"
    """Distance to the noisy image that is minimised; the names are in ``dip.fitting.losses.LOSSES``."""
    tv_weight: float = 0.0
    """Weight of the total variation of the output in what is minimised."""
    deterministic: bool = False
    """Whether a card may use only kernels that give the same bits in every run; a CPU always does."""
    sequence: WarmStart | None = None
    """How planes are fitted on from their neighbours; ``None`` fits each on its own."""
    stop: str = "transferred"
    """``transferred`` makes the transferred number of iterations, ``auto`` half to twice as many."""
    averaged_share: float = 0.0
    """Share of the iterations that the average reaches back over, where that is more than ``averaging``."""
    stabilisation: float = 0.0
    """Photons added under the root that makes noise alike at all intensities; 0 takes no root."""
    ascending_times: int = 1
    """How many times as many starts a network gets that ascends from few channels: each invents others."""
    mixed: bool = False
    """Whether the plane itself decides, by its estimated error, which stop is taken; needs two starts."""
    filters: bool = False
    """Whether the result of a mixed fit takes shares of classical filters, too: ``dip.planes.mixture``."""
    probe: float = 0.0
    """Noise that starts are given besides, one the opposite of the other's, relative to the plane's own."""
    optics: float = 0.0
    """Width of the blur that the network is seen through, relative to the best blur; 0 for none."""
    most_iterations: int = 0
    """Number of iterations to which longer counts are lowered; 0 for none."""
    in_parts: bool = False
    """Whether the shares of a mixed fit are found apart for places with strong structure, with some, and with
    next to none: ``dip.planes.parts``."""
