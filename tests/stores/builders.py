"""Real stores and files, written with zarr and tifffile alone, so that the package is not its own witness."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray
from zarr.errors import ZarrUserWarning

from autodip_zarr.domain import Block, Header, ImageRef, Skipped, TargetSpec
from autodip_zarr.stores import (
    RECORD_FIELDS,
    create_target,
    finish_target,
    plan_layout,
    read_planes,
    walk,
    write_block,
    write_record,
)

TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
ZarrFormat = Literal[2, 3]


def pixels(shape: Sequence[int], dtype: str = "uint16", seed: int = 0) -> NDArray[Any]:
    """Return pixels that all differ from plane to plane."""
    return np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)


def write_json(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def write_group(path: Path, zarr_format: ZarrFormat, attributes: Mapping[str, object]) -> None:
    """Write the metadata of a group, wrapped as the version wants it."""
    if zarr_format == 3:
        ome = {"version": "0.5", **attributes} if attributes else None
        inner = {"ome": ome} if ome else {}
        write_json(path / "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": inner})
    else:
        write_json(path / ".zgroup", {"zarr_format": 2})
        write_json(path / ".zattrs", dict(attributes))


def write_array(path: Path, data: NDArray[Any], zarr_format: ZarrFormat, **options: Any) -> None:
    """Write one array of a store."""
    if zarr_format == 2:
        options.setdefault("chunk_key_encoding", {"name": "v2", "separator": "/"})
    options.setdefault("chunks", (*[1] * (data.ndim - 2), *data.shape[-2:]))
    store = zarr.storage.LocalStore(path)
    array = zarr.create_array(store, shape=data.shape, dtype=data.dtype, zarr_format=zarr_format, **options)
    array[...] = data


def write_image(
    path: Path,
    data: NDArray[Any],
    axes: str = "tczyx",
    zarr_format: ZarrFormat = 3,
    extra: Mapping[str, object] | None = None,
) -> Path:
    """Write an OME-Zarr image of one level, 0.4 or 0.5, and return its path."""
    image: dict[str, object] = {
        "name": path.name,
        "axes": [{"name": name, "type": TYPES[name]} for name in axes],
        "datasets": [
            {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0] * len(axes)}]}
        ],
    }
    if zarr_format == 2:
        image["version"] = "0.4"
    write_group(path, zarr_format, {"multiscales": [image], **(extra or {})})
    names = {"dimension_names": list(axes)} if zarr_format == 3 else {}
    write_array(path / "0", data, zarr_format, **names)
    return path


def write_plate(
    path: Path, zarr_format: ZarrFormat, wells: Sequence[str] = ("A/1", "B/2"), fields: int = 2
) -> Path:
    """Write a plate with 2 rows and 2 columns, and one small image in each field."""
    plate = {
        "name": "plate",
        "rows": [{"name": "A"}, {"name": "B"}],
        "columns": [{"name": "1"}, {"name": "2"}],
        "acquisitions": [{"id": 7}],
        "field_count": fields,
        "wells": [
            {"path": well, "rowIndex": "AB".index(well[0]), "columnIndex": "12".index(well[2])}
            for well in wells
        ],
    }
    version = {"version": "0.4" if zarr_format == 2 else "0.5"}
    write_group(path, zarr_format, {"plate": {**plate, **version}})
    for number, well in enumerate(wells):
        write_group(path / well[0], zarr_format, {})
        images = [{"path": str(index), "acquisition": 7} for index in range(fields)]
        write_group(path / well, zarr_format, {"well": {"images": images, **version}})
        for index in range(fields):
            write_image(
                path / well / str(index), pixels((1, 8, 9), seed=number * 10 + index), "cyx", zarr_format
            )
    return path


def write_series(path: Path, zarr_format: ZarrFormat, names: Sequence[str] = ("0", "1")) -> Path:
    """Write a bioformats2raw layout with an OME-XML of as many images."""
    write_group(path, zarr_format, {"bioformats2raw.layout": 3})
    write_group(path / "OME", zarr_format, {"series": list(names)})
    (path / "OME" / "METADATA.ome.xml").write_text(ome_xml([(1, 1, 1, 8, 9)] * len(names)))
    for index, name in enumerate(names):
        write_image(path / name, pixels((1, 1, 1, 8, 9), seed=index), "tczyx", zarr_format)
    return path


def ome_xml(
    shapes: Sequence[tuple[int, int, int, int, int]],
    order: str = "XYZCT",
    data: Mapping[int, str] | None = None,
    kind: str = "uint16",
    head: str = "",
) -> str:
    """Return OME-XML of images of (T, C, Z, Y, X), with TiffData elements where they are given."""
    images = []
    for index, (t, c, z, y, x) in enumerate(shapes):
        channels = "".join(
            f'<Channel ID="Channel:{index}:{i}" Name="ch{i}" Color="-16776961"/>' for i in range(c)
        )
        tiff_data = (data or {}).get(index, "<TiffData/>")
        sizes = f'SizeT="{t}" SizeC="{c}" SizeZ="{z}" SizeY="{y}" SizeX="{x}"'
        physical = 'PhysicalSizeX="0.5" PhysicalSizeXUnit="\u00b5m" PhysicalSizeZ="2000"'
        images.append(
            f'<Image ID="Image:{index}" Name="image {index}"><Pixels ID="Pixels:{index}" '
            f'DimensionOrder="{order}" Type="{kind}" {sizes} {physical} PhysicalSizeZUnit="nm">'
            f"{channels}{tiff_data}</Pixels></Image>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" {head}'
        f">{''.join(images)}</OME>"
    )


def write_pages(path: Path, pages: NDArray[Any], description: str, **options: Any) -> Path:
    """Write pages of (N, Y, X) with a header of one's own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = description.encode()
    tifffile.imwrite(
        path, pages, description=text, metadata=None, ome=False, photometric="minisblack", **options
    )
    return path


def images(found: Sequence[ImageRef | Skipped]) -> list[ImageRef]:
    return [item for item in found if isinstance(item, ImageRef)]


def only(*sources: Path | str) -> ImageRef:
    """Return the one image that a walk finds."""
    found = list(walk([str(source) for source in sources]))
    assert len(found) == 1, found
    assert isinstance(found[0], ImageRef), found
    return found[0]


def spec_for(header: Header, uri: str, zarr_format: ZarrFormat = 3) -> TargetSpec:
    """Return the layout of a result with all planes of a channel at one time point in a block."""
    names = [axis.name for axis in header.axes]
    block = (1, header.size("z"))
    chunk, shard = plan_layout(names, header.levels[0].shape, header.dtype, block, zarr_format)
    levels = tuple(replace(level, path=str(index)) for index, level in enumerate(header.levels))
    return TargetSpec(
        uri=uri,
        zarr_format=zarr_format,
        name="result",
        axes=header.axes,
        levels=levels,
        dtype=header.dtype,
        chunk=chunk,
        shard=shard,
        block_t=block[0],
        block_z=block[1],
        channels=header.channels,
    )


def blocks(spec: TargetSpec) -> list[Block]:
    return [
        Block(
            c,
            range(t, min(t + spec.block_t, spec.size("t"))),
            range(z, min(z + spec.block_z, spec.size("z"))),
        )
        for c in range(spec.size("c"))
        for t in range(0, spec.size("t"), spec.block_t)
        for z in range(0, spec.size("z"), spec.block_z)
    ]


def rows(count: int, **values: float) -> NDArray[np.float64]:
    """Return rows of the record."""
    found = np.full((count, len(RECORD_FIELDS)), np.nan)
    for name, value in values.items():
        found[:, RECORD_FIELDS.index(name)] = value
    return found


def copy_image(header: Header, uri: str, zarr_format: ZarrFormat = 3) -> TargetSpec:
    """Write a whole result that copies its source."""
    spec = spec_for(header, uri, zarr_format)
    create_target(spec, {"status": "running"})
    for block in blocks(spec):
        write_block(spec, block, read_planes(header, block.c, block.positions))
        write_record(spec, block, rows(len(block.positions), status=2, minimum=0, maximum=200))
    finish_target(spec, {"status": "complete"})
    return spec


def consolidate(path: Path, zarr_format: ZarrFormat) -> None:
    """Consolidate the metadata of a store, which holds files that are not zarr's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)
        zarr.consolidate_metadata(str(path), zarr_format=zarr_format)


def tree(path: Path) -> dict[str, str]:
    """Return the digest of every file below a folder."""
    files = (file for file in sorted(path.rglob("*")) if file.is_file())
    return {str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def read_all(header: Header) -> NDArray[Any]:
    """Return (T, C, Z, Y, X)."""
    t, c, z = (header.size(axis) for axis in "tcz")
    positions = [(i, j) for i in range(t) for j in range(z)]
    planes = [read_planes(header, channel, positions) for channel in range(c)]
    return np.stack([one.reshape(t, z, *one.shape[1:]) for one in planes], axis=1)


def errors(*sources: Path) -> list[str]:
    """Return why sources cannot be read."""
    found = list(walk([str(source) for source in sources]))
    return [item.reason for item in found if isinstance(item, Skipped) and item.is_error]
