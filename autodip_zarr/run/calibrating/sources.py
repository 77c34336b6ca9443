"""The pairs of a calibration: of folders, of lists, and of the layouts of public sets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from autodip_zarr.calibration.table import MeasuredPair
from autodip_zarr.domain import ChannelMetadata, Skipped
from autodip_zarr.errors import AutodipError, OptionError, SourceError
from autodip_zarr.provenance import public_uri
from autodip_zarr.regular_files import read_regular
from autodip_zarr.run.calibrating.layouts import LAYOUTS, layout_pairs
from autodip_zarr.run.calibrating.pairs import (
    Asked,
    CalibrationPair,
    PlaneOf,
    Scales,
    picture_place,
    picture_size,
    picture_state,
)
from autodip_zarr.run.sources.overrides import Knowledge
from autodip_zarr.run.trials.evaluate import FOLDERS_ABOVE
from autodip_zarr.run.trials.pairs import Pair, find_pairs
from autodip_zarr.stores.frames import FRAME_SUFFIXES, Frames, frame_stack

_AUTO: Final = "auto"
_NOISY, _CLEAN = "noisy", "clean"
_COLUMNS: Final = (_NOISY, _CLEAN, "microscope", "specimen", "field")
_HINT: Final = f"for public sets --layout {' | '.join(LAYOUTS)}, for lists a CSV with {', '.join(_COLUMNS)}"


def calibration_pairs(source: str, asked: Asked, knowledge: Knowledge) -> Iterator[CalibrationPair | Skipped]:
    """Yield the pairs of a source, and what cannot be used of it, with reasons.

    Parameters
    ----------
    source : str
        Folder with the folders ``noisy`` and ``clean``, whose images are paired by their path below these;
        CSV of pairs; or with ``asked.layout`` the root of a public set.
    asked : Asked
        What of it is used, and how.
    knowledge : Knowledge
        Reads metadata of images, and what a person says of all.

    Raises
    ------
    OptionError
        If it is no such source.
    """
    for item in _pairs(Path(source).absolute(), asked, knowledge):  # workers may work in another folder
        yield _ordered(item, knowledge) if isinstance(item, CalibrationPair) else item


def _pairs(path: Path, asked: Asked, knowledge: Knowledge) -> Iterator[CalibrationPair | Skipped]:
    if asked.layout != _AUTO:
        if not path.is_dir():
            raise OptionError(str(path), "is no folder", f"the root of a set of the layout {asked.layout}")
        for found in layout_pairs(path, asked):
            yield _skipped(found) if isinstance(found, AutodipError) else found
    elif path.suffix.lower() == ".csv":
        yield from _listed(path, asked, knowledge)
    elif (path / _NOISY).is_dir() and (path / _CLEAN).is_dir():
        yield from _in_folders(path, asked, knowledge)
    else:
        raise OptionError(str(path), "is no source of pairs", f"a folder with {_NOISY} and {_CLEAN}", _HINT)


def _skipped(error: AutodipError, where: str = "") -> Skipped:
    if not where:
        return Skipped(public_uri(error.where), str(error).removeprefix(f"{error.where}: "), is_error=True)
    return Skipped(where, str(error), is_error=True)


def _ordered(pair: CalibrationPair, knowledge: Knowledge) -> CalibrationPair:
    """Let the command line speak about a pair."""
    said = {one.field: one.value for one in knowledge.orders}
    known = pair.known
    microscope, specimen = (said.get(name, getattr(known, name)) for name in ("microscope", "specimen"))
    return replace(pair, known=replace(known, microscope=microscope, specimen=specimen))


def _in_folders(root: Path, asked: Asked, knowledge: Knowledge) -> Iterator[CalibrationPair | Skipped]:
    guessing = replace(knowledge, patterns=(*knowledge.patterns, *FOLDERS_ABOVE))
    files = (path for path in (root / _NOISY).rglob("*") if path.is_file())
    if any(path.suffix.lower() not in FRAME_SUFFIXES for path in files):
        for item in find_pairs([str(root / _NOISY)], [str(root / _CLEAN)], guessing):
            yield from _planes(item, _Row(str(root), {}), asked) if isinstance(item, Pair) else [item]
    yield from _frames_in_folders(root, asked)


def _frames_in_folders(root: Path, asked: Asked) -> Iterator[CalibrationPair | Skipped]:
    """Yield the pairs of those files that nothing else of this program reads: .npy and .mrc."""
    clean = {path.relative_to(root / _CLEAN).with_suffix(""): path for path in _frame_files(root / _CLEAN)}
    for noisy in _frame_files(root / _NOISY):
        name = noisy.relative_to(root / _NOISY).with_suffix("")
        if name not in clean:
            yield Skipped(str(noisy), f"has no partner in {root / _CLEAN}", is_error=True)
            continue
        try:
            said = {
                "name": str(noisy.relative_to(root / _NOISY)),
                "field": str(clean[name].relative_to(root)),
            }
            yield from _frame_pairs(str(noisy), str(clean[name]), _Row(str(root), said), asked)
        except AutodipError as error:
            yield _skipped(error)


def _frame_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in FRAME_SUFFIXES)


@dataclass(frozen=True)
class _Row:
    """What a list says of a pair."""

    where: str
    """File and line, or the folder."""
    said: Mapping[str, str]
    """Name, microscope, specimen and field, as far as they are said."""


def _listed(path: Path, asked: Asked, knowledge: Knowledge) -> Iterator[CalibrationPair | Skipped]:
    try:
        text = read_regular(path).decode("utf-8-sig")
    except OSError as error:
        raise OptionError(str(path), f"cannot be read ({error.strerror})", "a CSV of pairs") from error
    except UnicodeDecodeError as error:
        raise OptionError(str(path), f"not UTF-8 ({error.reason})", "text in UTF-8") from error
    rows = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip().lower() for name in next(rows, [])]
    if not {_NOISY, _CLEAN} <= set(header) <= set(_COLUMNS) or len(set(header)) < len(header):
        found = f"the columns {', '.join(header) or 'of nothing'}"
        raise OptionError(str(path), found, f"{_NOISY} and {_CLEAN}, and perhaps {', '.join(_COLUMNS[2:])}")
    for cells in rows:
        where = f"{path}, line {rows.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        try:
            yield from _row(path, header, cells, where, (asked, knowledge))
        except AutodipError as error:
            yield _skipped(error, where)


def _row(
    path: Path, header: Sequence[str], cells: Sequence[str], where: str, how: tuple[Asked, Knowledge]
) -> Iterator[CalibrationPair | Skipped]:
    asked, knowledge = how
    if len(cells) != len(header):
        raise SourceError(where, f"{len(cells)} cells", f"{len(header)}, as the first line")
    said = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
    for name in (_NOISY, _CLEAN):
        if name not in said:
            raise SourceError(where, f"no {name} image", "a path", "relative ones count from the list")
    for name in ("microscope", "specimen"):
        if name in said:
            term = asked.terms.understand(name, said[name])
            if term is None:
                raise asked.terms.error(f"column {name}", name, said[name], "--vocabulary adds terms")
            said[name] = term
    noisy, clean = (
        said[name] if "://" in said[name] else str(path.parent / said[name]) for name in (_NOISY, _CLEAN)
    )
    row = _Row(where, {"field": said[_CLEAN], **said, "name": said[_NOISY]})
    if any(Path(one).suffix.lower() in FRAME_SUFFIXES for one in (noisy, clean)):
        yield from _frame_pairs(noisy, clean, row, asked)
        return
    for item in find_pairs([noisy], [clean], knowledge):
        yield from _planes(item, row, asked) if isinstance(item, Pair) else [item]


def _planes(pair: Pair, row: _Row, asked: Asked) -> Iterator[CalibrationPair]:
    """Yield every plane of a pair of images; all planes of an image are one field."""
    header = pair.noisy.header
    ref = header.ref
    name = row.said.get("name", ref.relative or public_uri(ref.source).rpartition("/")[2])
    name = name if ref.series is None else f"{name} [{ref.series}]"
    field = row.said.get("field", _field_of(pair, row))
    for channel in pair.noisy.acquisition.channels:
        for t in range(header.size("t")):
            for z in range(header.size("z")):
                is_many = header.size("t") * header.size("z") * header.size("c") > 1
                shown = f"{name} t={t} c={channel.index} z={z}" if is_many else name
                pictures = (PlaneOf(header, channel.index, t, z), PlaneOf(pair.clean, channel.index, t, z))
                yield _made(pictures, _known(shown, field, channel, row), asked.scales)


def _field_of(pair: Pair, row: _Row) -> str:
    """Return what field a pair shows where nobody says: noisy captures of one clean image show one."""
    clean = public_uri(pair.clean.ref.source)
    return clean.removeprefix(f"{row.where.rpartition(', line ')[0] or row.where}/")


def _known(name: str, field: str, channel: ChannelMetadata, row: _Row) -> MeasuredPair:
    said = {term: row.said.get(term, getattr(channel, term)) for term in ("microscope", "specimen")}
    return MeasuredPair(name, field, said["microscope"], said["specimen"])


def _frame_pairs(noisy: str, clean: str, row: _Row, asked: Asked) -> Iterator[CalibrationPair]:
    """Yield a pair for each noisy frame: with the clean frame of its number, or the only one."""
    if noisy == clean:
        raise SourceError(clean, "is the noisy image itself", "another image of the same scene")
    frames, others = (frame_stack(path).frames for path in (noisy, clean))
    if others not in (1, frames):
        raise SourceError(clean, f"holds {others} planes", f"1, or {frames} as {noisy}")
    name, field = (row.said.get("name", Path(noisy).name), row.said.get("field", Path(clean).name))
    for index in range(min(frames, asked.captures) if others == 1 else frames):
        shown = name if frames == 1 else f"{name} {index}"
        known = MeasuredPair(shown, field, row.said.get("microscope"), row.said.get("specimen"))
        pictures = (Frames(noisy, index), Frames(clean, index if others > 1 else 0))
        yield _made(pictures, known, asked.scales)


def _made(
    pictures: tuple[PlaneOf | Frames, PlaneOf | Frames], known: MeasuredPair, scales: Scales
) -> CalibrationPair:
    noisy, clean = pictures
    size, other = picture_size(noisy), picture_size(clean)
    if size != other:
        expected = f"{size[0]} x {size[1]}, as {picture_place(noisy)}"
        raise SourceError(picture_place(clean), f"is {other[0]} x {other[1]} pixels", expected)
    state = f"{picture_state(noisy)} {picture_state(clean)}"
    return CalibrationPair(known, noisy, clean, size, scales, state)
