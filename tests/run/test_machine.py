"""What a device cannot do is refused when planning."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import pytest

from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.errors import OptionError
from autodip_zarr.run.scheduling.machine import (
    check_arithmetic,
    peak_bytes,
    resolve_precision,
    settle_device,
    usable_cores,
)

STANDARD = preset_recipe("standard", precision="float32")
REFERENCE = preset_recipe("reference", precision="float32")


def test_a_card_computes_in_bfloat16_unless_told_otherwise() -> None:
    assert resolve_precision("auto", "cuda") == "bfloat16"
    assert resolve_precision("float32", "cuda") == "float32"
    assert resolve_precision("auto", "cpu") in {"bfloat16", "float32"}


def test_tf32_is_for_cards() -> None:
    recipe = replace(STANDARD, precision="tf32")
    check_arithmetic(recipe, "cuda")
    with pytest.raises(OptionError, match="--precision"):
        check_arithmetic(recipe, "cpu")


def test_the_plain_network_cannot_be_deterministic_on_a_card() -> None:
    for device, recipe in (("cpu", REFERENCE), ("cpu", STANDARD), ("cuda", STANDARD)):
        check_arithmetic(replace(recipe, deterministic=True), device)
    with pytest.raises(OptionError, match="reference"):
        check_arithmetic(replace(REFERENCE, deterministic=True), "cuda")


def test_the_cpu_is_always_there() -> None:
    assert settle_device("cpu") == "cpu"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells of both")
def test_cores_and_memory_are_those_of_this_process() -> None:
    import resource

    allowed = os.sched_getaffinity(0)
    assert usable_cores() == len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert peak_bytes() == pytest.approx(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, rel=0.1)
