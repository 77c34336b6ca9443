"""Links in the place of folders, which are never followed where something is written or deleted."""

from __future__ import annotations

import os
from pathlib import Path

from autodip_zarr.errors import TargetError
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE


def refuse_link_on_the_way(folder: str, key: str) -> None:
    """Refuse to change a key of a folder if one of the folders between them is a link that leads elsewhere.

    A folder that this program makes in every result counts itself, too, when it is the folder.

    Raises
    ------
    TargetError
        There is such a link.
    """
    if Path(folder).name == RESULT_ATTRIBUTE:
        refuse_link(folder)
    for part in key.split("/")[:-1]:
        folder = f"{folder}/{part}"
        refuse_link(folder)


def refuse_link(path: str) -> None:
    """Refuse to write to, or to delete, what is a link: that would be somewhere else.

    Raises
    ------
    TargetError
        It is a link.
    """
    if os.path.islink(path):  # noqa: PTH114 - asked for each object that is written
        hint = "somebody has put it there: remove it, or choose another place for the result"
        raise TargetError(path, "is a link", "a folder of the result", hint)
