"""The same results before and after: digests of what small inputs of every kind come to.

A stack, a plate that is written back to, a bucket, several presets and the demonstration are denoised through
the command line with short fits; then one digest is printed for every file of every result, without what says
when, where and how fast it was made. Run it in two checkouts on one machine, and compare what is printed:

    python -m benchmarks.same_results FOLDER > before.txt

``FOLDER`` is new or empty. Results depend on the processor and on the versions of torch and numpy, too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import s3fs
import zarr

from autodip_zarr.stores.sample import write_sample_tiff, write_sample_zarr
from tests.remote.servers import BUCKET, KEY, SECRET, s3_server
from tests.samples import make_sample, write_archive
from tests.stores.builders import write_plate

_VARIES = re.compile(
    r"(seconds|modified|[a-z]Time$|started|finished|created|date|time$|host|machine|pid|token|software|version|memory|workers"
    r"|device|instrument$|mtime|size_bytes|run_id|sha256|crc|address)"
)
"""Names of fields that say when, where and how fast."""
_PLACES = re.compile(r"(file://)?/[^\s\"']*?/(in|out|demo)\b")
_SECONDS_COLUMN = 3
_RUNS = {
    "archive": ("archive", ""),
    "reference": ("archive", "--preset reference --zarr-format 0.4"),
    "stopped": ("archive", "--stop auto --seed 3"),
    "best": ("tiles", "--preset best --uncertainty --tile 64 --halo 16"),
    "stack": ("stack", "--sequence z --both-ways --dtype float32"),
}
"""Which input is denoised with which options."""


def write_table(path: Path) -> str:
    """Write the published table with narrow networks and six steps."""
    document = json.loads(Path("calibration/published.json").read_text())
    for entry in document["entries"]:
        narrow = entry["width"] if entry["width"] == "asc" else min(entry["width"], 16)
        entry |= {"width": narrow, "depth": min(entry["depth"], 5), "iterations": 6}
    path.write_text(json.dumps(document))
    return str(path)


def write_inputs(folder: Path) -> None:
    """Write images of every kind."""
    write_archive(folder / "archive")
    write_plate(folder / "plate.zarr", 3)
    write_sample_tiff(folder / "stack" / "deep.ome.tif", make_sample("deep", (1, 1, 5, 40, 56)))
    write_sample_zarr(folder / "tiles" / "wide.zarr", make_sample("wide", (1, 2, 1, 150, 90)), "0.4")


def upload(folder: Path, bucket: str) -> None:
    """Copy a folder into a bucket."""
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    files.mkdir(bucket)
    files.put(str(folder), f"{bucket}/in", recursive=True)


def download(bucket: str, folder: Path) -> None:
    """Copy the results out of a bucket."""
    s3fs.S3FileSystem(skip_instance_cache=True).get(f"{bucket}/out", str(folder), recursive=True)


def run(name: str, *arguments: str) -> None:
    """Run a command, and print its exit code and a digest of its JSON."""
    ran = subprocess.run(
        [sys.executable, "-m", "autodip_zarr", *arguments], capture_output=True, text=True, check=False
    )
    said = _settled(json.loads(ran.stdout)) if ran.stdout.startswith("{") else ""
    print(name, ran.returncode, _digest(json.dumps(said, sort_keys=True).encode()), flush=True)
    if ran.returncode:
        print(ran.stderr[-2000:], file=sys.stderr)


def digests(folder: Path) -> None:
    """Print a digest of every file below a folder."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder.parent).as_posix()
        if not path.is_file() or "/autodip/record/" in name or "/autodip/checksums" in name:
            continue
        data = path.read_bytes()
        if path.name in ("zarr.json", ".zattrs") or path.suffix == ".json":
            data = json.dumps(_settled(json.loads(data)), sort_keys=True).encode()
        print(name, _digest(data))
    for record in sorted(folder.rglob("autodip/record")):
        rows = np.asarray(zarr.open_array(record, mode="r")[:])
        rows[..., _SECONDS_COLUMN] = 0
        print(record.relative_to(folder.parent).as_posix(), _digest(rows.tobytes()))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _settled(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        kept = {_PLACES.sub("", key): _settled(v) for key, v in value.items() if not _VARIES.search(key)}
        return dict(sorted(kept.items()))
    if isinstance(value, list):
        return sorted((_settled(one) for one in value), key=str)  # images end in any order
    return _PLACES.sub("", value) if isinstance(value, str) else value


def main() -> None:
    """Write inputs, run every command, print digests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        sys.exit(f"{folder} is not empty: what is there would be taken for an earlier run")
    table = write_table(folder / "table.json")
    write_inputs(folder / "in")
    fixed = ("--table", table, "--json", "--workers", "1")
    source = {path.name: str(path) for path in (folder / "in").iterdir()}
    out = folder / "out"
    run("inspect", "inspect", str(folder / "in"), "--json")
    run("plan", "plan", str(folder / "in"), "--json", "--table", table, "--output", str(out / "none"))
    for name, (kind, options) in _RUNS.items():
        run(name, "denoise", source[kind], "--output", str(out / name), *options.split(), *fixed)
    run("plate", "denoise", source["plate.zarr"], "--write-back", *fixed)
    run("verify", "verify", str(out), "--json")
    run("demo", "demo", "--output", str(folder / "demo"), "--table", table)
    (folder / "s3").mkdir(exist_ok=True)
    with s3_server(folder / "s3") as address:
        os.environ |= {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL": address}
        os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
        upload(folder / "in" / "archive", BUCKET)
        run("bucket", "denoise", f"s3://{BUCKET}/in", "--output", f"s3://{BUCKET}/out", *fixed)
        download(BUCKET, out / "bucket")
    for made in (out, folder / "in" / "plate.zarr", folder / "demo" / "denoised"):
        digests(made)


if __name__ == "__main__":
    main()
