"""What the machine at hand can do, found out without importing torch."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from autodip_zarr.domain import Recipe
from autodip_zarr.errors import OptionError

PROCESS_BYTES: Final = 500_000_000
"""A worker without blocks: Python, torch, zarr, what they cache, and the strip that is being shrunk."""

_DEVICE = re.compile(r"cpu|cuda(:\d{1,3})?")
_FAST_BFLOAT16 = re.compile(r"\b(amx_bf16|avx512_bf16)\b")


def resolve_device(device: str) -> str:
    """Return ``cuda`` or ``cpu`` for ``auto``, and a device that is named as it is.

    A card is taken for usable where its driver is loaded and the environment does not hide it.

    Raises
    ------
    OptionError
        There is no such kind of device.
    """
    if device == "auto":
        return "cuda" if _has_driver() else "cpu"
    if not _DEVICE.fullmatch(device):
        raise OptionError("--device", repr(device), "auto, cpu, cuda, or one card such as cuda:1")
    return device


def settle_device(device: str) -> str:
    """Return the device of this machine on which work will be done, once it is sure that it is there.

    Where a card comes into question, torch is asked in a process of its own: planning never imports it.

    Raises
    ------
    OptionError
        There is no such device here.
    """
    settled = resolve_device(device)
    if settled == "cpu":
        return settled
    count = _cards_of_torch()
    index = int(settled.partition(":")[2] or 0)
    if index < count:
        return settled
    if device == "auto":
        return "cpu"
    found = f"{device}, but torch finds {count or 'no'} CUDA card{'' if count == 1 else 's'} here"
    raise OptionError("--device", found, "a device of this machine", "use --device cpu, or a torch for CUDA")


def _has_driver() -> bool:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return not hidden and Path("/proc/driver/nvidia/version").exists()


def _cards_of_torch() -> int:
    script = "import torch; print(torch.cuda.device_count())"
    asked = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)  # noqa: S603
    return int(asked.stdout) if asked.returncode == 0 else 0


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
