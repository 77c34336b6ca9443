"""Values that are a table to people: in a notebook, and as a data frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final

from autodip_zarr.errors import OptionError
from autodip_zarr.shown.html import Html, paragraph, table, warning_list

if TYPE_CHECKING:
    from pandas import DataFrame

_MOST_ROWS: Final = 100
"""Rows that a notebook shows; a data frame has them all."""


class Tabular(ABC):
    """A value with rows; whoever inherits says which, and what they come to."""

    _COLUMNS: ClassVar[Sequence[str]] = ()
    """Names of the columns."""

    @abstractmethod
    def _rows(self) -> Iterator[Sequence[object]]:
        """Yield the rows, with the values themselves."""

    @abstractmethod
    def _headline(self) -> str:
        """Return in one line what the rows come to."""

    def _warnings(self) -> Iterable[str]:
        """Return what a person should look at first."""
        return ()

    def to_dataframe(self) -> DataFrame:
        """Return all rows as a data frame of pandas.

        Raises
        ------
        OptionError
            pandas is not installed.
        """
        try:
            import pandas as pd  # noqa: PLC0415 - not needed otherwise
        except ImportError as error:
            hint = "install it: pip install pandas"
            raise OptionError("to_dataframe", "pandas is not installed", "pandas", hint) from error
        return pd.DataFrame(list(self._rows()), columns=list(self._COLUMNS))

    def _repr_html_(self) -> str:
        """Return what a notebook shows: one line, what to look at, and the first rows; all of it escaped."""
        rows = self._rows()
        first = [[_text(cell) for cell in row] for row in islice(rows, _MOST_ROWS)]
        more = sum(1 for _ in rows)
        parts: list[Html] = [paragraph(self._headline()), warning_list(self._warnings())]
        if first:
            parts.append(table(self._COLUMNS, first))
        if more:
            parts.append(paragraph(f"... and {more} more rows; to_dataframe() has them all"))
        return "\n".join(part for part in parts if part)


def _text(cell: Any) -> object:  # noqa: ANN401 - of any type
    """Return a cell as people read it: numbers with few digits, lists in one line."""
    if isinstance(cell, float):
        return f"{cell:.4g}"
    if isinstance(cell, tuple):
        return "; ".join(map(str, cell))
    return cell
