"""Single planes as PNG and TIFF files: for demonstrations, previews and evaluation."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Axis, ChannelDisplay, Fingerprint, Header, ImageRef, Level
from autodip_zarr.errors import PixelError, SourceError, TargetError
from autodip_zarr.regular_files import open_regular
from autodip_zarr.stores.access.errors import target_write_errors
from autodip_zarr.stores.access.local.local_place import LocalPlace
from autodip_zarr.stores.access.place import open_place
from autodip_zarr.stores.tiff.files import is_tiff_name, open_tiff

_PICTURE = ".png"

_ZARR_FILES = ("zarr.json", ".zgroup", ".zattrs", ".zarray")


def walk_pictures(source: str) -> Iterator[ImageRef]:
    """Yield every PNG file of a local source: of a folder, its folders too, or the file itself.

    Zarr stores are passed over, and so are hidden files; on a server nothing is found.
    """
    place = open_place(source)
    if not isinstance(place, LocalPlace):
        return
    root = Path(place.uri)
    if root.is_file() and root.suffix.lower() == _PICTURE:
        yield ImageRef("picture", place.uri, "", None, 0, root.name)
        return
    for folder, folders, files in os.walk(root):
        if any(name in files for name in _ZARR_FILES):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(_PICTURE) and not name.startswith("."):
                path = Path(folder) / name
                yield ImageRef("picture", str(path), "", None, 0, path.relative_to(root).as_posix())


def read_picture_header(ref: ImageRef) -> Header:
    """Return the header of a PNG file: its size and pixel type, and nothing else.

    Raises
    ------
    SourceError
        It is missing, cannot be read, or holds something else than one grey plane.
    """
    plane = read_image(ref.uri)
    fingerprint = open_place(ref.uri).stat("")
    return Header(
        ref=ref,
        name=Path(ref.uri).stem,
        axes=(Axis("y", "space", None), Axis("x", "space", None)),
        levels=(Level("0", plane.shape, (1.0, 1.0), None),),
        dtype=plane.dtype.name,
        chunk=plane.shape,
        channels=(ChannelDisplay(None, None, None),),
        zarr_format=None,
        ome_version=None,
        texts=(),
        fingerprint=fingerprint or Fingerprint(None, None, None, None),
    )


def read_image(path: str) -> NDArray[Any]:
    """Return the one plane of a PNG or TIFF file.

    Returns
    -------
    plane : (Y, X)
        In the pixel type of the file; the common channel of a grey picture stored in colour.

    Raises
    ------
    SourceError
        The file is missing, cannot be read, or holds something else.
    """
    pixels = _read_tiff(path) if is_tiff_name(path) else _read_picture(path)
    if pixels.ndim == 3 and pixels.shape[-1] in (3, 4) and (pixels[..., :1] == pixels[..., :3]).all():
        pixels = pixels[..., 0]
    if pixels.ndim != 2:
        raise SourceError(path, f"holds an image of shape {pixels.shape}", "one grayscale plane")
    return pixels


def _read_tiff(path: str) -> NDArray[Any]:
    with open_tiff(path) as tif:
        if len(tif.pages) != 1:
            raise SourceError(path, f"holds {len(tif.pages)} pages", "one grayscale plane")
        page: NDArray[Any] = tif.pages[0].asarray()
    return page.astype(page.dtype.newbyteorder("="), copy=False)


def _read_picture(path: str) -> NDArray[Any]:
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415

    try:
        with open_regular(path) as file, Image.open(file) as picture:
            if picture.mode == "P":
                return np.asarray(picture.convert("RGB"))
            pixels = np.asarray(picture)
    except FileNotFoundError as error:
        raise SourceError(path, "is missing; check the path") from error
    except UnidentifiedImageError as error:
        raise SourceError(path, "is no picture", "a PNG or TIFF file") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PixelError(path, f"cannot be read: {error}") from error
    if picture.mode.startswith("I;16") or picture.mode == "I":
        return pixels.astype(np.uint16) if pixels.min() >= 0 and pixels.max() < 2**16 else pixels
    return pixels


def write_image(path: str, plane: NDArray[Any]) -> None:
    """Write a plane as PNG, or as TIFF where the name says so.

    Parameters
    ----------
    path : str
        File to write.
    plane : (Y, X) or (Y, X, 3)
        PNG: uint8, grey or colour, or uint16 grey. TIFF: any type.

    Raises
    ------
    TargetError
        The pixel type has no such picture, or the file cannot be written.
    """
    if not is_tiff_name(path):
        content = encode_png(plane)
        with target_write_errors(path):
            Path(path).write_bytes(content)
        return
    import tifffile  # noqa: PLC0415

    with target_write_errors(path):
        tifffile.imwrite(path, plane, photometric="rgb" if plane.ndim == 3 else "minisblack")


def encode_png(plane: NDArray[Any]) -> bytes:
    """Return a plane as the bytes of a PNG file.

    Parameters
    ----------
    plane : (Y, X) or (Y, X, 3)
        uint8, grey or colour, or uint16 grey.

    Raises
    ------
    TargetError
        The pixel type or shape has no such picture.
    """
    from PIL import Image  # noqa: PLC0415

    grey = plane.ndim == 2 and plane.dtype in (np.uint8, np.uint16)
    colour = plane.ndim == 3 and plane.shape[-1] == 3 and plane.dtype == np.uint8
    if not (grey or colour):
        raise TargetError(
            "PNG", f"found {plane.dtype} of shape {plane.shape}", "uint8 or uint16 grey, uint8 colour"
        )
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(plane)).save(buffer, format="PNG", optimize=False)
    return buffer.getvalue()
