"""Denoise OME-Zarr and OME-TIFF archives with Deep Image Priors whose parameters are chosen by metadata.

The names below are the whole public interface; they are loaded when first used, so that importing the
package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
    from autodip_zarr.calibration.grid import Grid
    from autodip_zarr.errors import AutodipError
    from autodip_zarr.report.calibration import CalibrationReport, calibrate
    from autodip_zarr.report.evaluation import EvaluationReport, evaluate
    from autodip_zarr.report.results import WrittenReport
    from autodip_zarr.report.results import write_report as report
    from autodip_zarr.run.choices import Choices, Machine
    from autodip_zarr.run.execution.denoise import denoise
    from autodip_zarr.run.execution.summary import Progress, Summary
    from autodip_zarr.run.planning.inspect import Inspection
    from autodip_zarr.run.planning.inspect import inspect_sources as inspect
    from autodip_zarr.run.planning.plan import make_plan as plan
    from autodip_zarr.run.planning.plan_list import Plan
    from autodip_zarr.run.results.record_array import open_record
    from autodip_zarr.run.results.verify import Findings
    from autodip_zarr.run.results.verify import verify_target as verify
    from autodip_zarr.run.trials.array import denoise_array
    from autodip_zarr.run.trials.preview import Preview, preview
    from autodip_zarr.run.trials.progress import FitProgress

__all__ = [
    "AutodipError",
    "CalibrationReport",
    "Choices",
    "EvaluationReport",
    "Findings",
    "FitProgress",
    "Grid",
    "Inspection",
    "Machine",
    "Plan",
    "Preview",
    "Progress",
    "Summary",
    "WrittenReport",
    "__version__",
    "calibrate",
    "denoise",
    "denoise_array",
    "evaluate",
    "inspect",
    "open_record",
    "plan",
    "preview",
    "report",
    "verify",
]

_HOMES = {
    "AutodipError": ("errors", "AutodipError"),
    "CalibrationReport": ("report.calibration", "CalibrationReport"),
    "Choices": ("run.choices", "Choices"),
    "EvaluationReport": ("report.evaluation", "EvaluationReport"),
    "Findings": ("run.results.verify", "Findings"),
    "FitProgress": ("run.trials.progress", "FitProgress"),
    "Grid": ("calibration.grid", "Grid"),
    "Inspection": ("run.planning.inspect", "Inspection"),
    "Machine": ("run.choices", "Machine"),
    "Plan": ("run.planning.plan_list", "Plan"),
    "Preview": ("run.trials.preview", "Preview"),
    "Progress": ("run.execution.summary", "Progress"),
    "Summary": ("run.execution.summary", "Summary"),
    "WrittenReport": ("report.results", "WrittenReport"),
    "calibrate": ("report.calibration", "calibrate"),
    "denoise": ("run.execution.denoise", "denoise"),
    "denoise_array": ("run.trials.array", "denoise_array"),
    "evaluate": ("report.evaluation", "evaluate"),
    "inspect": ("run.planning.inspect", "inspect_sources"),
    "open_record": ("run.results.record_array", "open_record"),
    "plan": ("run.planning.plan", "make_plan"),
    "preview": ("run.trials.preview", "preview"),
    "verify": ("run.results.verify", "verify_target"),
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    if name == "__version__":
        return version("autodip-zarr")
    if name == "report":  # the package itself can be called
        return import_module(f"{__name__}.report")
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    module, attribute = _HOMES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
