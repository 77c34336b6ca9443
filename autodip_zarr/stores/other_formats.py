"""Formats of microscopes and cameras that are not read, known by the names of their files."""

from __future__ import annotations

_PICTURES = (".png", ".bmp", ".jpg", ".jpeg")
"""Pictures of one plane, which are read where a file is named."""

_VENDORS = (
    ".czi", ".zvi", ".nd2", ".lif", ".lof", ".xlef", ".oib", ".oif", ".oir", ".vsi", ".ims", ".sld",
    ".sldy", ".nd", ".dv", ".r3d", ".mvd2", ".flex", ".c01", ".dib", ".xdce", ".mrxs", ".ndpi",
    ".svs", ".scn", ".vms", ".bif", ".qptiff", ".msr", ".obf", ".ics", ".ids", ".spe", ".sif", ".fits",
    ".dm3", ".dm4", ".mrc", ".rec", ".h5", ".hdf5", ".n5", ".dcm", ".nii", ".nrrd", ".mha", ".pic", ".sdt",
)  # fmt: skip
"""Native formats that Bio-Formats or a tool of the vendor converts."""


def vendor_ending(name: str) -> str | None:
    """Return how the name of a file in a format of a vendor ends, ``None`` for any other file."""
    ending = f".{name.rpartition('.')[2].lower()}" if "." in name else ""
    return ending if ending in _VENDORS else None


def is_picture_name(name: str) -> bool:
    """Return whether a file is named like a picture of one plane."""
    return name.lower().endswith(_PICTURES)
