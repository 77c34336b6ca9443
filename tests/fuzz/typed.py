"""Readers of what people type or keep in small files: options, tables, locks, recipes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from autodip_zarr.calibration.table import parse_table
from autodip_zarr.metadata import ImagePlace, Terms, load_vocabulary, read_mapping, read_patterns
from autodip_zarr.provenance import differences, public_uri
from autodip_zarr.run.locks.locking import parse_holder
from autodip_zarr.run.sources.crops import parse_crop
from autodip_zarr.run.sources.selection import (
    check_selection,
    choose_channels,
    choose_indices,
    is_chosen_place,
)
from autodip_zarr.stores.access.messages import error_message
from autodip_zarr.stores.access.uris import has_parent, is_remote, is_zip, local_path, safe_key, split_uri

ROOT = Path(__file__).resolve().parents[2]
VOCABULARY = load_vocabulary()


MAPPINGS = [
    "source,channel,microscope,specimen\na.tif,0,confocal,actin\n**/b/*,*,-,nucleus\n",
    "path;series;well;field;channel;organism\n[ab]?.zarr;1;A01;0:3;DAPI;human\n",
    "source\tspecimen\n[=]x\tmito\n",
]
PATTERNS = [
    "[[pattern]]\nexpression = '(?P<microscope>Confocal|WideField)_(?P<specimen>DAPI)'\nchannel = 0\n",
    "[[pattern]]\nexpression = 'x(?P<organism>.*)y'\n[[pattern]]\nexpression = '(?P<specimen>a+)'\n",
]
VOCABULARIES = [
    '[[microscope]]\nterm = "lattice"\nname = "Lattice"\nsynonyms = ["lattice light sheet"]\n'
    'fbbi = ["00000369"]\n',
    '[[specimen]]\nterm = "septin"\nexact = ["sept"]\n[keys]\nmicroscope = ["how"]\n',
]
CLUSTERS = [
    'kind = "slurm"\ncores = 4\nmemory = "16 GB"\nwalltime = "1:00:00"\njobs = 3\nmodules = ["a"]\n'
    'directives = ["--gres=gpu:1"]\n[environment]\nA = "b"\n',
    'kind = "cuda"\ncards = [0, 1]\nmemory = "8GiB"\n',
]


def parse_a_mapping(content: str) -> None:
    mapping = read_mapping(content, "--mapping m.csv", Terms(VOCABULARY))
    place = ImagePlace(("b/x.zarr", "a.tif", "/data/b/x.zarr"), 1, None)
    mapping.of_image(place)


def parse_patterns(content: str) -> None:
    for pattern in read_patterns(content, "--patterns p.toml"):
        list(pattern.clues("a/Confocal_DAPI.tif", 0))


def parse_a_file(read: Callable[[str], object]) -> Callable[[str], None]:
    def write_and_read(content: str) -> None:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "x.toml"
            path.write_bytes(content.encode("utf-8", "surrogatepass"))
            read(str(path))

    return write_and_read


def parse_a_table(content: str) -> None:
    parse_table(content.encode("utf-8", "surrogatepass"), "t.json")


@cache
def tables() -> list[Any]:
    table = json.loads((ROOT / "calibration" / "published.json").read_text())
    return [{**table, "entries": [one for one in table["entries"] if not one["group"]][:2]}]


def parse_a_selection(content: str) -> None:
    from autodip_zarr.domain import FieldOfPlate

    choose_channels(content, ["DAPI", None, "x"])
    for place in (FieldOfPlate("A", "01", "0", None), FieldOfPlate("B", "2", "fov\u0663", 1), None):
        is_chosen_place(place, content, content)
    check_selection(content, content)
    choose_indices(content, 7, "--z")


def parse_a_crop(content: str) -> None:
    parse_crop(content, (100, 100))


def parse_an_address(content: str) -> None:
    for function in (public_uri, is_remote, is_zip, split_uri, has_parent, local_path):
        function(content)
    error_message(ValueError(content))
    safe_key(content, "here")


def compare_recipes(pair: Any) -> None:
    old, new = pair if isinstance(pair, list) and len(pair) == 2 else (pair, {})
    if isinstance(old, dict) and isinstance(new, dict):
        differences(old, new, software=True)


LOCK = {"host": "a", "pid": 12, "started": "2026-01-01T00:00:00", "beat": "2026-01-01T00:00:10"}

RECIPE = {
    "source": {"uri": "s3://b/x.zarr", "series": None, "checksum": "sha256:0"},
    "channels": [{"index": 0, "evidence": [{"field": "microscope"}], "config": {"depth": 4, "width": "asc"}}],
    "t": [0], "z": [0, 1], "seed": 0, "software": {"torch": "2.13"},
}  # fmt: skip


def parse_a_lock(content: str) -> None:
    str(parse_holder(content.encode("utf-8", "surrogatepass")))
