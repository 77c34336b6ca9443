"""Links that somebody put into a result or its store lead nowhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autodip_zarr.stores.sample import write_sample_zarr

from ..samples import digest, make_sample
from .results import Run, statuses


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("inner", ["", "autodip", "0", "autodip/checksums", "autodip/record"])
@pytest.mark.parametrize("option", [("--overwrite", "all"), ("--repair",)])
def test_nothing_is_written_or_deleted_through_a_link_in_a_result(
    tmp_path: Path, run: Run, version: str, inner: str, option: tuple[str, ...]
) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x"), "0.4" if version == "0.4" else "0.5")
    command = (tmp_path / "x.zarr", "--write-back")
    assert run(*command).exit_code == 0
    result = tmp_path / "x.zarr/denoised"
    outside = tmp_path / "outside"
    shutil.move(result / inner, outside)
    (outside / "victim.txt").write_text("keep me")
    (result / inner).symlink_to(outside)
    min(path for path in outside.rglob("*") if path.is_file() and path.name != "victim.txt").unlink()
    before = digest(outside)
    again = run(*command, *option)
    assert digest(outside) == before
    if option == ("--repair",):
        assert (again.exit_code, "is a link" in again.stderr) == (1, True)
    elif again.exit_code == 0:  # the link itself was deleted, and a folder made in its place
        assert statuses(again) == ["done"]


@pytest.mark.parametrize("inner", ["", "autodip"])
def test_a_link_in_the_place_of_a_new_result_is_refused(tmp_path: Path, run: Run, inner: str) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x"), "0.5")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim.txt").write_text("keep me")
    link = tmp_path / "x.zarr/denoised" / inner
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside)
    before = digest(outside)
    refused = run(tmp_path / "x.zarr", "--write-back", "--overwrite", "all")
    assert refused.exit_code == 1
    assert "only what this program wrote is ever replaced" in refused.stderr
    assert digest(outside) == before
