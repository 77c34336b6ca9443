"""What the machine at hand can do, found out without importing torch."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from autodip_zarr.domain import Recipe
from autodip_zarr.errors import OptionError

_FAST_BFLOAT16 = re.compile(r"\b(amx_bf16|avx512_bf16)\b")


def resolve_device(device: str) -> str:
    """Return ``cuda`` or ``cpu`` for ``auto``, and anything else as it is.

    A card is taken for usable where its driver is loaded.
    """
    if device != "auto":
        return device
    return "cuda" if Path("/proc/driver/nvidia/version").exists() else "cpu"


def resolve_precision(precision: str, device: str) -> str:
    """Settle the arithmetic of the fit: ``bfloat16`` on a card, and where the CPU multiplies it in hardware.

    Planning settles it, never a worker, so that all planes of a run are computed alike.
    """
    if precision != "auto":
        return precision
    return "bfloat16" if device != "cpu" or _has_fast_bfloat16() else "float32"


def check_arithmetic(recipe: Recipe, device: str) -> None:
    """Refuse what a device cannot do.

    Raises
    ------
    OptionError
        For ``tf32`` without a card, and for the plain network with bits that never change on one.
    """
    if recipe.precision == "tf32" and device == "cpu":
        raise OptionError(
            "--precision", "tf32 on a CPU", "float32 or bfloat16", "tf32 is arithmetic of cards"
        )
    if recipe.deterministic and not recipe.fused and device != "cpu":
        hint = "use --device cpu for the same bits in every run, or another preset"
        found = f"given with --preset {recipe.preset} on {device}: PyTorch pads by atomic additions there"
        raise OptionError("--deterministic", found, "", hint)


def _has_fast_bfloat16() -> bool:
    if platform.system() != "Linux":
        return False
    return (
        _FAST_BFLOAT16.search(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")) is not None
    )


def peak_bytes() -> int | None:
    """Return the most memory that this process has had resident; ``None`` where Linux does not tell."""
    status = Path("/proc/self/status")
    found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE) if status.exists() else None
    return None if found is None else int(found[1]) * 1024


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
