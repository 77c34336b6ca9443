"""Count what a plan comes to, while it is made."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import numpy as np

from autodip_zarr.domain import ChannelPlan, DipConfig, GroupTotal, ImagePlan, Skipped, Totals


class Count:
    """Adds up what is planned and what is skipped; as large as there are groups and reasons."""

    def __init__(self) -> None:
        self._images = 0
        self._complete = 0
        self._left = 0
        self._bytes_in = 0
        self._bytes_out = 0
        self._errors = 0
        self._core_seconds = 0.0
        self._groups: dict[str, GroupTotal] = {}
        self._tiers: dict[str, tuple[int, int]] = {}
        self._skipped: Counter[str] = Counter()

    def add(self, item: ImagePlan | Skipped) -> None:
        """Count an image that is to be denoised, or something that is not."""
        if isinstance(item, ImagePlan):
            self._add_image(item)
        elif item.is_error:
            self._errors += 1
        else:
            self._skipped[item.reason.partition(";")[0]] += 1

    def _add_image(self, image: ImagePlan) -> None:
        if not image.decision.is_work:
            self._complete += image.decision.action == "keep"
            self._left += image.decision.action != "keep"
            return
        self._images += 1
        header, target = image.header, image.target
        self._bytes_in += math.prod(header.levels[0].shape) * np.dtype(header.dtype).itemsize
        if target is not None:
            pixels = sum(math.prod(level.shape) for level in target.levels)
            self._bytes_out += pixels * np.dtype(target.dtype).itemsize
        for channel in image.channels:
            if channel.match is not None:
                self._core_seconds += channel.core_seconds
                self._add_channel(channel, group_name(channel.match.group))
        reached = Counter(channel.match.tier for channel in image.channels if channel.match is not None)
        for tier, count in reached.items():
            channels, images = self._tiers.get(tier, (0, 0))
            self._tiers[tier] = (channels + count, images + 1)

    def _add_channel(self, channel: ChannelPlan, name: str) -> None:
        old = self._groups.get(name, GroupTotal(name, 0, 0, 0.0))
        planes, cost = old.planes + channel.planes, old.relative_cost + channel.relative_cost
        self._groups[name] = GroupTotal(name, old.channels + 1, planes, cost)

    def totals(self) -> Totals:
        """Return what has been counted so far."""
        return Totals(
            images=self._images,
            complete=self._complete,
            left=self._left,
            planes=sum(group.planes for group in self._groups.values()),
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            groups=tuple(sorted(self._groups.values(), key=lambda one: (-one.relative_cost, one.group))),
            tiers=dict(sorted(self._tiers.items(), key=lambda one: (-one[0].count("+"), one[0] == "global"))),
            skipped=dict(self._skipped.most_common()),
            errors=self._errors,
            core_seconds=self._core_seconds,
        )


def group_name(group: Mapping[str, str]) -> str:
    """Return a calibration group in one word, for example ``widefield+nucleus``; ``global`` for none."""
    return "+".join(group.values()) or "global"


def config_name(config: DipConfig) -> str:
    """Return a configuration as depth/width/skip/iterations."""
    return f"{config.depth}/{config.width}/{config.skip}/{config.iterations}"
