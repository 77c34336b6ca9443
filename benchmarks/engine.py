"""Compare this engine with a plain loop on the nine published configurations; needs torch and numpy alone.

Every measurement runs in a process of its own, the three ways of one configuration after one another:

plain : the network to the letter, eager float32, contiguous, one plane at a time, torch's default threads
one   : this engine, one plane, one thread
many  : this engine, as many planes at once as there are cores, one thread each

Usage: python benchmarks/engine.py [--only 4/32/4 ...] [--iterations 20] [--seconds 60] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from autodip_zarr.dip import fit, network
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.domain import DipConfig, Width

SIDE_PX = 512
PUBLISHED = {
    "widefield nucleus": DipConfig(8, "asc", 4, 300),
    "widefield actin": DipConfig(8, 32, 4, 500),
    "widefield mito": DipConfig(8, 32, 4, 400),
    "confocal nucleus": DipConfig(4, 32, 4, 1200),
    "confocal actin": DipConfig(6, 256, 4, 1300),
    "confocal mito": DipConfig(5, 128, 4, 1300),
    "twophoton nucleus": DipConfig(8, 512, 4, 1700),
    "twophoton actin": DipConfig(4, 64, 0, 2900),
    "twophoton mito": DipConfig(4, 32, 4, 1400),
}


@dataclass(frozen=True)
class Limits:
    """How long to measure."""

    iterations: int
    """Timed iterations after the warm-up."""
    seconds: float
    """Time after which a measurement ends early, and says so by its number of iterations."""


def name(config: DipConfig) -> str:
    """Return the usual short form of a configuration."""
    return f"{config.depth}/{config.width}/{config.skip}"


def measure(config: DipConfig, way: str, precision: str, limits: Limits) -> dict[str, Any]:
    """Time steps of one fit in this process."""
    started = time.perf_counter()
    step = plain_step(config) if way == "plain" else engine_step(config, precision)
    step()
    first = time.perf_counter() - started
    step()
    times: list[float] = []
    while len(times) < limits.iterations and (not times or sum(times) < limits.seconds):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    times.sort()
    return {
        "seconds": times[len(times) // 2],
        "timed": len(times),
        "first_seconds": first,
        "memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "threads": torch.get_num_threads(),
    }


def noisy_plane() -> torch.Tensor:
    """Return something to fit; what does not matter for the time."""
    return torch.rand(SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(1))


def plain_step(config: DipConfig) -> Callable[[], None]:
    """Return one step of the loop that everybody writes."""
    generator = torch.Generator().manual_seed(0)
    parameters = [p.requires_grad_() for p in network.initial_parameters(config, generator)]
    z = torch.rand(1, network.INPUT_CHANNELS, SIDE_PX, SIDE_PX, generator=generator) * 0.1
    adam = torch.optim.Adam(parameters, lr=0.01)
    target = noisy_plane()[None, None]

    def step() -> None:
        adam.zero_grad()
        loss = torch.nn.functional.mse_loss(network.forward(z, parameters, config), target)
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        loss.item()

    return step


def engine_step(config: DipConfig, precision: str) -> Callable[[], None]:
    """Return one step of this engine, perturbation and averaging included."""
    recipe = preset_recipe("standard", precision=precision)
    prior = fit.prepare(config, recipe, (SIDE_PX, SIDE_PX), 0, "cpu")
    prior.aim(noisy_plane(), None)

    def step() -> None:
        prior.look().item()
        prior.advance()

    return step


def run_in_processes(config: DipConfig, way: str, precision: str, limits: Limits) -> list[dict[str, Any]]:
    """Measure in as many processes at once as the way asks for."""
    job = {"config": asdict(config), "way": way, "precision": precision, "limits": asdict(limits)}
    command = [sys.executable, str(Path(__file__).resolve()), "--job", json.dumps(job)]
    environment = dict(os.environ)
    if way != "plain":
        environment["OMP_NUM_THREADS"] = "1"
    count = len(os.sched_getaffinity(0)) if way == "many" else 1
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(count)
    ]
    return [json.loads(process.communicate()[0]) for process in running]


def summary(config: DipConfig, found: list[dict[str, Any]]) -> dict[str, float]:
    """Return the rate of all processes together."""
    rate = sum(1 / one["seconds"] for one in found)
    return {
        "iterations_per_second": rate,
        "planes_per_hour": 3600 * rate / config.iterations,
        "memory_gib": sum(one["memory_gib"] for one in found),
        "first_seconds": max(one["first_seconds"] for one in found),
        "timed": min(one["timed"] for one in found),
    }


def operations(config: DipConfig) -> tuple[float, float]:
    """Return floating-point operations and activations moved by the convolutions of one step.

    Each convolution is done three times (forward, by input, by weight); each time its input and output are
    touched once.
    """
    sides = [(SIDE_PX >> level) ** 2 for level in range(config.depth + 1)]
    widths = network.level_widths(config)
    inner = network.INPUT_CHANNELS
    total, moved = 0.0, 0.0
    for level, width in enumerate(widths):
        deeper = widths[min(level + 1, config.depth - 1)]
        layers = [
            (inner, width, 9, level, level + 1),
            (width, width, 9, level + 1, level + 1),
            (deeper + config.skip, width, 9, level, level),
            (width, width, 1, level, level),
            (inner, config.skip, 1, level, level),
        ]
        for into, out, kernel, source, sink in layers:
            total += 3 * 2 * into * out * kernel * sides[sink]
            moved += 3 * (into * sides[source] + out * sides[sink])
        inner = width
    return total, moved


def device_limits() -> dict[str, float]:
    """Measure the rate of one core: matrix products by type, and copying from memory."""
    torch.set_num_threads(1)
    found: dict[str, float] = {}
    for label, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a = torch.rand(2048, 2048).to(dtype)
        found[label] = 2 * 2048**3 / best(lambda a=a: a @ a)  # type: ignore[misc]
    block, other = torch.rand(2, 2**25)
    found["bytes"] = 2 * block.nbytes / best(lambda: other.copy_(block))
    return found


def best(call: Callable[[], object], times: int = 5) -> float:
    """Return the least wall time of a call, in seconds."""
    call()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return min(taken)


def compare(label: str, config: DipConfig, precision: str, limits: Limits) -> dict[str, Any]:
    """Measure the three ways and print one block."""
    ways = {
        way: summary(config, run_in_processes(config, way, precision, limits))
        for way in ("plain", "one", "many")
    }
    print(f"{label}: {name(config)}, {config.iterations} iterations")
    for way, one in ways.items():
        print(
            f"  {way:6s} {one['iterations_per_second']:8.3f} it/s {one['planes_per_hour']:9.2f} planes/h"
            f"  {one['memory_gib']:5.2f} GiB  first step {one['first_seconds']:5.2f} s"
            f"  ({one['timed']:.0f} timed)  x{ratio(one, ways['plain']):.2f}"
        )
    sys.stdout.flush()
    return {"label": label, "config": asdict(config), "precision": precision, "ways": ways}


def ratio(one: dict[str, float], other: dict[str, float]) -> float:
    """Return how many times faster the one is."""
    return one["iterations_per_second"] / other["iterations_per_second"]


def print_limits(found: list[dict[str, Any]], limits: dict[str, float]) -> None:
    """Print how near one engine process comes to what the core can do."""
    print(
        f"one core: {limits['float32'] / 1e9:.0f} GFLOP/s float32, {limits['bfloat16'] / 1e9:.0f} bfloat16,"
        f" {limits['bytes'] / 1e9:.1f} GB/s copied"
    )
    for one in found:
        width: Width = one["config"]["width"]
        config = DipConfig(one["config"]["depth"], width, one["config"]["skip"], 1)
        flops, moved = operations(config)
        item = 2 if one["precision"] == "bfloat16" else 4
        rate = one["ways"]["one"]["iterations_per_second"]
        print(
            f"  {name(config):8s} {rate * flops / limits[one['precision']]:5.0%} of the rate of products,"
            f" {rate * moved * item / limits['bytes']:5.0%} of the bandwidth, counting convolutions alone"
        )


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", help="configurations, for example 4/32/4 8/asc/4")
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0, help="most for each measurement")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        job = json.loads(options.job)
        if job["way"] != "plain":
            torch.set_num_threads(1)
        config, limits = DipConfig(**job["config"]), Limits(**job["limits"])
        print(json.dumps(measure(config, job["way"], job["precision"], limits)))
        return
    print(f"torch {torch.__version__}, {len(os.sched_getaffinity(0))} cores, {SIDE_PX}x{SIDE_PX} pixels")
    chosen = {
        label: config
        for label, config in PUBLISHED.items()
        if not options.only or name(config) in options.only
    }
    limits = Limits(options.iterations, options.seconds)
    found = [compare(label, config, options.precision, limits) for label, config in chosen.items()]
    core = device_limits()
    print_limits(found, core)
    if options.json:
        options.json.write_text(json.dumps({"configurations": found, "core": core}, indent=1) + "\n")


if __name__ == "__main__":
    main()
