"""Install with the lowest versions that pyproject.toml allows, and the newest, and run a part of the tests.

One environment for each Python that is found, in a folder that is kept, since torch takes gigabytes there.
Which versions these are, of those with wheels, is uv's to say (``--resolution``). torch is always the
one of constraints.txt, since others bring gigabytes; torchvision is left out, since nothing imports it.

    python tests/versions/legs.py [--folder build/legs] [--pythons 3.11 3.12 3.13] [--kinds lowest newest]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PYTHONS: Final = ("3.11", "3.12", "3.13")
RESOLUTIONS: Final = {"lowest": "lowest-direct", "newest": "highest"}
OF_TORCH: Final = re.compile(r"(torch|torchvision|triton|nvidia|cuda)\b")
TESTS: Final = (
    "tests/stores",
    "tests/metadata",
    "tests/calibration",
    "tests/metrics",
    "tests/dip/test_fit.py",
    "tests/dip/test_planes.py",
    "tests/run/test_in_process.py",
    "tests/run/test_denoise.py",
    "tests/run/test_arrays.py",
    "tests/test_cli.py",
    "tests/test_evaluate.py",
    "tests/test_report.py",
)
"""Every dependency is used by one of these, and every kind of store and command."""


def offer_all_of_pyenv() -> None:
    """Have pyenv start each of the interpreters that it has, where there is pyenv."""
    if shutil.which("pyenv") is not None:
        found = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True, check=False)
        os.environ["PYENV_VERSION"] = ":".join(found.stdout.split())


def is_there(python: str) -> bool:
    """Say whether an interpreter starts."""
    try:
        return subprocess.run([f"python{python}", "-V"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def pinned(names: Collection[str]) -> list[str]:
    """Return the lines of constraints.txt about some packages."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line.partition("==")[0] in names]


def test_tools() -> set[str]:
    """Return the packages that the tests alone need, of which old versions are of no interest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {re.split(r"[\[>=]", one)[0] for one in project["optional-dependencies"]["test"]}


def versions(uv: Path, python: str, kind: str) -> str:
    """Return what is to be installed beside torch, one ``name==version`` a line."""
    command: list[str | Path] = [
        uv,
        "pip",
        "compile",
        "--quiet",
        "--only-binary",
        ":all:",
        "--no-annotate",
        "--no-header",
        "--extra",
        "test",
    ]
    command += ["--resolution", RESOLUTIONS[kind], "--python", f"python{python}", "--constraint", "-"]
    command.append(ROOT / "pyproject.toml")
    fixed = "\n".join(pinned({"torch", *test_tools()} if kind == "lowest" else {"torch"}))
    found = subprocess.run(command, input=fixed, capture_output=True, text=True, check=False, cwd=ROOT)
    if found.returncode:
        sys.exit(f"python{python}, {kind}: {found.stderr}")
    return "\n".join(line for line in found.stdout.splitlines() if not OF_TORCH.match(line)) + "\n"


def install(uv: Path, python: str, kind: str, folder: Path) -> Path:
    """Return the interpreter of an environment in which the package is installed."""
    place = folder / python
    interpreter, asked = place / "bin" / "python", folder / f"{python}-{kind}.txt"
    asked.write_text(versions(uv, python, kind))
    pip: list[str | Path] = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if not interpreter.exists():
        subprocess.run([f"python{python}", "-m", "venv", place], check=True)
        subprocess.run([*pip, *pinned({"torch"})], check=True)
    subprocess.run([*pip, "--no-deps", "-r", asked, "-e", ROOT], check=True)
    return interpreter


def own_uv(folder: Path) -> Path:
    """Return uv, in an environment of its own."""
    place = folder / "uv"
    if not (place / "bin" / "uv").exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([place / "bin" / "python", "-m", "pip", "install", "--quiet", "uv"], check=True)
    return place / "bin" / "uv"


def main() -> None:
    """Install and test each, and say which failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "legs")
    parser.add_argument("--pythons", nargs="*", default=PYTHONS)
    parser.add_argument("--kinds", nargs="*", default=list(RESOLUTIONS), choices=list(RESOLUTIONS))
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    offer_all_of_pyenv()
    uv = own_uv(folder)
    failed = []
    for python in chosen.pythons:
        if not is_there(python):
            print(f"python{python}: not found here, left out")
            continue
        for kind in chosen.kinds:
            interpreter = install(uv, python, kind, folder)
            tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not soak", "-n", "2", *TESTS]
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            ran = subprocess.run([interpreter, *tests], check=False, cwd=ROOT, env=environment)
            print(f"python{python}, {kind}: {'failed' if ran.returncode else 'passed'}", flush=True)
            if ran.returncode:
                failed.append(f"python{python}, {kind}")
    if failed:
        sys.exit(f"failed: {'; '.join(failed)}")


if __name__ == "__main__":
    main()
