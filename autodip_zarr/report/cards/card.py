"""The card of an image: how it stands, its channels with their pictures, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from autodip_zarr.report.cards.looks import Check
from autodip_zarr.report.cards.standing import standing
from autodip_zarr.report.cards.words import NUMBERS
from autodip_zarr.run.results.review import ReviewedChannel, ReviewedImage
from autodip_zarr.shown.html import (
    NOTHING,
    Html,
    card,
    facts,
    group,
    heading,
    items,
    paragraph,
    state,
    summary,
    table,
    text,
)

_LONGEST: Final = 160
"""Characters of a text of the metadata that are shown."""
_TIERS: Final = {
    "microscope+specimen": "by microscope and specimen",
    "microscope": "by microscope alone",
    "specimen": "by specimen alone",
    "global": "by nothing: the average of the table was taken",
}


@dataclass(frozen=True)
class Shown:
    """What is shown of a channel beyond what its result says in words."""

    pictures: Sequence[Html] = ()
    """Pictures and charts."""
    checks: Sequence[Check] = ()
    """What its plane in the middle tells of its quality."""


@dataclass
class Card:
    """An image, and what is shown of it."""

    image: ReviewedImage
    """What the result says of itself."""
    name: str
    """What the page calls it."""
    anchor: str
    """By which name links find it."""
    thumbnail: Html = NOTHING
    """A small picture."""
    channels: dict[int, Shown] = field(default_factory=dict)
    """Channels that were looked at."""
    notes: list[str] = field(default_factory=list)
    """What was found while looking, for example that the source is gone."""

    def html(self) -> Html:
        """Return the card."""
        stands = standing(self.image)
        seen = summary(state(stands.kind, stands.text), self.name, self._brief(), self.thumbnail)
        return card(self.anchor, seen, self._inside(), self._data(stands.kind, stands.word))

    def _brief(self) -> str:
        channels = self.image.channels
        done, planes = sum(one.denoised for one in channels), sum(one.planes for one in channels)
        failed = len(self.image.failures)
        told = f"{done} of {planes} planes denoised" + (f", {failed} failed or not done" if failed else "")
        return " · ".join([told, *(_channel_brief(one) for one in channels)])

    def _data(self, kind: str, word: str) -> Mapping[str, object]:
        denoised = [one for one in self.image.channels if one.numbers]
        ratios = [
            one.numbers["residual_std"] / one.numbers["noise_before"]
            for one in denoised
            if one.numbers.get("noise_before", 0) > 0 and "residual_std" in one.numbers
        ]
        losses = [one.numbers["loss"] for one in denoised if "loss" in one.numbers]
        seconds = [one.numbers.get("seconds", 0) * one.denoised for one in denoised]
        return {
            "kind": kind,
            "state": word,
            "name": self.name,
            "group": "\n".join(dict.fromkeys(one.group for one in denoised if one.group)),
            "tier": "\n".join(dict.fromkeys(one.tier for one in denoised if one.tier)),
            "loss": f"{max(losses):.6g}" if losses else "",
            "residual": f"{max(ratios):.4g}" if ratios else "",
            "seconds": f"{sum(seconds):.1f}" if seconds else "",
        }

    def _inside(self) -> Iterator[Html]:
        image = self.image
        finished = [("finished", image.finished, "")] if image.finished else []
        yield facts([("source", image.source, ""), ("result", image.target, ""), *finished])
        warnings = list(dict.fromkeys([*image.warnings(), *self.notes]))
        if warnings:
            yield heading("Worth a look", level=4)
            yield items(text(one) for one in warnings)
        for channel in image.channels:
            shown = self.channels.get(channel.index, Shown())
            yield group(_channel(channel, shown, image.source), "channel")


def channel_name(channel: ReviewedChannel) -> str:
    """Return the number and the name of a channel."""
    return f"{channel.index} {channel.name or ''}".strip()


def _channel_brief(channel: ReviewedChannel) -> str:
    if channel.group is None:
        return f"{channel_name(channel)}: copied"
    return f"{channel_name(channel)}: {channel.group}, {channel.config or '?'}"


def _channel(channel: ReviewedChannel, shown: Shown, source: str) -> Iterator[Html]:
    yield heading(f"Channel {channel_name(channel)}", level=4)
    if channel.group is None:
        yield paragraph(f"copied: {channel.reason or 'not chosen'}")
    yield from shown.pictures
    yield group([_match(channel, source), _numbers(channel, shown)], "columns")


def _match(channel: ReviewedChannel, source: str) -> Html:
    """Return what is known of a channel, by what it was matched, and what the metadata said."""
    rows: list[tuple[str, object, str]] = [
        ("microscope", channel.microscope, ""),
        ("specimen", channel.specimen, ""),
    ]
    if channel.group is not None:
        missing = f"Not known or not calibrated: {', '.join(channel.missing)}." if channel.missing else ""
        tier = _TIERS.get(channel.tier or "", channel.tier)
        rows.append(("matched", tier, missing))
        rows.append(("calibration group", channel.group, ""))
        rows.append(("configuration", channel.config, "Depth, width, skip connections, iterations."))
    evidence = [
        (what, value or "not understood", _cut(raw), where.removeprefix(source).lstrip("#:/ "))
        for what, value, raw, where in channel.evidence
    ]
    parts = [facts(rows)]
    if evidence:
        parts.append(paragraph("What the metadata said, the most trusted first:", small=True))
        parts.append(table(("about", "understood as", "text", "where"), evidence))
    return group(parts)


def _cut(raw: str) -> str:
    """Return a text as it was found, or its beginning: some headers stand in one text."""
    return raw if len(raw) <= _LONGEST else f"{raw[:_LONGEST]} ..."


def _numbers(channel: ReviewedChannel, shown: Shown) -> Html:
    """Return the numbers of the record, explained where the channel has pictures, and the checks."""
    rows: list[tuple[str, object, str]] = [
        (word.name, f"{channel.numbers[name]:.{word.digits}f}", word.meaning if shown.pictures else "")
        for name, word in NUMBERS.items()
        if name in channel.numbers and (channel.numbers[name] or not word.is_rare)
    ]
    rows += [(name, f"{value:.3f}", meaning) for name, value, meaning in shown.checks]
    return facts(rows)
