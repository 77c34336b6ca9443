"""The transferred number of iterations is corrected for the recipe and for the size of the field."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodip_zarr.calibration import load_table
from autodip_zarr.dip.estimate import relative_cost
from autodip_zarr.dip.presets import PRESETS, preset_recipe
from autodip_zarr.dip.settled import settle, starts_for
from autodip_zarr.domain import DipConfig
from autodip_zarr.errors import OptionError

LONG = DipConfig(5, 128, 4, 1800)
SHORT = DipConfig(8, "asc", 4, 300)
STANDARD = preset_recipe("standard", precision="float32")
RULES = replace(
    STANDARD,
    perturbation=1 / 60,
    optics=0.0,
    perturb_from=1000,
    averaging=0.97,
    averaged_share=1 / 6,
    starts=1,
    ascending_times=3,
    least_iterations=400,
    most_iterations=0,
    unperturbed_exponent=1.4,
)
"""With every rule that a recipe may have, as `standard` had them before results were mixed."""


def test_reference_takes_the_published_number_whatever_the_size() -> None:
    recipe = preset_recipe("reference", precision="bfloat16")
    assert recipe.precision == "float32"
    for shape in [(1, 1), (128, 128), (512, 512)]:
        assert settle(SHORT, recipe, shape).steps == 300


def test_short_counts_are_raised_and_small_fields_take_fewer() -> None:
    recipe = replace(RULES, least_iterations=1000, size_exponent=1.0)
    assert settle(LONG, recipe, (512, 512)).steps == 1800
    assert settle(LONG, recipe, (256, 256)).steps == 900
    assert settle(SHORT, recipe, (512, 512)).steps == 1000
    assert settle(replace(SHORT, iterations=2), recipe, (512, 512)).steps == 8


def test_fields_below_an_eighth_of_the_side_count_as_one_of_an_eighth() -> None:
    recipe = replace(RULES, least_iterations=1000, size_exponent=1.0)
    found = [settle(LONG, recipe, (side, side)).steps for side in (33, 64, 128)]
    assert found == [225, 225, 450]
    assert settle(LONG, recipe, (128, 512)).steps == settle(LONG, recipe, (512, 128)).steps == 900


def test_a_fit_that_is_stopped_by_itself_may_take_twice_its_count() -> None:
    found = [settle(LONG, replace(RULES, stop=stop), (512, 512)) for stop in ("transferred", "auto")]
    assert [(one.steps, one.most_steps) for one in found] == [(1800, 1800), (1800, 3600)]


def test_outputs_are_averaged_over_a_sixth_of_a_long_fit_and_over_some_33_of_a_short_one() -> None:
    recipe = replace(RULES, least_iterations=0)
    decays = [
        settle(replace(LONG, iterations=steps), recipe, (512, 512)).averaging for steps in (1800, 60, 0)
    ]
    assert decays == pytest.approx([1 - 1 / 300, 0.97, 0.97])
    assert settle(LONG, preset_recipe("reference", precision="float32"), (512, 512)).averaging is None


@given(st.integers(0, 3000), st.integers(1, 3000), st.integers(1, 3000), st.sampled_from(sorted(PRESETS)))
def test_counts_rise_with_the_field_up_to_512(iterations: int, y: int, x: int, preset: str) -> None:
    config, recipe = replace(LONG, iterations=iterations), preset_recipe(preset, precision="float32")
    count = settle(config, recipe, (y, x)).steps
    assert count <= settle(config, recipe, (y + 1, x)).steps <= settle(config, recipe, (512, 512)).steps
    assert count >= min(iterations, 1)


def test_short_counts_are_fitted_without_perturbation_and_stopped_sooner_on_small_fields() -> None:
    short = DipConfig(8, 64, 4, 700)
    assert settle(short, RULES, (512, 512)).perturbation == 0.0
    assert settle(short, RULES, (512, 512)).steps == 700
    assert settle(short, RULES, (384, 384)).steps == round(700 * 0.75**1.4)
    padded = round(700 * (257 / 512) ** 1.4)
    assert [settle(short, RULES, (side, side)).steps for side in (16, 128, 257)] == [padded] * 3
    assert settle(SHORT, RULES, (256, 256)).steps == 400
    assert settle(LONG, RULES, (512, 512)).perturbation == pytest.approx(1 / 60)


def test_a_narrow_outermost_level_is_not_perturbed() -> None:
    recipe = replace(RULES, perturbation=0.04)
    widths = [
        settle(DipConfig(depth, "asc", 4, 1200), recipe, (512, 512)).perturbation for depth in (8, 6, 4)
    ]
    assert widths == [0.0, 0.04, 0.04]
    assert [settle(replace(LONG, width=width), recipe, (512, 512)).perturbation for width in (15, 16)] == [
        0,
        0.04,
    ]
    assert settle(LONG, recipe, (512, 512)).perturbation == 0.04
    through_blur = replace(recipe, optics=0.6)
    assert settle(DipConfig(8, "asc", 4, 1200), through_blur, (512, 512)).perturbation == 0.04


def test_small_fields_are_perturbed_more() -> None:
    recipe = replace(RULES, perturbation=0.01)
    found = [settle(LONG, recipe, (side, side)).perturbation for side in (1024, 512, 384, 256, 64)]
    assert found == pytest.approx([0.01, 0.01, 0.04 / 3, 0.02, 0.02])


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(OptionError, match="reference, standard, best, prior, fast"):
        preset_recipe("quick", precision="float32")


def test_presets_and_estimates_import_no_torch() -> None:
    code = "import sys, autodip_zarr.dip.presets, autodip_zarr.dip.estimate; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_narrow_outermost_level_takes_as_many_steps_on_any_field() -> None:
    counts = [settle(SHORT, RULES, (side, side)).steps for side in (64, 128, 320, 512)]
    assert counts == [400] * 4


def test_networks_that_ascend_from_few_channels_may_get_more_starts() -> None:
    assert [starts_for(config, RULES) for config in (LONG, SHORT)] == [1, 3]


def test_presets_fit_in_pairs_or_once() -> None:
    found = {preset: starts_for(SHORT, preset_recipe(preset, precision="float32")) for preset in PRESETS}
    assert found == {"reference": 1, "standard": 2, "best": 6, "prior": 2, "fast": 0}


def test_presets_cost_no_more_than_they_promise() -> None:
    def cost(preset: str) -> float:
        recipe, total = preset_recipe(preset, precision="float32"), 0.0
        for entry in load_table().entries:
            if entry.metric == "lpips_psnr" and len(entry.group) == 2:  # the nine published groups
                count = settle(entry.config, recipe, (512, 512)).steps
                one = relative_cost(replace(entry.config, iterations=count))
                total += one * starts_for(entry.config, recipe)
        return total

    assert cost("standard") < 0.8 * cost("reference")
    assert cost("best") < 2.4 * cost("reference")


def test_deep_perturbed_networks_take_their_transferred_count_on_any_field() -> None:
    deep = DipConfig(7, 128, 4, 1000)
    assert [settle(deep, RULES, (side, side)).steps for side in (64, 128, 512)] == [1000] * 3
    assert settle(replace(deep, depth=6), RULES, (128, 128)).steps == 500


def test_standard_makes_as_many_steps_whatever_was_transferred() -> None:
    for config in (LONG, SHORT):
        assert settle(config, STANDARD, (512, 512)).steps == 600
    assert settle(LONG, STANDARD, (256, 256)).steps == round(600 * 0.5**0.5)
    assert settle(replace(SHORT, iterations=100), STANDARD, (512, 512)).steps == 400, "at most fourfold"


def test_a_mixed_fit_is_looked_at_and_seen_through_a_blur() -> None:
    mixed, reference = (
        settle(LONG, preset_recipe(name, precision="float32"), (512, 512))
        for name in ("standard", "reference")
    )
    assert (mixed.looks, mixed.optics) == (16, True)
    assert (reference.looks, reference.optics) == (0, False)
