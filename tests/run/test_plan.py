"""Plans of many images: in order, small, and with totals that agree with what is listed."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from autodip_zarr.domain import ImagePlan, Skipped
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.planning.plan import Planning, make_plan
from autodip_zarr.run.planning.plan_list import PlannedImages
from autodip_zarr.run.sources.prefetch import prefetch

from ..samples import write_archive
from .values import make_header, make_image


def test_items_come_in_order_and_a_bounded_number_is_taken_ahead() -> None:
    taken: list[int] = []
    both = threading.Barrier(2, timeout=30)

    def items() -> Iterator[int]:
        for number in range(200):
            taken.append(number)
            yield number

    def call(number: int) -> int:
        if number in {40, 41}:  # calls wait for each other, so they must be under way together
            both.wait()
        return number * number

    answers = prefetch(call, items())
    assert next(answers) == (0, 0)
    assert taken == [0]
    rest = []
    for number, square in answers:
        assert len(taken) - number <= 33
        rest.append((number, square))
    assert rest == [(number, number * number) for number in range(1, 200)]


def test_what_a_call_raises_ends_it_all() -> None:
    def call(number: int) -> int:
        return 1 // (number - 3)

    with pytest.raises(ZeroDivisionError):
        list(prefetch(call, range(10)))


def test_packed_plans_are_equal_small_and_in_order() -> None:
    images = PlannedImages()
    originals = [make_image(make_header((1, 2, 500, 64, 96), f"/data/a/{n}.ome.tif")) for n in range(5)]
    for image in originals:
        images.append(image)
    assert list(images) == originals
    assert (len(images), images[-1], images[1:3]) == (5, originals[-1], originals[1:3])
    assert list(pickle.loads(pickle.dumps(images))) == originals
    assert len(pickle.dumps(images)) < 5 * 3000


def test_totals_agree_with_the_images(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive")
    (archive / "b" / "no.ome.tif").write_bytes(b"not a TIFF")
    plan = make_plan([str(archive)], Choices(output=str(tmp_path / "out"), channels="DAPI"))
    totals = plan.totals
    assert (totals.images, totals.errors) == (3, 1)
    assert totals.planes == sum(image.planes for image in plan.images) == 6
    assert totals.skipped == {"not among the chosen channels": 1}
    (group,) = totals.groups
    assert (group.group, group.channels, group.planes) == ("widefield+nucleus", 3, 6)
    cost = sum(channel.relative_cost for image in plan.images for channel in image.channels)
    assert totals.relative_cost == pytest.approx(cost)
    assert totals.bytes_in == 2 * (3 * 24 * 32 + 2 * 20 * 20 + 2 * 40 * 24)
    targets = [image.target for image in plan.images if image.target]
    pixels = [np.prod(level.shape) for target in targets for level in target.levels]
    assert totals.bytes_out == 2 * sum(pixels)


def test_a_plan_is_the_same_every_time(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive")
    first, second = (list(Planning([str(archive)], Choices())) for _ in range(2))
    assert first == second
    assert [type(item) for item in first] == [ImagePlan] * 3
    assert all(not item.header.texts for item in first if isinstance(item, ImagePlan))


def test_channels_that_are_skipped_come_after_their_image(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive")
    items = list(Planning([str(archive)], Choices(channels="DAPI")))
    assert [type(item) for item in items] == [ImagePlan, ImagePlan, Skipped, ImagePlan]
    assert items[2] == Skipped(f"{archive}/a/two.zarr", "not among the chosen channels", 1)
