"""What a person should look at in a finished result, from its record."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.stores import RECORD_FIELDS, STATUS_EMPTY

_ROUNDING_SHARE: Final = 0.03
"""Variance of rounding over that of what was taken away, above which rounding is worth a warning.

Simulated photon-limited planes: at 0.06 the error of the denoised plane grew by 31 %, at 0.016 by 5 %.
"""


_OVERSHOOT: Final = 1.15
"""Restlessness of a fit at its end, over its calmest, above which its stop was probably late.

Measured on real images: docs/explanation/how-settings-were-found.md.
"""


_SATURATED: Final = 0.001
"""Share of saturated pixels of a plane above which it is worth a warning."""

_REPEATED: Final = 0.8
"""Share of pixels equal to their neighbour above which a plane without noise is no image of intensities."""


def record_warnings(record: NDArray[np.float64], dtype: str, told_absent: int = 0) -> tuple[str, ...]:
    """Return warnings about the planes of a result, in words.

    Parameters
    ----------
    record : ndarray
        (T, C, Z, field) float64, NaN where nothing was done.
    dtype : str
        Pixel type of the result.
    told_absent : int
        Planes that a warning about the header tells to be absent.
    """
    return (
        *_empty_warnings(record, told_absent),
        *_saturation_warnings(record),
        *_label_warnings(record),
        *_rounding_warnings(record, dtype),
        *_stop_warnings(record),
    )


def _of(record: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = record[..., RECORD_FIELDS.index(name)]
    return values


def _empty_warnings(record: NDArray[np.float64], told: int) -> tuple[str, ...]:
    status = _of(record, "status")
    empty = int((status == STATUS_EMPTY).sum())
    if empty <= told:
        return ()
    return (
        f"{empty} of {status.size} planes hold nothing but the fill value in the source, as where an "
        "acquisition ended early: they are left empty",
    )


def _saturation_warnings(record: NDArray[np.float64]) -> tuple[str, ...]:
    share = _of(record, "saturated_share")
    many = share > _SATURATED  # NaN is not
    if not many.any():
        return ()
    most = float(np.max(share[many]))
    return (
        f"{int(many.sum())} planes have up to {most:.1%} saturated pixels: what is lost there does not come "
        "back, and intensities are too low",
    )


def _label_warnings(record: NDArray[np.float64]) -> tuple[str, ...]:
    is_flat = (_of(record, "repeated_share") > _REPEATED) & (_of(record, "noise_before") == 0)
    if not is_flat.any():
        return ()
    return (
        f"{int(is_flat.sum())} planes are made of patches of equal values without noise, as labels, masks "
        "and drawings are: if so, leave their channels out with --channels",
    )


def _stop_warnings(record: NDArray[np.float64]) -> tuple[str, ...]:
    late = int((_of(record, "overshoot") > _OVERSHOOT).sum())  # NaN is not
    if not late:
        return ()
    return (
        f"{late} planes were probably fitted for too long, so that noise came back: theirs may be stronger "
        "than that of the calibration images; compare with --stop auto",
    )


def _rounding_warnings(record: NDArray[np.float64], dtype: str) -> tuple[str, ...]:
    rounding, residual = _of(record, "rounding_std"), _of(record, "residual_std")
    coarse = rounding**2 > _ROUNDING_SHARE * residual**2  # NaN is not
    if not coarse.any():
        return ()
    share = float(np.max(rounding[coarse] ** 2 / residual[coarse] ** 2))
    return (
        f"{int(coarse.sum())} planes have so few counts that rounding them to {dtype} adds up to {share:.0%} "
        "of the noise that was taken away; --dtype float32 keeps what is lost",
    )
