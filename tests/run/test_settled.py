"""What makes no sense is said before anything is written, and what came to nothing leaves no result."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autodip_zarr.cli import main
from autodip_zarr.run.choices import Choices, Machine
from autodip_zarr.run.execution.denoise import denoise
from autodip_zarr.stores.sample import write_sample_tiff, write_sample_zarr

from ..samples import make_sample


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of two planes."""
    path = tmp_path / "x.ome.tif"
    write_sample_tiff(path, make_sample("x", (1, 1, 2, 16, 16)))
    return path


def run(*words: object) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("", "--output: found nothing"),
        ("  ", "--output: found nothing"),
        ("~/results", "whose ~ no shell has replaced"),
        ("~", "whose ~ no shell has replaced"),
        ("file", "file is a file"),
        ("file/below/it", "file is a file"),
        ("dangling", "dangling is a link to nowhere"),
        ("dangling/below", "dangling is a link to nowhere"),
    ],
)
def test_an_output_that_can_be_no_folder_is_refused_before_anything_starts(
    source: Path, monkeypatch: pytest.MonkeyPatch, output: str, said: str
) -> None:
    monkeypatch.chdir(source.parent)
    Path("file").write_text("mine")
    Path("dangling").symlink_to("/nowhere/at/all")
    before = sorted(source.parent.iterdir())
    for command in ("plan", "denoise"):
        result = run(command, source, "--output", output)
        assert result.exit_code == 2, result.output
        assert said in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert sorted(source.parent.iterdir()) == before


@pytest.mark.parametrize("obstacle", ["file", "dangling", "lock"])
def test_what_lies_in_the_place_of_a_result_is_named_and_left(
    source: Path, quick_table: str, obstacle: str
) -> None:
    target = source.parent / "out/x.ome.zarr"
    if obstacle == "lock":
        (target / "autodip/lock.json").mkdir(parents=True)
    else:
        target.parent.mkdir()
        target.write_text("mine") if obstacle == "file" else target.symlink_to("/nowhere")
    result = run("denoise", source, "--output", target.parent, "--table", quick_table)
    assert result.exit_code == 1, result.output
    assert "it continues" not in result.stderr
    assert "remove it" in result.stderr
    assert {"file": target.is_file(), "dangling": target.is_symlink(), "lock": target.is_dir()}[obstacle]


@pytest.mark.parametrize("device", ["tpu", "cuda", "cuda:7", "cpu:0", "CUDA", ""])
def test_a_device_that_is_not_there_is_refused_before_anything_is_written(source: Path, device: str) -> None:
    import torch

    if device.startswith("cuda") and torch.cuda.device_count() > int(device.partition(":")[2] or 0):
        pytest.skip("this machine has that card")
    out = source.parent / "out"
    for command in (["denoise", source, "--output", out], ["plan", source], ["preview", source]):
        result = run(*command, "--device", device)
        assert result.exit_code == 2, result.output
        assert "--device" in result.stderr
    assert not out.exists()


def test_where_no_plane_could_be_denoised_no_result_is_left(source: Path, quick_table: str) -> None:
    broken = source.with_name("broken.zarr")
    write_sample_zarr(broken, make_sample("broken", (1, 1, 2, 16, 16)), "0.4")
    for chunk in (path for path in (broken / "0").rglob("*") if path.is_file() and path.name[0] != "."):
        chunk.write_bytes(b"no pixels")
    out = source.parent / "out"
    summary = denoise(
        [str(source), str(broken)], Choices(output=str(out), table=quick_table), Machine("cpu", workers=1)
    )
    found = {Path(image.source).name: (image.status, image.planes_failed) for image in summary.images}
    assert found == {"x.ome.tif": ("done", 0), "broken.zarr": ("failed", 2)}
    assert not (out / "broken.zarr").exists()
    assert (out / "x.ome.zarr").exists()
    assert not summary.is_complete
    assert any("cannot be read" in line for image in summary.images for line in image.messages)


def test_another_preset_and_another_arithmetic_are_told_in_the_words_of_the_options(
    source: Path, quick_table: str
) -> None:
    out = source.parent / "out"
    words = ("denoise", source, "--output", out, "--table", quick_table, "--workers", 1)
    assert run(*words, "--preset", "reference").exit_code == 0
    result = run(*words, "--preset", "standard")
    assert result.exit_code == 1
    assert "(preset: reference, now standard)" in result.stderr
    assert run(*words, "--overwrite", "--precision", "float32").exit_code == 0
    result = run(*words, "--precision", "bfloat16")
    assert "(precision: float32, now bfloat16)" in result.stderr
    assert "go on with --precision float32" in result.stderr
