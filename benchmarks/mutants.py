"""Change the program in small ways, one at a time, and count which changes the tests notice.

A mutant is one change of one module: a comparison moved or turned round, a condition denied, ``and`` for
``or``, another number, another operator, a statement left out. It is killed when a test fails or takes many
times as long as before; one that survives is no different from the program, or it does what no test looks at.

The tests run in a copy of the working tree, in processes forked from one that has loaded the libraries. They
are the quick ones of the part: what only long tests find counts as survived. The numbers are those of the
sources, the seed and the number asked for.

Usage: python -m benchmarks.mutants PART ... [--most 80] [--seed 0] [--only NUMBER ...]
"""

from __future__ import annotations

import argparse
import importlib
import random
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.mutant_tests import Copy, Part
from benchmarks.mutations import ROOT, mutants

_LIBRARIES: Final = (
    "torch, numpy, pytest, hypothesis.strategies, click.testing, rich.console, xarray, zarr, distributed, "
    "dask_jobqueue, tifffile, scipy.ndimage, scipy.special, scipy.stats, skimage.metrics, ome_types, pydantic"
)

_SLOW: Final = "agree_with_the_reference or fitted_to_the_end or memory_that_runs_out or removes_noise"
_PLANES: Final = "dip/tiles dip/noise dip/sequence dip/planes dip/memory dip/tile_pool"
_TEXTS: Final = "metadata/ome_xml metadata/sources metadata/hostile metadata/corpus metadata/mapping"
_WORDS: Final = "metadata/vocabulary metadata/units metadata/plates metadata/tables"

PARTS: Final = {
    "scheduling/dispatch": Part(("run/scheduling/dispatch.py",), "run/dispatch"),
    "scheduling": Part(("run/scheduling/*.py",), "run/dispatch run/serial run/machine run/cluster_file"),
    "dip": Part(("dip/*.py",), "dip/settled dip/estimate dip/sequence dip/network dip/fit run/budget", _SLOW),
    "dip/planes": Part(("dip/planes/*.py",), _PLANES, _SLOW),
    "dip/fitting": Part(
        ("dip/fitting/[!g]*.py",),
        "dip/losses dip/perturbation dip/stop dip/fit dip/memory dip/tile_pool",
        _SLOW,
    ),
    "dip/network": Part(("dip/network/*.py",), "dip/network dip/fast dip/fit", _SLOW),
    "calibration": Part(("calibration/*.py",), "calibration"),
    "metadata": Part(("metadata/*.py",), f"{_WORDS} {_TEXTS}", "well_formed_is_read"),
    "metadata/documents": Part(("metadata/documents/*.py",), f"{_TEXTS} {_WORDS}", "well_formed_is_read"),
    "metadata/vocabulary": Part(("metadata/vocabulary/*.py",), f"{_WORDS} {_TEXTS}", "well_formed_is_read"),
}


def examine(name: str, most: int, seed: int, only: list[int]) -> None:
    """Run the tests of a part against its mutants, and print what became of them."""
    files = {one for pattern in PARTS[name].sources for one in (ROOT / "autodip_zarr").glob(pattern)}
    every = [one for file in sorted(files) for one in mutants(str(file.relative_to(ROOT)))]
    numbers = only or sorted(random.Random(seed).sample(range(len(every)), min(most, len(every))))
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder), PARTS[name])
        print(f"{name}: {len(every)} mutants, {len(numbers)} of them run", flush=True)
        for number in numbers:
            outcome = copy.outcome(every[number])
            if outcome in {"passed", "not called"}:
                survived += 1
                print(f"  survived ({outcome}): {number} {every[number]}", flush=True)
    print(f"{name}: {len(numbers) - survived} of {len(numbers)} killed", flush=True)


def main() -> None:
    """Read the arguments and examine the parts one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=list(PARTS))
    parser.add_argument("--most", type=int, default=80, help="mutants of a part, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--only", type=int, nargs="+", default=[], help="mutants by their numbers")
    arguments = parser.parse_args()
    for library in _LIBRARIES.split(", "):
        importlib.import_module(library)
    for name in arguments.parts:
        examine(name, arguments.most, arguments.seed, arguments.only)


if __name__ == "__main__":
    main()
