"""The words of a page about results, explained for those who take images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Word:
    """A number of the record as a page shows it."""

    name: str
    """What people call it."""
    digits: int
    """Decimals."""
    meaning: str
    """What it tells, in a sentence or two."""
    is_rare: bool = False
    """Whether it is 0 as a rule, and worth a line only where it is not."""


NUMBERS: Final = {
    "noise_before": Word(
        "noise before",
        2,
        "Standard deviation of the noise of the source, in its units, estimated from its finest details.",
    ),
    "noise_after": Word("noise after", 2, "The same of the result. Near 0 where all noise is gone."),
    "residual_std": Word(
        "taken away",
        2,
        "Standard deviation of the residual: source minus result. About the noise before where noise and "
        "nothing else was taken away; far above it, structure was taken away, too.",
    ),
    "residual_lag1": Word(
        "correlation of the residual",
        3,
        "Between neighbouring pixels of what was taken away. Near 0 for white noise, as of cameras; higher "
        "where the noise itself is correlated, as of scanners, or structure was taken away.",
    ),
    "overshoot": Word(
        "overshoot",
        2,
        "How restless the fit was at its end, over its calmest moment. Above 1.15 noise was probably coming "
        "back: the fit ran too long.",
    ),
    "prior_share": Word(
        "share of the prior",
        2,
        "Part of the Deep Image Prior in the result; the rest is of classical filters, mixed by their "
        "estimated errors.",
    ),
    "iterations": Word("iterations", 0, "Steps that a fit made.", is_rare=True),
    "stop": Word("stop", 0, "Step after which the result was taken.", is_rare=True),
    "loss": Word("loss", 5, "How far the fit still was from the noisy image, on the scale of the fit."),
    "seconds": Word("seconds a plane", 1, "Time of one plane on its device."),
    "hot_pixels": Word(
        "hot pixels", 1, "Pixels a plane far brighter than all around, replaced before the fit.", is_rare=True
    ),
    "missing_pixels": Word(
        "missing pixels", 1, "Pixels a plane that are no numbers, left out of the fit.", is_rare=True
    ),
    "saturated_share": Word(
        "saturated share", 4, "Part of the pixels at the largest value of their type.", is_rare=True
    ),
    "restarts": Word(
        "restarts", 2, "Fits a plane that diverged and were begun again with another seed.", is_rare=True
    ),
}
"""What the record tells of each plane, in the order in which it is shown."""

WORDS: Final = {
    "tier": "By what a calibration group was found: microscope and specimen, one of the two, or nothing, in "
    "which case the average over all calibration images was taken (global).",
    "calibration group": "Images whose best parameters are known. The channel got those of its group.",
    "configuration": "Depth, width, skip connections and iterations of the network that was fitted.",
    "residual": "What was taken away: source minus result. It should look like noise; structure in it means "
    "that more than noise was taken away.",
    "power spectrum": "How strong details of each size are: coarse ones to the left, fine ones to the right. "
    "Noise is a floor on the right side of the source, which the result should fall below where no structure "
    "is left.",
    "histogram": "How many pixels have which intensity. A result has a narrower background than its source, "
    "at the same place.",
    **{word.name: word.meaning for word in NUMBERS.values()},
}
"""Every word that is explained at the end of a page."""
