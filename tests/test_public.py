"""The public names, exactly."""

from __future__ import annotations

import subprocess
import sys

import autodip_zarr
from autodip_zarr.report.results import write_report
from autodip_zarr.shown.tabular import Tabular

TYPES = ["AutodipError", "CalibrationReport", "Choices", "EvaluationReport", "Findings", "FitProgress"]
TYPES += ["Grid", "Inspection", "Machine"]
TYPES += ["Plan", "Preview", "Progress", "Summary", "WrittenReport"]
FUNCTIONS = ["calibrate", "denoise", "denoise_array", "evaluate", "inspect", "open_record", "plan", "preview"]
FUNCTIONS += ["report", "verify"]


def test_public_names() -> None:
    expected = sorted([*TYPES, "__version__", *FUNCTIONS])
    assert sorted(autodip_zarr.__all__) == expected
    assert dir(autodip_zarr) == expected
    for name in expected:
        assert getattr(autodip_zarr, name) is not None


def test_what_public_functions_return_is_public_and_documented() -> None:
    returning = {
        "calibrate": "CalibrationReport",
        "denoise": "Summary",
        "evaluate": "EvaluationReport",
        "inspect": "Inspection",
        "plan": "Plan",
    }
    returning |= {"preview": "Preview", "report": "WrittenReport", "verify": "Findings"}
    for function, name in returning.items():
        called = write_report if function == "report" else getattr(autodip_zarr, function)
        assert called.__annotations__["return"] == name
        assert "Parameters" in str(called.__doc__)
        kind = getattr(autodip_zarr, name)
        assert kind.__doc__
        assert issubclass(kind, Tabular) or name == "Preview"


def test_report_can_be_called_whatever_was_imported_before() -> None:
    script = (
        "import autodip_zarr\n"
        "{}\n"
        "from autodip_zarr import report\n"
        "assert report('nowhere', 'page.html').path is None\n"
        "assert autodip_zarr.report is report\n"
        "from autodip_zarr.report.tables import aligned\n"
        "import autodip_zarr.report.tables as tables\n"
        "assert tables.aligned is aligned\n"
    )
    for before in ("", "import autodip_zarr.report.tables"):
        asked = [sys.executable, "-c", script.format(before)]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
