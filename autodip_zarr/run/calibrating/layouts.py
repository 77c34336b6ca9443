"""The sets of images that the method was published with, as their makers lay them out on disk.

Each function yields the noisy and the clean picture of pairs, with a name, a field and terms; terms are those
of the vocabulary. Sources: the loaders that the authors of AUTO-DIP published.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from autodip_zarr.calibration.table import MeasuredPair
from autodip_zarr.errors import AutodipError, OptionError, SourceError
from autodip_zarr.run.calibrating.pairs import Asked, CalibrationPair, Scales, picture_size, picture_state
from autodip_zarr.stores.frames import Frames, frame_stack

_FMD_LEVELS: Final = ("raw", "avg2", "avg4", "avg8", "avg16")
_FMD_CLEAN: Final = "gt"
_FMD_MIXED: Final = "test_mix"
_FMD_SET: Final = re.compile(r"(?P<microscope>[A-Za-z]+)_(?P<sample>[A-Za-z]+)(?:_(?P<channel>[RGB]))?")
_FMD_MICROSCOPES: Final = {"confocal": "confocal", "twophoton": "twophoton", "widefield": "widefield"}
_FMD_CHANNELS: Final = {"R": "mito", "G": "actin", "B": "nucleus"}
"""Of cells with MitoTracker Red, BODIPY phalloidin and DAPI; all other samples show nuclei."""

_HAGEN: Final = re.compile(
    r"(?P<specimen>[a-z]+)(?:-(?P<middle>.+?))??(?:-noise(?P<level>\d+))?-(?P<snr>low|high)snr", re.IGNORECASE
)
_HAGEN_TEST: Final = 10
"""One page in so many, the last ones, is for tests, and is left for them."""

_BIOSR_SPECIMENS: Final = {"CCPs": "clathrin", "ER": "er", "F-actin": "actin", "Microtubules": "tubulin"}
_BIOSR_LEVEL: Final = re.compile(r"level_(\d+)")
_W2S_NAME: Final = re.compile(r"wf_channel(\d+)")
_W2S_SPECIMENS: Final = {"0": "mito", "1": "tubulin", "2": "actin"}
"""By the look of the images: the set names its channels by wavelength alone."""

_SHAH: Final = re.compile(r"_FOV_(\d+)_Timestamp_(\d+)_number_(\d+)$")


@dataclass(frozen=True)
class _Place:
    """Where a pair lies, before its files are looked at."""

    known: MeasuredPair
    noisy: Frames
    clean: Frames


def layout_pairs(root: Path, asked: Asked) -> Iterator[CalibrationPair | SourceError]:
    """Yield the pairs of a set, and what is wrong with others.

    Raises
    ------
    OptionError
        If there is no such layout or level, or nothing of the kind lies there.
    """
    layout = LAYOUTS[asked.layout]
    found = 0
    for place in layout.places(root, asked):
        found += 1
        yield place if isinstance(place, SourceError) else _checked(place, layout, asked)
    if not found:
        raise OptionError(f"{root}", f"holds nothing of the layout {asked.layout}", layout.looks_like)


def _checked(place: _Place, layout: _Layout, asked: Asked) -> CalibrationPair | SourceError:
    """Look at the files of a pair, without reading planes."""
    try:
        size, other = picture_size(place.noisy), picture_size(place.clean)
        state = f"{picture_state(place.noisy)} {picture_state(place.clean)}"
    except AutodipError as error:
        return SourceError(error.where, error.found, error.expected, error.hint)
    if size != other:
        expected = f"{size[0]} x {size[1]} pixels, as {place.noisy.path}"
        return SourceError(place.clean.path, f"is {other[0]} x {other[1]} pixels", expected)
    scales = layout.scales if asked.scales == "auto" else asked.scales
    return CalibrationPair(place.known, place.noisy, place.clean, size, scales, state)


def _fmd(root: Path, asked: Asked) -> Iterator[_Place | SourceError]:
    levels = _levels(asked, _FMD_LEVELS[:1], _FMD_LEVELS)
    for folder in _folders(root):
        terms = _fmd_terms(folder.name)
        if folder.name == _FMD_MIXED:
            yield from _fmd_mixed(folder, levels)
        elif terms is not None:
            for field in _folders(folder / _FMD_CLEAN):
                for level in levels:
                    yield from _fmd_field(folder, field, level, asked.captures)


def _fmd_field(folder: Path, field: Path, level: str, captures: int) -> Iterator[_Place | SourceError]:
    terms = _fmd_terms(folder.name) or (None, None)
    clean = sorted(field.glob("*.png"))
    if not clean:
        yield SourceError(str(field), "holds no PNG", "the average of 50 captures")
        return
    shown = f"{folder.name}/{field.name}"
    noisy = sorted((folder / level / field.name).glob("*.png"))
    if not noisy:
        yield SourceError(str(folder / level / field.name), "holds no PNG", "captures")
    for capture in noisy[:captures]:
        known = MeasuredPair(f"{shown}/{level}/{capture.stem}", shown, *terms)
        yield _Place(known, Frames(str(capture)), Frames(str(clean[0])))


def _fmd_mixed(folder: Path, levels: Sequence[str]) -> Iterator[_Place | SourceError]:
    """Yield the pairs of the test set, whose files are named by set and field."""
    for clean in sorted((folder / _FMD_CLEAN).glob("*.png")):
        named = _FMD_SET.match(clean.stem)
        terms = (None, None) if named is None else _fmd_terms(named[0]) or (None, None)
        for level in levels:
            noisy, field = folder / level / clean.name, f"{_FMD_MIXED}/{clean.stem}"
            known = MeasuredPair(f"{field}/{level}", field, *terms)
            yield _Place(known, Frames(str(noisy)), Frames(str(clean)))


def _fmd_terms(name: str) -> tuple[str | None, str | None] | None:
    found = _FMD_SET.match(name)
    microscope = None if found is None else _FMD_MICROSCOPES.get(found["microscope"].lower())
    if found is None or microscope is None:
        return None
    return microscope, _FMD_CHANNELS[found["channel"]] if found["channel"] else "nucleus"


def _hagen(root: Path, asked: Asked) -> Iterator[_Place | SourceError]:
    for noisy in sorted(root.glob("*.tif")):
        named = _HAGEN.fullmatch(noisy.stem)
        if named is None or named["snr"].lower() != "low":
            continue
        if asked.levels is not None and named["level"] not in asked.levels:
            continue
        clean = noisy.with_name(f"{noisy.stem[: -len('lowsnr')]}highsnr{noisy.suffix}")
        yield from _hagen_pages(noisy, clean, named, asked)


def _hagen_pages(
    noisy: Path, clean: Path, named: re.Match[str], asked: Asked
) -> Iterator[_Place | SourceError]:
    microscope = "confocal" if "confocal" in (named["middle"] or "").lower() else "widefield"
    specimen = asked.terms.understand("specimen", named["specimen"])
    try:
        pages, others = (frame_stack(str(path)).frames for path in (noisy, clean))
    except SourceError as error:
        yield error
        return
    if pages != others:
        yield SourceError(str(clean), f"holds {others} pages", f"{pages}, as {noisy}")
        return
    name = noisy.stem.removesuffix("-lowsnr")
    field = name.partition("-noise")[0]
    for page in range(pages - pages // _HAGEN_TEST):
        known = MeasuredPair(f"{name}/{page}", f"{field}/{page}", microscope, specimen)
        yield _Place(known, Frames(str(noisy), page), Frames(str(clean), page))


def _biosr(root: Path, asked: Asked) -> Iterator[_Place | SourceError]:
    for folder in _folders(root):
        if folder.name not in _BIOSR_SPECIMENS:
            continue
        for cell in _folders(folder):
            yield from _biosr_cell(cell, _BIOSR_SPECIMENS[folder.name], asked.levels)


def _biosr_cell(cell: Path, specimen: str, levels: Sequence[str] | None) -> Iterator[_Place | SourceError]:
    field = f"{cell.parent.name}/{cell.name}"
    noisy = sorted([*cell.glob("RawSIMData_level_*.mrc"), *cell.glob("RawSIMData/*level_*.mrc")])
    for path in noisy:
        level = _BIOSR_LEVEL.search(path.stem)
        if level is None or (levels is not None and level[1] not in levels):
            continue
        clean = cell / "RawSIMData_gt.mrc"
        if path.parent != cell:  # endoplasmic reticulum: a clean stack for each level
            partners = sorted((cell / "RawGTSIMData").glob(f"*level_{level[1]}.mrc"))
            clean = partners[0] if partners else cell / "RawGTSIMData" / f"level_{level[1]}.mrc"
        known = MeasuredPair(f"{field}/level_{level[1]}", field, "widefield", specimen)
        yield _Place(known, Frames(str(path), 0, None), Frames(str(clean), 0, None))


def _w2s(root: Path, asked: Asked) -> Iterator[_Place | SourceError]:
    folder = root / "raw" if (root / "raw").is_dir() else root
    for path in sorted(folder.glob("Image*/wf_channel*.npy")):
        channel = _W2S_NAME.fullmatch(path.stem)
        if channel is None:
            continue
        field = path.parent.name
        for count in _counts(asked):
            known = MeasuredPair(
                f"{field}/{path.stem}/mean{count}", field, "widefield", _W2S_SPECIMENS.get(channel[1])
            )
            yield _Place(known, Frames(str(path), 0, count), Frames(str(path), 0, None))


def _shah(root: Path, asked: Asked) -> Iterator[_Place | SourceError]:
    folder = root / "DataSet3" if (root / "DataSet3").is_dir() else root
    clean = {
        named[0]: path
        for path in sorted((folder / "Reference_Images").glob("*.tif"))
        if (named := _SHAH.search(path.stem))
    }
    for path in sorted((folder / "Noisy_ImageStacks").glob("*.tif")):
        named = _SHAH.search(path.stem)
        if named is None:
            continue
        if named[0] not in clean:
            yield SourceError(
                str(path), "has no partner in Reference_Images", f"a file that ends {named[0]}.tif"
            )
            continue
        for count in _counts(asked):
            known = MeasuredPair(f"{path.stem}/mean{count}", f"FOV_{named[1]}", "widefield", "tubulin")
            yield _Place(known, Frames(str(path), 0, count), Frames(str(clean[named[0]])))


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _levels(asked: Asked, usual: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    wrong = [level for level in asked.levels or () if level not in known]
    if wrong:
        raise OptionError("--levels", ", ".join(wrong), f"some of {', '.join(known)}")
    return asked.levels or usual


def _counts(asked: Asked) -> list[int]:
    """Return of how many captures noisy planes are the mean."""
    levels = asked.levels or ("1",)
    if not all(level.isascii() and level.isdigit() and int(level) for level in levels):
        raise OptionError("--levels", ", ".join(levels), "numbers of captures that are averaged: 1,2,4")
    return [int(level) for level in levels]


@dataclass(frozen=True)
class _Layout:
    """A set of images."""

    places: Callable[[Path, Asked], Iterator[_Place | SourceError]]
    """Finds its pairs."""
    scales: Scales
    """Whether the scales of its pairs differ."""
    looks_like: str
    """How it lies on disk, for messages."""


LAYOUTS: Final[Mapping[str, _Layout]] = {
    "fmd": _Layout(_fmd, "same", "<Microscope>_<Sample>[_<Channel>]/{raw,avg2,...,gt}/<fov>/*.png"),
    "hagen": _Layout(_hagen, "fitted", "<specimen>-...-{low,high}snr.tif"),
    "biosr": _Layout(_biosr, "fitted", "<specimen>/Cell_<NNN>/RawSIMData_{gt,level_<NN>}.mrc"),
    "w2s": _Layout(_w2s, "fitted", "raw/Image<NNN>/wf_channel<C>.npy"),
    "shah": _Layout(_shah, "fitted", "DataSet3/{Noisy_ImageStacks,Reference_Images}/*_FOV_<n>_...tif"),
}
"""What sets are called."""
