"""What a person should look at in a finished result, from its record."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.stores import RECORD_FIELDS

_ROUNDING_SHARE: Final = 0.03
"""Variance of rounding over that of what was taken away, above which rounding is worth a warning.

Simulated photon-limited planes: at 0.06 the error of the denoised plane grew by 31 %, at 0.016 by 5 %.
"""


_OVERSHOOT: Final = 1.15
"""Restlessness of a fit at its end, over its calmest, above which its stop was probably late.

Measured on real images: docs/explanation/how-settings-were-found.md.
"""


def record_warnings(record: NDArray[np.float64], dtype: str) -> tuple[str, ...]:
    """Return warnings about the planes of a result, in words.

    Parameters
    ----------
    record : ndarray
        (T, C, Z, field) float64, NaN where nothing was done.
    dtype : str
        Pixel type of the result.
    """
    return (*_rounding_warnings(record, dtype), *_stop_warnings(record))


def _of(record: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = record[..., RECORD_FIELDS.index(name)]
    return values


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
