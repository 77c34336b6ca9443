"""What stands in a result decides nothing before its form is checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autodip_zarr.stores.sample import write_sample_zarr

from ..samples import make_sample
from .results import Run, statuses


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("layout", "block"), [0, 1]),
        (("layout", "block"), ["../../x", 1]),
        (("layout", "block"), [True, 1]),
        (("layout", "block"), {"t": 1, "z": 1}),
        (("layout", "chunk"), [1, 1, 1, 24]),
        (("layout", "chunk"), [1, 1, 1, 24, -32]),
        (("layout", "shard"), ["1", "1", "1", "24", "32"]),
        (("layout",), "block"),
        ((), ["run"]),
    ],
)
def test_a_layout_that_has_not_its_form_is_an_error_and_no_crash(
    tmp_path: Path, run: Run, where: tuple[str, ...], value: object
) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x"), "0.5")
    assert run(tmp_path / "x.zarr", "--output", tmp_path / "out").exit_code == 0
    path = tmp_path / "out/x.zarr/zarr.json"
    document = json.loads(path.read_text())
    document["attributes"]["autodip"]["status"] = "running"
    inner = document["attributes"]["autodip"]
    *way, last = ("run", *where)
    for name in way:
        inner = inner[name]
    inner[last] = value
    path.write_text(json.dumps(document))
    result = run(tmp_path / "x.zarr", "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert statuses(result) == ["failed"]
    assert "does not say how the result is cut" in result.stderr
