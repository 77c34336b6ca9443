"""Results in a bucket: checked with few requests, and damage there is found and mended."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.stores.access.place import open_place
from autodip_zarr.stores.sample import write_sample_tiff

from ..run.results import Run, statuses
from ..samples import make_sample
from .conftest import download, upload
from .servers import Proxy

TIMES = 4


@pytest.mark.soak
def test_a_damaged_object_is_found_and_made_again(tmp_path: Path, s3: Proxy, bucket: str, run: Run) -> None:
    write_sample_tiff(tmp_path / "x.ome.tif", make_sample("x", (TIMES, 1, 2, 260, 24)))
    upload(tmp_path, f"{bucket}/in")
    arguments = [f"{bucket}/in", "--output", f"{bucket}/out"]
    assert statuses(run(*arguments)) == ["done"]
    target = f"{bucket}/out/x.ome.zarr"
    whole, place = download(target), open_place(target)

    s3.clear()
    assert CliRunner().invoke(main, ["verify", target]).exit_code == 0
    objects = [key for key in whole if "lock.json" not in key]
    asked = [request for request in s3.requests if request.method in {"GET", "HEAD"}]
    print(f"verify: {len(asked)} requests for {len(objects)} objects")  # noqa: T201 - by -s
    assert len(asked) <= len(objects) + 62, "each object once, and some for finding it and for its record"
    pixels = Counter(request.key for request in asked if "/0/c/" in request.key)
    assert set(pixels.values()) == {1}

    shards = sorted(key for key in whole if key.startswith("0/c/"))
    place.write(shards[0], whole[shards[0]][:-1] + b"?")
    place.delete(shards[1])
    place.delete("zarr.json")
    unreadable = CliRunner().invoke(main, ["verify", target])
    assert unreadable.exit_code == 1
    assert "--repair" in unreadable.stdout
    refused = run(*arguments)
    assert refused.exit_code == 1
    assert "--repair" in refused.stderr
    mended = run(*arguments, "--repair")
    assert mended.exit_code == 0, mended.stderr
    assert json.loads(mended.stdout)["images"][0]["planes_done"] == 2 * 2
    after = download(target)
    assert {key: after[key] for key in whole if "/c/" in key and "record" not in key} == {
        key: content for key, content in whole.items() if "/c/" in key and "record" not in key
    }
    assert CliRunner().invoke(main, ["verify", target]).exit_code == 0
