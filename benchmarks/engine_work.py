"""What one process of ``benchmarks/engine.py`` measures; needs torch and numpy alone."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autodip_zarr.dip.architecture import INPUT_CHANNELS, Architecture
from autodip_zarr.dip.fitting.fit import Fit, Tile
from autodip_zarr.dip.fitting.graphs import SWITCH
from autodip_zarr.dip.fitting.tile_pool import MOST_AT_ONCE, NetworkKind, Slot, TileJob, room_for
from autodip_zarr.dip.network.plain import forward, initial_parameters
from autodip_zarr.dip.planes.denoise import denoise_plane
from autodip_zarr.dip.planes.job import FitJob
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.dip.settled import SettledFit, settle
from autodip_zarr.domain import DipConfig
from autodip_zarr.metrics import psnr
from autodip_zarr.run.sources.crops import busiest_crop

SIDE_PX = 512
SHAPE = (SIDE_PX, SIDE_PX)
WARM_UP_STEPS = 3
Step = Callable[[], None]
Plane = NDArray[np.generic]

PARTS = {  # of a step, by what the names of its operations contain; the first that matches counts
    "optimiser": ("adam",),
    "convolution": ("conv",),
    "matrix products": ("mm", "mv", "dot", "bmm"),
    "norm": ("norm",),
    "activation": ("leaky_relu", "sigmoid"),
    "upsampling": ("upsample",),
    "copies and casts": ("copy", "cat", "fill", "zero", "index_select", "gather"),
}


@dataclass(frozen=True)
class Timing:
    """One measurement of speed."""

    config: DipConfig
    """What is fitted to 512x512 pixels."""
    way: str
    """``plain``, ``one``, ``many``, or ``profile`` for where the time of ``one`` goes."""
    device: str
    """Torch device."""
    precision: str
    """``float32``, ``tf32`` or ``bfloat16``."""
    iterations: int
    """Timed iterations, of every plane."""
    planes: int | None = None
    """Planes at once on a card; ``None`` for as many as the engine would take."""


@dataclass(frozen=True)
class Pair:
    """One fit to the end of a real capture."""

    config: DipConfig
    """What is fitted."""
    way: str
    """``plain``: the published protocol; ``engine``: the preset ``standard``."""
    device: str
    """Torch device."""
    precision: str
    """Of the engine; the published protocol is float32."""
    seed: int
    """Seed of the recipe."""
    field: str
    """Folder with ``raw_1`` and ``gt``."""
    crop: int
    """Side of the crop, in pixels."""


def measure(job: Timing) -> dict[str, Any]:
    """Time the steps of a fit."""
    on_card = job.device != "cpu"
    started = time.perf_counter()
    planes, step = plain_step(job) if job.way == "plain" else engine_step(job)
    _wait(job.device)
    first = time.perf_counter() - started
    for _ in range(WARM_UP_STEPS):
        step()
    _wait(job.device)
    if on_card:  # one wait at the end, so that the host may run ahead
        seconds = _timed(lambda: [step() for _ in range(job.iterations)], job.device) / job.iterations
    else:
        times = sorted(_timed(step, job.device) for _ in range(job.iterations))
        seconds = times[len(times) // 2]
    peak = (
        torch.cuda.max_memory_reserved()
        if on_card
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    )
    return {
        "seconds": seconds,
        "planes": planes,
        "timed": job.iterations,
        "first_seconds": first,
        "memory_gib": peak / 2**30,
        "threads": torch.get_num_threads(),
    }


def _timed(call: Callable[[], object], device: str) -> float:
    started = time.perf_counter()
    call()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def noisy_plane() -> torch.Tensor:
    """Return something to fit; what does not matter for the time."""
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(1))


def plain_step(job: Timing) -> tuple[int, Step]:
    """Make the first step of the loop that everybody writes, and return the step."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = job.precision == "tf32"
    torch.backends.cudnn.benchmark = True
    generator = torch.Generator().manual_seed(0)
    start = initial_parameters(Architecture.of(job.config), generator)
    parameters = [p.to(job.device).requires_grad_() for p in start]
    z = (torch.rand(1, INPUT_CHANNELS, *SHAPE, generator=generator) * 0.1).to(job.device)
    adam = torch.optim.Adam(parameters, lr=0.01)
    target = noisy_plane()[None, None].to(job.device)

    def step() -> None:
        adam.zero_grad()
        loss = torch.nn.functional.mse_loss(forward(z, parameters, Architecture.of(job.config)), target)
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()

    step()
    return 1, step


def standard(config: DipConfig, precision: str) -> SettledFit:
    """Return what the preset ``standard`` makes of a configuration at 512x512."""
    return settle(config, preset_recipe("standard", precision=precision), SHAPE)


def engine_step(job: Timing) -> tuple[int, Step]:
    """Make the first steps of this engine, and return how many planes take turns and the step of all."""
    more = job.iterations + 100  # than are made
    kind = NetworkKind(replace(standard(job.config, job.precision), steps=0), SHAPE, job.device)
    image = noisy_plane().numpy()
    running: list[tuple[Slot, Generator[int, None, Fit]]] = []

    def begin() -> None:
        slot = Slot.on(kind)
        running.append((slot, slot.turns(TileJob(Tile(image), len(running)), more)))
        with slot.turn():
            next(running[-1][1])

    begin()
    if job.way == "many" and job.device != "cpu":
        free, total = torch.cuda.mem_get_info()
        most = 1 + room_for(torch.cuda.memory_reserved(), free, total)
        for _ in range((job.planes or min(MOST_AT_ONCE, most)) - 1):
            begin()

    def step() -> None:
        for slot, steps in running:
            with slot.turn():
                next(steps)

    return len(running), step


def profile(job: Timing) -> dict[str, float]:
    """Return which part of the time of a step each kind of operation takes."""
    os.environ[SWITCH] = "0"  # inside a graph operations have no names
    _, step = engine_step(job)
    for _ in range(WARM_UP_STEPS):
        step()
    kind = torch.profiler.ProfilerActivity
    with torch.profiler.profile(
        activities=[kind.CPU] if job.device == "cpu" else [kind.CPU, kind.CUDA]
    ) as found:
        for _ in range(WARM_UP_STEPS):
            step()
        _wait(job.device)
    taken: dict[str, float] = {}
    for event in found.key_averages():
        seconds = event.self_cpu_time_total if job.device == "cpu" else event.self_device_time_total
        if not event.key.startswith("cuda"):  # calls of the driver
            part = _part(event.key)
            taken[part] = taken.get(part, 0.0) + seconds
    whole = sum(taken.values())
    return {part: seconds / whole for part, seconds in sorted(taken.items(), key=lambda one: -one[1])}


def _part(operation: str) -> str:
    for part, signs in PARTS.items():
        if any(sign in operation.lower() for sign in signs):
            return part
    return "additions, multiplications and the rest"


def fit_pair(job: Pair) -> dict[str, Any]:
    """Fit a capture to the end and compare with the clean image."""
    noisy, clean = read(Path(job.field), "raw_1"), read(Path(job.field), "gt")
    crop = busiest_crop(clean.astype(np.float64), job.crop)
    noisy, clean = noisy[crop], clean[crop]
    preset = "reference" if job.way == "plain" else "standard"
    recipe = preset_recipe(preset, seed=job.seed, precision=job.precision)
    recipe = replace(recipe, mixed=False, filters=False, optics=0.0)  # which need more than torch and numpy
    found = denoise_plane(noisy, FitJob(job.config, recipe, job.device), (0, 0, 0, 0))
    return {
        "psnr": psnr(found.plane, clean, noisy),
        "noisy": psnr(noisy, clean, noisy),
        "iterations": found.iterations,
        "seconds": found.seconds,
        "shape": list(noisy.shape),
    }


def read(folder: Path, name: str) -> Plane:
    """Read one image of a field: ``.npy``, or where the readers are installed ``.png`` and ``.tif``."""
    array = folder / f"{name}.npy"
    if array.exists():
        plane: Plane = np.load(array)
        return plane
    from autodip_zarr.stores import read_image  # noqa: PLC0415 - not there beside torch and numpy alone

    (path,) = [*folder.glob(f"{name}.png"), *folder.glob(f"{name}.tif")]
    return read_image(str(path))


def device_limits(device: str) -> dict[str, float]:
    """Measure the rate of one core, or of the card: matrix products by type, and copying in memory."""
    torch.set_num_threads(1)
    side, length = (2048, 2**25) if device == "cpu" else (8192, 2**29)
    found: dict[str, float] = {}
    for label in ("float32", "bfloat16") if device == "cpu" else ("float32", "tf32", "bfloat16"):
        torch.backends.cuda.matmul.allow_tf32 = label == "tf32"
        a = torch.rand(side, side, device=device).to(torch.bfloat16 if label == "bfloat16" else torch.float32)
        found[label] = 2 * side**3 / best(lambda a=a: a @ a, device)  # type: ignore[misc]
    block, other = torch.rand(2, length, device=device)
    found["bytes"] = 2 * block.nbytes / best(lambda: other.copy_(block), device)
    return found


def best(call: Callable[[], object], device: str, times: int = 5) -> float:
    """Return the least wall time of a call, in seconds."""
    _timed(call, device)
    return min(_timed(call, device) for _ in range(times))
