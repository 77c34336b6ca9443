"""How long a plan takes: from earlier runs, from a short measurement, or as a guess that says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autodip_zarr.domain import Totals
from autodip_zarr.report.plans import forecast_line
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.planning import speed
from autodip_zarr.run.planning.forecast import Forecast, forecast
from autodip_zarr.run.planning.plan import make_plan
from autodip_zarr.run.planning.speed import Speed, keep_run, known_speed, measure_speed
from autodip_zarr.run.scheduling.machine import usable_cores
from autodip_zarr.stores.sample import write_sample_tiff

from ..samples import make_sample
from ..test_cli import call


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which speeds are kept; none yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "autodip-zarr" / "speed.json"


def test_nothing_is_known_of_a_new_machine(cache: Path) -> None:
    assert known_speed("cpu") == Speed(1.0, 3.0, "guess")
    assert not cache.exists()


def test_earlier_runs_are_the_best_measure_and_tell_how_far_it_may_be_off(cache: Path) -> None:
    keep_run("cpu", 80.0, 40.0)
    once = known_speed("cpu")
    assert once.factor == pytest.approx(2.0)
    assert (once.off_by, once.basis) == (1.25, "runs")
    keep_run("cpu", 80.0, 10.0)
    both = known_speed("cpu")
    assert both.factor == pytest.approx(4.0)
    assert both.off_by == pytest.approx(4.0)
    assert known_speed("cuda").basis == "guess"
    for _ in range(30):
        keep_run("cpu", 40.0, 20.0)
    (known,) = json.loads(cache.read_text()).values()
    assert len(known["runs"]) == 20


def test_short_runs_tell_nothing(cache: Path) -> None:
    keep_run("cpu", 9.0, 11.0)
    keep_run("cpu", 500.0, 9.0)  # what else a run does is most of it
    keep_run("cpu", 90.0, 0.0)
    assert not cache.exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"%s cpu": 3}',
        '{"%s cpu": {"runs": 3}}',
        '{"%s cpu": {"runs": [[-1, 2], ["a"], [true, 1]]}}',
        '{"%s cpu": {"runs": [[1e-300, 20], [1e300, 20], [1' + 400 * "0" + ", 20], [2, 1e308]]}}",
        '{"%s cpu": {"measured": 1' + 400 * "0" + "}}",
    ],
)
def test_what_makes_no_sense_in_the_cache_counts_as_not_measured(cache: Path, content: str) -> None:
    import platform

    cache.parent.mkdir(parents=True)
    cache.write_text(content.replace("%s", platform.node()))
    assert known_speed("cpu").basis == "guess"
    keep_run("cpu", 40.0, 20.0)
    assert known_speed("cpu").basis == "runs"


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    keep_run("cpu", 40.0, 20.0)
    assert known_speed("cpu").basis == "guess"


def test_a_machine_is_measured_once(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit")  # a folder of images is not to be trusted
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(speed, "_MEASURING_LIMIT_S", 300.0)  # on a busy machine torch takes long to load
    first = measure_speed("cpu")
    assert first.basis == "measured"
    assert 0.05 < first.factor < 100
    kept = cache.read_text()
    assert measure_speed("cpu") == first
    assert cache.read_text() == kept
    assert measure_speed("cuda").basis == "guess", "cards are never touched by a plan"


def test_the_time_goes_by_the_cores_and_no_more_than_there_are_planes() -> None:
    told = forecast(Totals(planes=1000, core_seconds=3600.0), "cpu", Speed(2.0, 1.5, "runs"))
    assert told.workers == usable_cores()
    assert told.seconds == pytest.approx(7200 / usable_cores())
    assert (told.least_seconds, told.most_seconds) == (told.seconds / 1.5, told.seconds * 1.5)
    assert forecast(Totals(planes=1), "cpu", Speed(1, 1, "guess")).workers == 1
    assert forecast(Totals(planes=9), "cuda:1", Speed(1, 1, "guess")).device == "cuda"


def test_the_line_names_the_range_and_where_it_comes_from() -> None:
    days = Forecast(5 * 86400, 4 * 86400, 6 * 86400, 2, "cpu", "runs")
    assert (
        forecast_line(days)
        == "about 5.0 days on 2 cores (4.0 days to 6.0 days; from earlier runs on this machine)"
    )
    short = forecast_line(Forecast(30, 10, 90, 1, "cuda", "guess"))
    assert short.startswith("about 30 s on 1 card (10 s to 90 s; a guess: ")


def test_plans_tell_the_time_and_measure_nothing_in_a_pipe(cache: Path, tmp_path: Path) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (1, 1, 3, 40, 48)))
    code, out, _ = call("plan", source)
    assert code == 0
    assert out.splitlines()[-1].startswith("about ")
    assert "a guess: this machine was never measured" in out
    document = json.loads(call("plan", source, "--json")[1])
    time = document["totals"]["time"]
    assert time.keys() == {"seconds", "least_seconds", "most_seconds", "workers", "device", "basis"}
    assert 0 < time["least_seconds"] < time["seconds"] < time["most_seconds"]
    assert not cache.exists(), "programs never wait for a measurement"
    plan = make_plan(source, Choices(), "cpu")
    (channel,) = plan.images[0].channels
    assert plan.totals.core_seconds == channel.core_seconds > 0
    assert plan.forecast().seconds == pytest.approx(time["seconds"], rel=1e-3, abs=1e-3)


def test_a_run_keeps_how_long_its_fits_took(cache: Path, tmp_path: Path, quick_table: str) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (1, 1, 1, 40, 48)))
    script = (
        "import sys\n"
        "from autodip_zarr import Choices, Machine, denoise\n"
        "from autodip_zarr.run.planning import speed\n"
        "speed._LEAST_RUN_S = 0.0\n"
        "choices = Choices(output=sys.argv[2], table=sys.argv[3])\n"
        "denoise(sys.argv[1], choices, Machine('cpu', in_process=True))\n"
    )
    environment = os.environ | {"XDG_CACHE_HOME": str(cache.parents[1])}
    command = [sys.executable, "-c", script, str(source), str(tmp_path / "out"), quick_table]
    subprocess.run(command, check=True, env=environment, timeout=120)
    found = known_speed("cpu")
    assert found.basis == "runs"
    assert found.factor > 0, "of so short a fit it says nothing of the machine"
