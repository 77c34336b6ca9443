"""What to do about a result that an earlier run has left: go on, leave it, start over, or refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from autodip_zarr.domain import Decision, ImagePlan, Recipe, TargetSpec
from autodip_zarr.errors import TargetError
from autodip_zarr.provenance import differences, recipe_document, source_changes
from autodip_zarr.run.choices import Overwrite
from autodip_zarr.run.results.software import changes_pixels

_SHOWN = 3
_ARITHMETIC = re.compile(r"precision: (\w+), now")
_CHOSEN = {"seed", "tile_px", "halo_px", "deterministic", "sequence", "stop"}
_OF_PRESET = {field.name for field in fields(Recipe)} - _CHOSEN
"""Fields of a recipe that another preset changes."""

_NO_RECIPE = "its recipe is gone"


def decide(
    image: ImagePlan, existing: Mapping[str, Any] | None, overwrite: Overwrite, *, repair: bool = False
) -> Decision:
    """Decide what to do about the result of an image.

    Parameters
    ----------
    image : ImagePlan
        What would be done with it now.
    existing : mapping or None
        The ``autodip`` attribute at the place of its result; ``None`` where there is no result.
    overwrite : str
        What may be started over: ``never``, ``changed`` or ``all``.
    repair : bool
        Whether complete results are looked at again.
    """
    if existing is None:
        return Decision("create")
    old = existing.get("recipe")
    if not isinstance(old, Mapping) and "layout" in existing:
        return Decision("refuse")
    if overwrite == "all":
        return Decision("redo")
    if not isinstance(old, Mapping):
        return Decision("refuse", (_NO_RECIPE,))
    new = recipe_document(image, changes_pixels())
    changes = tuple(source_changes(old, new))
    if changes:
        return Decision("redo" if overwrite == "changed" else "leave", changes)
    is_complete = existing.get("status") == "complete"
    old, new = ({**recipe, "source": None} for recipe in (old, new))  # has been compared
    differing = tuple(_told(differences(old, new, software=not is_complete)))
    if image.target is not None:
        differing += tuple(_other_layout(existing, image.target))
    if differing:
        return Decision("refuse", differing)
    if not is_complete:
        return Decision("continue")
    return Decision("repair" if repair else "keep")


def _told(differing: list[str]) -> Iterator[str]:
    """Yield differences in the words of the options: another preset stands for all that follows from it."""
    is_other_preset = any(text.startswith("preset: ") for text in differing)
    if is_other_preset:
        yield from (text for text in differing if text.startswith("preset: "))
    for text in differing:
        name = text.partition(":")[0].partition(".")[0].partition("[")[0]
        if not (is_other_preset and name in _OF_PRESET | {"preset"}):
            yield text


def _other_layout(existing: Mapping[str, Any], target: TargetSpec) -> Iterator[str]:
    """Say what of a result that is wanted now was not written; how it is cut does not matter."""
    run = existing.get("run")
    layout = run.get("layout") if isinstance(run, Mapping) else None
    layout = layout if isinstance(layout, Mapping) else {}
    if target.uncertainty and not layout.get("uncertainty"):
        yield "it has no uncertainty map"
    dtype = layout.get("dtype", target.dtype)  # older results do not tell
    if dtype != target.dtype:
        yield f"pixel type: {dtype}, now {target.dtype}"


def complaint(decision: Decision, target: str) -> TargetError | None:
    """Return why a result is neither made nor kept as the one of its image, ``None`` if it is.

    Parameters
    ----------
    decision : Decision
        What is done about it.
    target : str
        Path or URI of the result.
    """
    shown = "; ".join(decision.reasons[:_SHOWN]) + ("; ..." if len(decision.reasons) > _SHOWN else "")
    if decision.action == "leave":
        found = f"was made before its source changed ({shown})"
        return TargetError(target, found, hint="it is left as it is; --overwrite changed makes it again")
    if decision.action == "refuse" and not decision.reasons:
        hint = "use another --output"
        return TargetError(target, "holds a store of several results", "nothing, or one result", hint)
    if decision.reasons == (_NO_RECIPE,):
        hint = "--repair puts back what its checksums keep; --overwrite starts over"
        return TargetError(target, "holds a result whose recipe is gone", "the recipe that made it", hint)
    if decision.action == "refuse":
        hint = "use another --output, or --overwrite to start over"
        arithmetic = [_ARITHMETIC.match(reason) for reason in decision.reasons]
        if len(arithmetic) == 1 and arithmetic[0] is not None:  # made where another processor is, perhaps
            hint = f"go on with --precision {arithmetic[0][1]}, {hint}"
        return TargetError(
            target, f"holds a result that was made differently ({shown})", "the same recipe", hint
        )
    return None
