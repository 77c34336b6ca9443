"""Which images, channels and planes were chosen, from what a person typed."""

from __future__ import annotations

from collections.abc import Sequence

from autodip_zarr.domain import FieldOfPlate
from autodip_zarr.errors import OptionError
from autodip_zarr.metadata import is_field, is_well


def check_selection(wells: str | None, fields: str | None) -> None:
    """Refuse selections of wells and fields that name nothing.

    Raises
    ------
    OptionError
        If an entry is empty.
    """
    examples = {"--wells": "wells such as A01,B*", "--fields": "fields such as 0,1 or 0:3"}
    for option, text in (("--wells", wells), ("--fields", fields)):
        if text is not None and not all(part.strip() for part in text.split(",")):
            raise OptionError(option, repr(text), examples[option])


def is_chosen_place(plate: FieldOfPlate | None, wells: str | None, fields: str | None) -> bool:
    """Whether an image lies in the wells and fields that were chosen.

    Parameters
    ----------
    plate : FieldOfPlate or None
        Where it lies; ``None`` outside plates, which no well is.
    wells, fields : str or None
        Comma-separated, for example ``A01,B*`` and ``0``; ``None`` for all.
    """
    if wells is None and fields is None:
        return True
    if plate is None:
        return False
    in_well = wells is None or is_well(plate, wells.split(","))
    return in_well and (fields is None or is_field(plate, fields.split(",")))


def choose_indices(text: str | None, size: int, option: str) -> tuple[int, ...]:
    """Read a selection of time points or depths.

    Parameters
    ----------
    text : str or None
        Indices and half-open ranges, comma-separated, as in Python: ``0,3:7,-1``; ``None`` for all.
    size : int
        How many there are; indices beyond are left out, since images of one archive differ in size.
    option : str
        Name of the option, for the message.

    Raises
    ------
    OptionError
        If the text is not such a selection.
    """
    if text is None:
        return tuple(range(size))
    chosen: set[int] = set()
    for part in text.split(","):
        try:
            ends = [int(end) if end.strip() else None for end in part.split(":")]
        except ValueError:
            ends = []
        if len(ends) == 1 and ends[0] is not None:
            index = ends[0] + size if ends[0] < 0 else ends[0]
            chosen |= {index} & set(range(size))
        elif len(ends) == 2:
            chosen |= set(range(size)[slice(*ends)])
        else:
            raise OptionError(option, f"{text!r}", "indices and ranges such as 0,3:7", "counted from 0")
    return tuple(sorted(chosen))


def choose_channels(text: str | None, names: Sequence[str | None]) -> frozenset[int]:
    """Read a selection of channels by name (case does not matter) or index.

    Parameters
    ----------
    text : str or None
        Comma-separated, for example ``DAPI,2``; ``None`` for all.
    names : sequence of str or None
        Names of the channels of one image.
    """
    if text is None:
        return frozenset(range(len(names)))
    wanted = {part.strip().casefold() for part in text.split(",")}
    return frozenset(
        index for index, name in enumerate(names) if str(index) in wanted or (name or "").casefold() in wanted
    )
