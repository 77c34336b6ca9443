"""How much commands say: ``--quiet``, ``--verbose``, and what is usual between them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autodip_zarr.stores.sample import write_sample_tiff

from .samples import make_sample
from .test_cli import call


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, quick_table: str) -> dict[str, tuple[int, str, str]]:
    """What each command says by its name and loudness, on an archive with a file that cannot be read."""
    folder = tmp_path_factory.mktemp("loudness")
    archive, out = folder / "archive", folder / "out"
    archive.mkdir()
    write_sample_tiff(archive / "x.ome.tif", make_sample("x", (1, 2, 1, 24, 32)))
    (archive / "bad.ome.tif").write_bytes(b"no TIFF")
    method = ["--table", quick_table, "--preset", "reference"]
    said = {}
    for loud in ("quiet", "usual", "verbose"):
        given = [] if loud == "usual" else [f"--{loud}"]
        said[f"plan {loud}"] = call("plan", archive, "--output", folder / "new", *method, *given)
        where = ["--output", folder / loud, "--in-process"]
        said[f"denoise {loud}"] = call("denoise", archive, *where, *method, *given)
    out = folder / "quiet"
    for loud in ("quiet", "usual", "verbose"):
        given = [] if loud == "usual" else [f"--{loud}"]
        said[f"verify {loud}"] = call("verify", out, *given)
        said[f"export {loud}"] = call("export", out, "--output", folder / "tiff", *given)
    return said


def lines(made: dict[str, tuple[int, str, str]], name: str) -> list[str]:
    _, out, err = made[name]
    return (out + err).splitlines()


def test_the_exit_code_is_the_same(made: dict[str, tuple[int, str, str]]) -> None:
    codes = {name: code for name, (code, _, _) in made.items()}
    for command, expected in (("plan", 1), ("denoise", 1), ("verify", 0), ("export", 0)):
        assert {codes[f"{command} {loud}"] for loud in ("quiet", "usual", "verbose")} == {expected}


def test_quiet_leaves_errors_and_the_last_line(made: dict[str, tuple[int, str, str]]) -> None:
    error, last = lines(made, "plan quiet")
    assert "bad.ome.tif" in error
    assert last.startswith("1 images, 2 planes, cost ")
    error, last = lines(made, "denoise quiet")
    assert error.startswith("error: ")
    assert "bad.ome.tif" in error
    assert last == "images: 1 done; planes denoised: 2, failed: 0"
    assert lines(made, "verify quiet") == ["1 results, 1 of them whole"]
    assert lines(made, "export quiet") == ["files: 1 written, 0 kept, 0 failed"]


def test_verbose_tells_every_block_and_the_reasons(made: dict[str, tuple[int, str, str]]) -> None:
    blocks = [line for line in lines(made, "denoise verbose") if ": channel " in line]
    assert len(blocks) == 2
    assert "channel 0, t 0:1, z 0:1: 1 denoised planes in " in blocks[0]
    assert not [line for line in lines(made, "denoise usual") if ": channel " in line]
    planned = "\n".join(lines(made, "plan verbose"))
    assert "matched by microscope+specimen: widefield+nucleus, 2/4/4/3" in planned
    assert "specimen: nucleus from 'DAPI" in planned
    assert "-> " in planned
    assert any("compared with checksums" in line for line in lines(made, "verify verbose"))
    assert any(", from " in line for line in lines(made, "export verbose"))
    for command in ("plan", "denoise", "verify", "export"):
        assert len(lines(made, f"{command} quiet")) <= len(lines(made, f"{command} usual"))
        assert len(lines(made, f"{command} usual")) < len(lines(made, f"{command} verbose"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("denoise", "x", "--output", "o", "--quiet", "--verbose"),
        ("verify", "x", "-q", "-v"),
        ("plan", "x", "-q", "-v"),
        ("denoise", "x", "--output", "o", "--quiet", "--log-json"),
        ("denoise", "x", "--output", "o", "--verbose", "--log-json"),
    ],
)
def test_what_contradicts_itself_is_refused(arguments: tuple[str, ...]) -> None:
    code, _, err = call(*arguments)
    assert code == 2
    assert err.startswith("error: --")


def test_both_may_stand_in_a_file_of_options(tmp_path: Path, quick_table: str) -> None:
    write_sample_tiff(tmp_path / "x.ome.tif", make_sample("x", (1, 1, 1, 24, 32)))
    (tmp_path / "run.toml").write_text("quiet = true\n")
    config = ["--config", tmp_path / "run.toml", "--table", quick_table]
    code, out, _ = call("plan", tmp_path / "x.ome.tif", *config)
    assert (code, len(out.splitlines())) == (0, 1)
    code, out, err = call("plan", tmp_path / "x.ome.tif", *config, "--json")
    assert (len(json.loads(out)["images"]), err) == (1, "")
