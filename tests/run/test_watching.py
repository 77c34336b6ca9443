"""What those see who watch a run: people and machines."""

from __future__ import annotations

import json
from pathlib import Path

from autodip_zarr.domain import DipConfig
from autodip_zarr.report.progress import left_text
from autodip_zarr.report.tables import summary_lines
from autodip_zarr.run.execution.summary import Pace, Summary
from autodip_zarr.stores.sample import write_sample_zarr

from ..samples import make_sample, write_archive
from .results import Run


def test_json_lines_say_what_happens_and_keep_standard_output_apart(run: Run, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive")
    done = run(archive, "--output", tmp_path / "out", "--log-json")
    assert done.exit_code == 0, done.stderr
    assert {image["status"] for image in json.loads(done.stdout)["images"]} == {"done"}
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    kinds = [line["event"] for line in lines]
    assert kinds.count("image") == 3
    assert kinds[-1] == "finished"
    started = lines[kinds.index("started")]
    assert started["dashboard"].startswith("http://")
    blocks = [line for line in lines if line["event"] == "block"]
    assert sum(block["denoised"] for block in blocks) == 7
    assert all(block["fit_seconds"] <= block["seconds"] for block in blocks)
    assert lines[-1]["planes_done"] == 7
    assert sum(one["planes"] for one in lines[-1]["configurations"]) == 7
    assert all("time" in line for line in lines)
    shares = [line["run"]["share_done"] for line in lines if "run" in line]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_a_run_that_goes_on_counts_the_share_of_what_was_left(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "x.zarr"
    write_sample_zarr(source, make_sample("x", (1, 2, 4, 16, 16)), "0.5")
    assert run(source, "--output", tmp_path / "out").exit_code == 0
    document = tmp_path / "out/x.zarr/zarr.json"
    document.write_text(document.read_text().replace('"status": "complete"', '"status": "running"'))
    for chunk in (tmp_path / "out/x.zarr/autodip/record/c").rglob("*"):
        if chunk.is_file() and chunk.parent.parent.name == "1":  # the second channel
            chunk.unlink()
    again = run(source, "--output", tmp_path / "out", "--log-json")
    news = [json.loads(line)["run"] for line in again.stderr.splitlines() if '"run"' in line]
    assert news[-1]["planes_total"] == news[-1]["planes_done"] == 4
    assert news[-1]["share_done"] == 1.0


def test_the_time_left_goes_by_the_work_that_is_behind() -> None:
    assert left_text(0.0, 60) == "- left"
    assert left_text(0.25, 600) == "30 min left"
    assert left_text(0.1, 3600) == "9.0 h left"
    assert left_text(1.0, 3600) == "0 min left"


def test_a_run_ends_with_a_table_of_what_each_configuration_took(run: Run, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive")
    done = run(archive, "--output", tmp_path / "out")
    assert "dashboard: http://" in done.stderr
    assert "seconds per plane" in done.stderr
    assert "2/4/4/3" in done.stderr


def test_a_configuration_of_which_no_plane_was_done_has_no_pace() -> None:
    paces = (Pace(DipConfig(4, 32, 4, 100), 4, 10.0), Pace(DipConfig(8, 512, 4, 100)))
    text = "\n".join(summary_lines(Summary((), (), 3, 2, 75.4, paces)))
    assert "planes copied unchanged: 3, empty in the source: 2; wall time: 1 min 15 s" in text
    assert "2.50" in text
    assert text.splitlines()[-1].endswith("-")
