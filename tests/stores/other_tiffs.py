"""Small files as the laser scanning microscopes of Zeiss, and MetaMorph, write them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

_STACK, _TIME_STACK = 0, 6
_PLACEHOLDER = 65000
_INFO = tifffile.TIFF.CZ_LSMINFO
_RECORDING, _TRACKS, _TRACK = 0x10000000, 0x20000000, 0x40000000
_DETECTION, _ILLUMINATION = (0x60000000, 0x70000000), (0x80000000, 0x90000000)


@dataclass(frozen=True)
class Told:
    """What the header of a file tells."""

    voxel_m: tuple[float, float, float] = (1e-7, 1e-7, 3e-7)
    """Size of a voxel along x, y and z in meters."""
    interval_s: float = 0.0
    """Time between time points."""
    names: Sequence[str] = ()
    """Names of the channels."""
    dyes: Sequence[str] = ()
    """Dye of each channel."""
    waves_nm: Sequence[float] = ()
    """Wavelengths of excitation."""
    notes: str = ""
    """What somebody wrote."""
    positions: int = 0
    """Positions on the stage."""


def write_lsm(path: Path, data: NDArray[Any], told: Told = Told()) -> Path:
    """Write (T, Z, C, Y, X) as pages of C samples, each followed by its thumbnail."""
    info = np.zeros(1, np.dtype([(name or f"reserved{i}", kind) for i, (name, kind) in enumerate(_INFO)]))
    t, z, c, y, x = data.shape
    info["MagicNumber"], info["StructureSize"] = 67127628, info.itemsize
    for name, size in zip(("X", "Y", "Z", "Channels", "Time"), (x, y, z, c, t), strict=True):
        info[f"Dimension{name}"] = size
    for axis, size in zip("XYZ", told.voxel_m, strict=True):
        info[f"VoxelSize{axis}"] = size
    info["ScanType"] = _TIME_STACK if t > 1 else _STACK
    info["TimeIntervall"], info["DimensionP"] = told.interval_s, told.positions
    with tifffile.TiffWriter(path, byteorder="<") as tif:
        for number, page in enumerate(data.reshape(-1, c, y, x)):
            tags = [(_PLACEHOLDER, 1, info.nbytes, info.tobytes(), True)] if number == 0 else []
            split: dict[str, Any] = {"planarconfig": "separate"} if c > 1 else {}
            if c > 1:
                split["extrasamples"] = [0] * (c - 1)
            pixels = page if c > 1 else page[0]
            tif.write(pixels, photometric="minisblack", metadata=None, extratags=tags, **split)
            thumbnail = np.full((8, 8, 3), 200, "uint8")
            tif.write(thumbnail, photometric="rgb", subfiletype=1, metadata=None)
    with tifffile.TiffFile(path) as tif:
        tag = tif.pages.first.tags[_PLACEHOLDER]
        widths = [page.aspage().tags[258].valueoffset for page in tif.pages[::2]]
    content = bytearray(path.read_bytes())
    content[tag.offset : tag.offset + 2] = (34412).to_bytes(2, "little")
    if c == 2:  # two widths stand elsewhere, although they would fit into their tag
        for at in widths:
            old = bytes(content[at : at + 4])
            content[at : at + 4] = len(content).to_bytes(4, "little")
            content += old
    for name, record in (("ChannelColors", _colors(told.names)), ("ScanInformation", _scan(told))):
        if record:
            info[f"Offset{name}"] = len(content)
            content += record
    content[tag.valueoffset : tag.valueoffset + info.nbytes] = info.tobytes()
    path.write_bytes(content)
    return path


def write_stk(path: Path, data: NDArray[Any], *, z_um: float = 0.0, step_ms: int = 0) -> Path:
    """Write (N, Y, X) as MetaMorph does: planes one after the other, and one page for all of them."""
    codes = {65000: (33628, 4, 0), 65001: (33629, 5, len(data))}  # UIC1 and UIC2
    with tifffile.TiffWriter(path, byteorder="<") as tif:
        tags = [(code, 4, 2, (0, 0), True) for code in codes]
        tif.write(data[0], metadata=None, rowsperstrip=data.shape[1], extratags=tags)
    with tifffile.TiffFile(path) as tif:
        found = tif.pages.first.tags
        at, offsets = found[273].valueoffset, {code: found[code].offset for code in codes}
    content = bytearray(path.read_bytes())
    content[at : at + 4] = len(content).to_bytes(4, "little")
    content += data.tobytes()
    planes = [(int(z_um * 1000), 1000, 2_458_000, n * step_ms, 2_458_000, 0) for n in range(len(data))]
    for old, (code, kind, count) in codes.items():
        place = offsets[old]
        content[place : place + 12] = struct.pack("<HHII", code, kind, count, len(content))
    path.write_bytes(content + b"".join(struct.pack("<6I", *plane) for plane in planes))
    return path


def _colors(names: Sequence[str]) -> bytes:
    colors = [(0, 255, 0, 0), (255, 0, 0, 0), (0, 0, 255, 0)]
    texts = b"".join(struct.pack("<I", len(name) + 1) + name.encode() + b"\0" for name in names)
    body = b"".join(bytes(colors[i % 3]) for i in range(len(names)))
    size = 24 + len(body) + len(texts)
    head = struct.pack("<IIIIII", size, len(names), len(names), 24, 24 + len(body), 0)
    return head + body + texts if names else b""


def _entry(code: int, value: str | float | int | None = None) -> bytes:
    if isinstance(value, str):
        text = value.encode() + b"\0"
        return struct.pack("<III", code, 2, len(text)) + text
    if value is None:
        return struct.pack("<III", code, 0, 0)
    kind = (5, 8, "d") if isinstance(value, float) else (4, 4, "i")
    return struct.pack(f"<III{kind[2]}", code, kind[0], kind[1], value)


_END = _entry(0xFFFFFFFF)


def _scan(told: Told) -> bytes:
    detection = b"".join(
        _entry(_DETECTION[1]) + _entry(0x7000000B, 1) + _entry(0x70000026, dye) + _END for dye in told.dyes
    )
    light = b"".join(_entry(_ILLUMINATION[1]) + _entry(0x90000003, float(w)) + _END for w in told.waves_nm)
    track = _entry(_DETECTION[0]) + detection + _END + _entry(_ILLUMINATION[0]) + light + _END
    body = _entry(0x10000003, told.notes) + _entry(_TRACKS) + _entry(_TRACK) + track + _END + _END
    return _entry(_RECORDING) + body + _END
