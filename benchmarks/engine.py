"""Compare this engine with a plain loop on the nine published configurations; needs torch and numpy alone.

Speed, on planes of 512x512 pixels, every measurement in a process of its own:

plain : the network to the letter, eager, contiguous, one plane at a time, Adam; on a CPU float32 with
        torch's default threads, on a card float32 and again with TF32
one   : this engine, the preset ``standard``, one plane; on a CPU with one thread
many  : this engine, as many planes at once as there are cores, or as the card takes

Quality (``--psnr FOLDER``): fits of real captures to the end, the published protocol beside ``standard``,
three seeds; on a CPU the configurations of at most 64 channels and ``asc``, on a card the others, too, with
one seed. The folder is laid out as ``<set>/<field>/raw_1`` and ``gt``, in .npy, or in .png and .tif where the
program is installed with all it needs; ``benchmarks/npy_images.py`` makes the first of the second.

With ``--json FILE`` each measurement is kept as it comes, and the same command goes on with what is missing.

Usage: python benchmarks/engine.py [--only 4/32/4 ...] [--json FILE] [--psnr FOLDER --crop 256]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

if not __package__:  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from autodip_zarr.dip.architecture import Architecture
from autodip_zarr.domain import DipConfig
from benchmarks.engine_work import (
    SIDE_PX,
    Pair,
    Timing,
    device_limits,
    fit_pair,
    measure,
    profile,
    standard,
)


@dataclass(frozen=True)
class Published:
    """One published configuration, and the capture on which its quality is shown."""

    config: DipConfig
    """The optimum of the group."""
    image: str
    """Set of the Fluorescence Microscopy Denoising dataset."""
    kinship: str
    """How near the capture is to the group."""


_SAME = "the group itself"
_MICROSCOPE = "the same microscope, another specimen"
PUBLISHED = {
    "widefield nucleus": Published(DipConfig(8, "asc", 4, 300), "WideField_BPAE_B", _SAME),
    "widefield actin": Published(DipConfig(8, 32, 4, 500), "WideField_BPAE_B", _MICROSCOPE),
    "widefield mito": Published(DipConfig(8, 32, 4, 400), "WideField_BPAE_B", _MICROSCOPE),
    "confocal nucleus": Published(DipConfig(4, 32, 4, 1200), "Confocal_BPAE_B", _SAME),
    "confocal actin": Published(DipConfig(6, 256, 4, 1300), "Confocal_BPAE_G", _SAME),
    "confocal mito": Published(DipConfig(5, 128, 4, 1300), "Confocal_BPAE_R", _SAME),
    "twophoton nucleus": Published(DipConfig(8, 512, 4, 1700), "TwoPhoton_MICE", _MICROSCOPE),
    "twophoton actin": Published(DipConfig(4, 64, 0, 2900), "TwoPhoton_BPAE_R", _MICROSCOPE),
    "twophoton mito": Published(DipConfig(4, 32, 4, 1400), "TwoPhoton_BPAE_R", _SAME),
}
WIDE = 128
SEEDS = 3
_JOBS: dict[str, tuple[type[Timing | Pair], Callable[[Any], dict[str, Any]]]] = {
    "time": (Timing, measure),
    "profile": (Timing, profile),
    "pair": (Pair, fit_pair),
}


def name(config: DipConfig) -> str:
    """Return the usual short form of an architecture."""
    return f"{config.depth}/{config.width}/{config.skip}"


@dataclass
class Results:
    """What has been measured on one device, kept in a file."""

    machine: dict[str, Any]
    file: Path | None
    found: dict[str, Any] = field(default_factory=dict)
    """By the key of each measurement."""

    @classmethod
    def load(cls, machine: dict[str, Any], file: Path | None) -> Results:
        """Go on with what is in the file; refuse that of another machine."""
        if file is None or not file.exists():
            return cls(machine, file)
        kept = json.loads(file.read_text())
        if kept["machine"] != machine:
            raise SystemExit(
                f"{file} was measured on {kept['machine']}, this is {machine}: name another file"
            )
        return cls(machine, file, kept["found"])

    def add(self, key: str, value: dict[str, Any]) -> None:
        """Keep one measurement."""
        self.found[key] = value | {"date": time.strftime("%Y-%m-%d")}
        print(f"# {key}: {json.dumps(value)}", file=sys.stderr, flush=True)
        if self.file is not None:
            text = json.dumps({"machine": self.machine, "found": self.found}, indent=1)
            partial = self.file.with_suffix(".part")
            partial.write_text(text + "\n")
            partial.replace(self.file)


def machine_at(device: str) -> dict[str, Any]:
    """Describe what is measured on."""
    if device != "cpu":
        return {"torch": torch.__version__, "device": torch.cuda.get_device_name(device)}
    return {"torch": torch.__version__, "device": "cpu", "cores": len(os.sched_getaffinity(0))}


def in_process(kind: str, job: Timing | Pair, threads: int | None) -> subprocess.Popen[str]:
    """Start a measurement in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--job", json.dumps([kind, asdict(job)])]
    environment = dict(os.environ)
    environment.pop("OMP_NUM_THREADS", None)
    if threads:
        environment["OMP_NUM_THREADS"] = str(threads)
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def result_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a measurement; what failed is a result, too."""
    text = process.communicate()[0]
    if process.returncode:
        return {"failed": f"exit code {process.returncode}"}
    found: dict[str, Any] = json.loads(text.splitlines()[-1])
    return found


def run_job(text: str) -> None:
    """Do what :func:`in_process` asked for."""
    kind, values = json.loads(text)
    holder, function = _JOBS[kind]
    job = holder(**values | {"config": DipConfig(**values["config"])})
    print(json.dumps(function(job)))


def time_all(results: Results, options: argparse.Namespace) -> None:
    """Measure the speed of every architecture that is missing."""
    on_card = options.device != "cpu"
    plain = ("float32", "tf32") if on_card else ("float32",)
    ways = [
        *(("plain", precision) for precision in plain),
        ("one", options.precision),
        ("many", options.precision),
    ]
    for config in {name(one.config): one.config for one in chosen(options).values()}.values():
        for way, precision in [*ways, ("profile", options.precision)]:
            key = f"{name(config)} {way} {precision}"
            if key in results.found:
                continue
            job = Timing(config, way, options.device, precision, options.iterations, options.planes)
            count = len(os.sched_getaffinity(0)) if way == "many" and not on_card else 1
            threads = None if way == "plain" else 1
            kind = "profile" if way == "profile" else "time"
            found = [result_of(one) for one in [in_process(kind, job, threads) for _ in range(count)]]
            results.add(key, found[0] if way == "profile" else together(found))
        print_speed(results, config, options)
    if "limits" not in results.found:
        results.add("limits", device_limits(options.device))


def together(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the rate of all processes together."""
    failed = [one for one in found if "failed" in one]
    if failed:
        return failed[0]
    return {
        "iterations_per_second": sum(one["planes"] / one["seconds"] for one in found),
        "planes": sum(one["planes"] for one in found),
        "memory_gib": sum(one["memory_gib"] for one in found),
        "first_seconds": max(one["first_seconds"] for one in found),
        "timed": min(one["timed"] for one in found),
        "threads": found[0]["threads"],
    }


def fit_all(results: Results, options: argparse.Namespace) -> None:
    """Fit what is missing to the end, on a CPU one process a core."""
    on_card = options.device != "cpu"

    def run(task: tuple[str, Pair]) -> tuple[str, dict[str, Any]]:
        key, job = task
        return key, result_of(in_process("pair", job, 1))

    missing = [task for task in pairs(options) if task[0] not in results.found]
    with ThreadPoolExecutor(1 if on_card else len(os.sched_getaffinity(0))) as workers:
        for key, value in workers.map(run, missing):
            results.add(key, value)


def pairs(options: argparse.Namespace) -> Iterator[tuple[str, Pair]]:
    """Yield all fits that the device allows, with their keys, the cheapest first."""
    on_card = options.device != "cpu"
    for label, one in sorted(
        chosen(options).items(), key=lambda item: operations(item[1].config)[0] * item[1].config.iterations
    ):
        if not on_card and is_wide(one.config):
            continue
        path = next(path for path in sorted((options.psnr / one.image).iterdir()) if path.is_dir())
        for seed in range(1 if is_wide(one.config) else SEEDS):
            for way in ("plain", "engine"):
                job = Pair(one.config, way, options.device, options.precision, seed, str(path), options.crop)
                yield pair_key(label, way, seed, options.crop), job


def pair_key(label: str, way: str, seed: int, crop: int) -> str:
    """Return under which key a fit is kept."""
    return f"{label} {way} seed {seed} crop {crop}"


def is_wide(config: DipConfig) -> bool:
    """Say whether a configuration takes hours on a CPU."""
    return config.width != "asc" and config.width >= WIDE


def chosen(options: argparse.Namespace) -> Mapping[str, Published]:
    """Return the configurations that were asked for."""
    wanted = options.only
    return {label: one for label, one in PUBLISHED.items() if not wanted or name(one.config) in wanted}


def operations(config: DipConfig) -> tuple[float, float]:
    """Return floating-point operations and activations moved by the convolutions of one step.

    Each convolution is done three times (forward, by input, by weight); each time its input and output are
    touched once.
    """
    sides = [(SIDE_PX >> level) ** 2 for level in range(config.depth + 1)]
    total, moved = 0.0, 0.0
    for one in Architecture.of(config).convolutions():
        if one.is_last:
            continue
        source = one.level + 1 - one.stride  # a stride of 2 reads the level above
        total += 3 * 2 * one.inputs * one.outputs * one.kernel**2 * sides[one.level]
        moved += 3 * (one.inputs * sides[source] + one.outputs * sides[one.level])
    return total, moved


def print_speed(results: Results, config: DipConfig, options: argparse.Namespace) -> None:
    """Print the measurements of one architecture, with planes per hour for each group that uses it."""
    short = name(config)
    found = {
        key.removeprefix(f"{short} "): value
        for key, value in results.found.items()
        if key.startswith(f"{short} ")
    }
    timed = {way: one for way, one in found.items() if not way.startswith("profile")}
    groups = {label: one.config for label, one in PUBLISHED.items() if name(one.config) == short}
    print(f"{short}: " + ", ".join(f"{label} {one.iterations}" for label, one in groups.items()))
    slowest = timed.get("plain tf32", timed.get("plain float32", {})).get("iterations_per_second")
    for way, one in timed.items():
        if "failed" in one:
            print(f"  {way:15s} failed: {one['failed']}")
            continue
        rate = one["iterations_per_second"]
        times = f"x{rate / slowest:.2f}" if slowest else ""
        print(
            f"  {way:15s} {one['planes']:3d} at once {rate:9.3f} it/s {times:6s} {one['memory_gib']:6.2f} GiB"
            f"  first step {one['first_seconds']:6.2f} s  ({one['timed']} timed)"
        )
        for label, published in groups.items():
            steps, starts = published.iterations, 1
            if not way.startswith("plain"):
                fit = standard(published, options.precision)
                steps, starts = fit.steps, fit.starts
            hourly = 3600 * rate / (steps * starts)
            against = 3600 * slowest / published.iterations if slowest else None
            ratio = f"x{hourly / against:.2f}" if against else ""
            print(f"{'':18s} {label}: {starts} x {steps} iterations, {hourly:.2f} planes/h {ratio}")
    sys.stdout.flush()


def print_limits(results: Results, options: argparse.Namespace) -> None:
    """Print how near the engine comes to what the device can do, and where the time goes."""
    limits = results.found["limits"]
    on_card = options.device != "cpu"
    rates = ", ".join(
        f"{limits[key] / 1e12:.2f} TFLOP/s {key}" for key in limits if key not in {"bytes", "date"}
    )
    print(f"{'card' if on_card else 'one core'}: {rates}, {limits['bytes'] / 1e9:.1f} GB/s copied")
    for short, config in {name(one.config): one.config for one in chosen(options).values()}.items():
        one = results.found.get(f"{short} {'many' if on_card else 'one'} {options.precision}", {})
        if "iterations_per_second" not in one:
            print(f"  {short:8s} not measured")
            continue
        flops, moved = operations(config)
        item = 2 if options.precision == "bfloat16" else 4
        rate = one["iterations_per_second"]
        parts = results.found.get(f"{short} profile {options.precision}", {})
        shares = {part: share for part, share in parts.items() if isinstance(share, float)}
        print(
            f"  {short:8s} {rate * flops / limits[options.precision]:5.0%} of the rate of products,"
            f" {rate * moved * item / limits['bytes']:5.0%} of the bandwidth, counting convolutions alone;"
            f" time: {', '.join(f'{part} {share:.0%}' for part, share in list(shares.items())[:5])}"
        )


def print_quality(results: Results, options: argparse.Namespace) -> None:
    """Print PSNR of both ways, and what was not fitted."""
    print(f"PSNR on crops of {options.crop} px (whole captures where they are no larger), mean of the seeds:")
    for label, one in chosen(options).items():
        scores: dict[str, list[dict[str, Any]]] = {}
        for way in ("plain", "engine"):
            keys = [pair_key(label, way, seed, options.crop) for seed in range(SEEDS)]
            scores[way] = [results.found[key] for key in keys if "psnr" in results.found.get(key, {})]
        head = f"  {label:18s} {name(one.config):8s} {one.image} ({one.kinship})"
        if not scores["plain"] or not scores["engine"]:
            print(f"{head}: not fitted")
            continue
        means = {way: sum(fit["psnr"] for fit in fits) / len(fits) for way, fits in scores.items()}
        texts = []
        for way, fits in scores.items():
            each = ", ".join(f"{fit['psnr']:.2f}" for fit in fits)
            texts.append(f"{way} {means[way]:.2f} dB ({each}; {fits[0]['iterations']} iterations)")
        gained = means["engine"] - means["plain"]
        print(
            f"{head}: noisy {scores['plain'][0]['noisy']:.2f}, {', '.join(texts)}, difference {gained:+.2f}"
        )


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", help="architectures, for example 4/32/4 8/asc/4")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--iterations", type=int, help="timed after the warm-up; 20 on a CPU, 100 on a card")
    parser.add_argument("--precision", choices=("float32", "tf32", "bfloat16"), default="bfloat16")
    parser.add_argument("--planes", type=int, help="planes at once on a card; default: what the engine takes")
    parser.add_argument("--json", type=Path, help="keep measurements here, and go on with what is missing")
    parser.add_argument("--psnr", type=Path, metavar="FOLDER", help="also fit the captures in this folder")
    parser.add_argument("--crop", type=int, default=SIDE_PX, help="side of the crops of captures, in pixels")
    parser.add_argument("--no-speed", action="store_true", help="fit captures only")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        run_job(options.job)
        return
    options.iterations = options.iterations or (20 if options.device == "cpu" else 100)
    results = Results.load(machine_at(options.device), options.json)
    print(f"{results.machine}, {SIDE_PX}x{SIDE_PX} pixels, engine in {options.precision}", flush=True)
    if not options.no_speed:
        time_all(results, options)
        print_limits(results, options)
    if options.psnr:
        fit_all(results, options)
        print_quality(results, options)


if __name__ == "__main__":
    main()
