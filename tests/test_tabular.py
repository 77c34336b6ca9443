"""What Python gives back, as a notebook shows it and as a data frame; names come from foreign files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import autodip_zarr
from autodip_zarr import (
    Choices,
    EvaluationReport,
    Machine,
    Summary,
    denoise,
    evaluate,
    inspect,
    plan,
    verify,
)
from autodip_zarr.run.execution.image_job import ImageResult
from autodip_zarr.shown.tabular import Tabular
from autodip_zarr.stores.sample import Sample, SampleChannel, write_sample_zarr

HOSTILE = "<script>alert(1)<"
"""What a channel and a folder are called; a slash cannot be part of a folder's name."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one image of two channels, both with hostile names."""
    outer = tmp_path_factory.mktemp("archive") / HOSTILE
    pixels = np.random.default_rng(1).poisson(40, (1, 2, 1, 24, 32)).astype(np.uint16)
    channels = (SampleChannel(HOSTILE, "WideField"), SampleChannel("DAPI", "WideField"))
    write_sample_zarr(outer / "x.zarr", Sample("x", pixels, 0.1, channels), "0.5")
    clean = np.full_like(pixels, 40) + np.arange(32, dtype=np.uint16)
    write_sample_zarr(outer / "clean.zarr", Sample("clean", clean, 0.1, channels), "0.5")
    return outer


@pytest.fixture(scope="module")
def values(folder: Path, quick_table: str) -> dict[str, Tabular]:
    """What each public function returns."""
    choices = Choices(table=quick_table, output=str(folder / "out"), preset="reference")
    source = folder / "x.zarr"
    return {
        "plan": plan(source, choices),
        "inspect": inspect(source, choices),
        "denoise": denoise(source, choices, Machine(in_process=True)),
        "verify": verify(folder / "out"),
        "report": autodip_zarr.report(folder / "out", folder / "page.html"),
        "evaluate": evaluate(source, folder / "out", methods=["noisy"], choices=Choices(table=quick_table)),
    }


ROWS = {"plan": 2, "inspect": 2, "denoise": 1, "verify": 1, "report": 2, "evaluate": 0}


@pytest.mark.parametrize("name", ROWS)
def test_a_notebook_shows_a_table_in_which_foreign_names_are_only_text(
    name: str, values: dict[str, Tabular]
) -> None:
    value = values[name]
    shown = value._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;alert(1)&lt;" in shown
    assert ROWS[name] == 0 or shown.count("<tr>") == ROWS[name] + 1
    assert set(re.findall(r"</?(\w+)", shown)) <= {
        *("p", "div", "table", "thead", "tbody", "tr", "th", "td", "section", "h2", "ul", "li")
    }
    frame = value.to_dataframe()
    assert len(frame) == ROWS[name]
    assert not ROWS[name] or HOSTILE in "".join(map(str, frame.iloc[0]))


def test_numbers_stay_numbers_in_a_data_frame(values: dict[str, Tabular]) -> None:
    planned, done = values["plan"].to_dataframe(), values["denoise"].to_dataframe()
    assert planned.planes.sum() == 2
    assert planned.relative_cost.dtype == float
    assert planned.config.tolist() == ["2/4/4/3", "2/4/4/3"]
    assert (done.status.tolist(), done.planes_done.tolist()) == (["done"], [2])


def test_a_written_report_names_its_page(folder: Path, values: dict[str, Tabular]) -> None:
    assert (folder / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert str(folder / "page.html") in str(values["report"])


def test_an_evaluation_gives_its_rows(folder: Path, quick_table: str) -> None:
    told: list[str] = []
    pair = (folder / "x.zarr", folder / "clean.zarr")
    choices = Choices(table=quick_table, channels="1")
    found = evaluate(*pair, methods=["noisy", "blur"], choices=choices, watch=told.append)
    assert [row.method for row in found.rows] == ["noisy", "blur"]
    assert found.rows[0].psnr != found.rows[1].psnr
    assert (found.rows[0].c, found.rows[0].is_one_of_many) == (1, True)
    assert len([line for line in told if "PSNR" in line]) == 2
    assert found.to_dataframe().psnr.tolist() == [row.psnr for row in found.rows]
    assert "upper bound" in found.page()
    assert "&lt;script&gt;" in found._repr_html_()


def test_long_tables_are_cut_in_a_notebook_alone() -> None:
    images = tuple(ImageResult(f"{n}", None, "", "done", 1, 0, 1.0, ()) for n in range(130))
    summary = Summary(images, ())
    shown = summary._repr_html_()
    assert shown.count("<tr>") == 101
    assert "... and 30 more rows" in shown
    assert len(summary.to_dataframe()) == 130


def test_without_pandas_a_data_frame_is_refused_in_words() -> None:
    script = (
        "import sys\n"
        "sys.modules['pandas'] = None\n"
        "from autodip_zarr import AutodipError, Summary\n"
        "try:\n"
        "    Summary((), ()).to_dataframe()\n"
        "except AutodipError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("to_dataframe: pandas is not installed; expected pandas; install it")


def test_an_empty_evaluation_is_shown_by_its_line() -> None:
    empty = EvaluationReport((), (), ("no <b>LPIPS</b>",), (), 0)
    assert "0 measurements on 0 planes" in empty._repr_html_()
    assert "<b>" not in empty._repr_html_()
