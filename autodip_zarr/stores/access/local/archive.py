"""The inside of a zip archive as a file system, whose directory is put in order once."""

from __future__ import annotations

from typing import Any

from fsspec.implementations.zip import ZipFileSystem

_MAX_DEPTH = 64
"""Folders inside each other; names of more are refused, since every folder on the way is kept."""


class ArchiveFileSystem(ZipFileSystem):  # type: ignore[misc] # fsspec has no types
    """A zip archive for reading, in which a folder is listed without looking at everything.

    Parameters
    ----------
    content : str or file
        Path of the archive, or the open archive.

    Raises
    ------
    ValueError
        It has a name of more folders than is honest.
    """

    dir_cache: Any
    _inside: dict[str, list[str]]

    def __init__(self, content: Any) -> None:  # noqa: ANN401
        super().__init__(fo=content, mode="r")
        self._get_dirs()

    def _get_dirs(self) -> None:
        if self.dir_cache is not None:
            return
        known: dict[str, dict[str, Any]] = {}
        inside: dict[str, list[str]] = {"": []}
        for member in self.zip.infolist():
            name, kind = member.filename.rstrip("/"), "directory" if member.is_dir() else "file"
            if name.count("/") > _MAX_DEPTH:
                raise ValueError(f"it has a name of more than {_MAX_DEPTH} folders")
            while name and name not in known:  # and the folders around it, as far as they are not known
                known[name] = {"name": name, "size": member.file_size, "type": kind}
                parent, kind = name.rpartition("/")[0], "directory"
                inside.setdefault(parent, []).append(name)
                name = parent
        self.dir_cache, self._inside = known, inside

    def ls(self, path: str, detail: bool = True, **_: object) -> list[Any]:
        """Return what lies in a folder, in the order of the names."""
        key = self._strip_protocol(path)
        if key in self._inside:
            names = sorted(self._inside[key])
        else:
            names = [key] if self.info(key)["type"] == "file" else []
        return [self.dir_cache[name] for name in names] if detail else names
