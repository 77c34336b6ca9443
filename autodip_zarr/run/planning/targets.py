"""Where each result goes, and how it is laid out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from autodip_zarr.domain import Acquisition, Axis, ChannelDisplay, Header, ImageRef, Level, TargetSpec
from autodip_zarr.errors import OptionError, TargetError
from autodip_zarr.run.choices import DestinationChoices
from autodip_zarr.stores import enclosing_store, lies_in
from autodip_zarr.stores.access.uris import is_remote, local_path
from autodip_zarr.stores.zarr.layout import plan_layout

_TIFF = re.compile(r"(\.ome)?\.(tiff?|tf2|tf8|btf)$|(\.companion)?\.ome(\.xml)?$", re.IGNORECASE)
_ZIP = re.compile(r"(\.ome)?(\.zarr)?(\.zip|\.ozx)$", re.IGNORECASE)
_PICTURE = re.compile(r"\.(?:png|bmp|jpe?g)$", re.IGNORECASE)
_SMALLEST_LEVEL_PX = 256
_LONGEST_SUFFIX = 64
_SUFFIX = re.compile(rf"[A-Za-z][A-Za-z0-9]{{0,{_LONGEST_SUFFIX - 1}}}")
_TAKEN = {"labels", "ome", "tables", "autodip"}
"""Groups that OME-Zarr, ngio or a result itself keep below an image."""


def target_uri(ref: ImageRef, choices: DestinationChoices) -> str | None:
    """Return where the result of an image goes.

    Below the output folder the tree of the sources is mirrored: ``a/x.ome.tif`` becomes ``a/x.ome.zarr``,
    with the series number as group where a file holds several. Written back, the result of a field of a
    plate is its sibling ``<field>denoised``, that of any other image its nested group ``denoised``, or
    what ``suffix`` says in place of ``denoised``.

    Returns
    -------
    str or None
        ``None`` where no destination was chosen.

    Raises
    ------
    OptionError
        If a TIFF is to be written back.
    """
    if choices.write_back:
        if ref.kind != "ome-zarr":
            hint = "name a folder with --output"
            what = "an OME-TIFF" if ref.kind == "ome-tiff" else "a picture"
            raise OptionError(ref.uri, f"--write-back into {what}", "an OME-Zarr store", hint)
        apart = "" if ref.plate else "/"
        return f"{ref.source.rstrip('/')}{apart}{choices.suffix}"
    root = target_root(ref, choices)
    if root is None:
        return None
    inner = ref.group if ref.kind == "ome-zarr" else ("" if ref.series is None else str(ref.series))
    return f"{root}/{inner}" if inner else root


def check_output(output: str) -> None:
    """Refuse an output that cannot be a folder, or that lies inside a Zarr store, which it would change.

    Raises
    ------
    OptionError
        It is empty, begins with a quoted ``~``, is a file or a link that leads nowhere, lies below one, or
        is a Zarr group or array, or lies in one.
    """
    if not output.strip():
        raise OptionError("--output", "found nothing", "a folder or a URI")
    if output.startswith("~"):
        hint = "write $HOME, or leave the ~ outside of quotes and = signs"
        raise OptionError("--output", f"{output}, whose ~ no shell has replaced", "a path", hint)
    if not is_remote(output):
        _check_folder(Path(local_path(output)))
    store = enclosing_store(output)
    if store is not None:
        found = f"{output} lies in the Zarr store {store}"
        raise OptionError("--output", found, "a folder outside", "--write-back puts results into stores")


def check_suffix(choices: DestinationChoices) -> None:
    """Refuse a name of written-back results that a reader of OME-Zarr would take for something else.

    Raises
    ------
    OptionError
        It is no name of letters and digits that begins with a letter (OME-Zarr allows no others for the
        images of a well, and calls arrays by numbers), is that of another group of an image, or nothing
        is written back.
    """
    if choices.suffix == DestinationChoices.suffix:
        return
    if not choices.write_back:
        found = f"{choices.suffix!r} without --write-back"
        raise OptionError("--suffix", found, "both", "--output keeps the names of sources")
    if _SUFFIX.fullmatch(choices.suffix) is None:
        wanted = f"at most {_LONGEST_SUFFIX} letters and digits, the first a letter"
        raise OptionError("--suffix", f"{choices.suffix!r:.80}", wanted)
    if choices.suffix.lower() in _TAKEN:
        raise OptionError("--suffix", repr(choices.suffix), "a name by which readers look for nothing else")


def _check_folder(path: Path) -> None:
    for folder in (path, *path.parents):
        with suppress(PermissionError):  # whether it can be written to is seen when that is tried
            if folder.is_symlink() and not folder.exists():
                raise OptionError("--output", f"{folder} is a link to nowhere", "a folder", "remove the link")
            if folder.exists() and not folder.is_dir():
                raise OptionError("--output", f"{folder} is a file", "a folder", "choose another --output")


def check_apart(ref: ImageRef, target: str) -> None:
    """Refuse a result that would be, or hold, its own source.

    Raises
    ------
    TargetError
        The source lies at the path of the result, or below it.
    """
    if lies_in(ref.uri, target):
        raise TargetError(target, f"its source {ref.source} lies there", hint="choose another --output")


def target_root(ref: ImageRef, choices: DestinationChoices) -> str | None:
    """Return the store below the output folder that mirrors the file or store of an image."""
    if choices.zarr_folder is None:
        return None
    relative = ref.relative
    packed = {"ome-tiff": _TIFF, "picture": _PICTURE}.get(ref.kind, _ZIP)
    if packed.search(relative):
        relative = packed.sub("", relative) + ".ome.zarr"
    elif ref.kind == "ome-tiff":  # under another name, beside which its export as TIFF may lie
        relative += ".ome.zarr"
    return f"{choices.zarr_folder.rstrip('/')}/{relative}"


def target_spec(
    header: Header, acquisition: Acquisition, choices: DestinationChoices, block: tuple[int, int]
) -> TargetSpec:
    """Lay out the result of an image.

    Shape, axes and pyramid are those of the source, the axes in the order that OME-Zarr demands; a TIFF
    without a pyramid gets one, halved until a level fits into 256 pixels.

    Parameters
    ----------
    header : Header
        The source.
    acquisition : Acquisition
        Pixel size, names and colours where the header itself has none.
    choices : DestinationChoices
        Destination, version, pixel type.
    block : tuple of int
        Time points and depths that are written together.
    """
    uri = target_uri(header.ref, choices)
    if uri is None:
        msg = "a layout needs a destination"
        raise ValueError(msg)
    version = choices.zarr_format or (header.ome_version if choices.write_back else None) or "0.5"
    zarr_format: int = 3 if version not in {"0.1", "0.2", "0.3", "0.4"} else 2
    if choices.write_back and header.zarr_format is not None:
        zarr_format = header.zarr_format
    axes, levels = _in_order(_axes(header, acquisition), _levels(header, acquisition))
    dtype = choices.dtype or header.dtype
    chunk, shard = plan_layout(tuple(axis.name for axis in axes), levels[0].shape, dtype, block, zarr_format)
    return TargetSpec(
        uri=uri,
        zarr_format=3 if zarr_format == 3 else 2,
        name=header.name or acquisition.name or uri.rsplit("/", 1)[-1],
        axes=axes,
        levels=levels,
        dtype=dtype,
        chunk=chunk,
        shard=shard,
        block_t=block[0],
        block_z=block[1],
        channels=_displays(header, acquisition),
        uncertainty=choices.uncertainty,
    )


def reordered(axes: Sequence[Axis]) -> str | None:
    """Return in words that axes are written in another order than they have, ``None`` if they are not."""
    names = [axis.name for axis in axes]
    ordered = [names[index] for index in _order(axes)]
    if names == ordered:
        return None
    return f"the axes {' '.join(names)} are written as {' '.join(ordered)}, the order that OME-Zarr demands"


def _order(axes: Sequence[Axis]) -> list[int]:
    """Return the places of axes in the order of the specification: time, channel and others, space."""
    ranks = {"t": 0, "c": 1, "z": 3, "y": 4, "x": 5}
    return sorted(range(len(axes)), key=lambda index: ranks.get(axes[index].name, 2))


def _in_order(
    axes: tuple[Axis, ...], levels: tuple[Level, ...]
) -> tuple[tuple[Axis, ...], tuple[Level, ...]]:
    order = _order(axes)

    def permuted(level: Level) -> Level:
        shape = tuple(level.shape[index] for index in order)
        scale = tuple(level.scale[index] for index in order)
        moved = level.translation
        return Level(level.path, shape, scale, None if moved is None else tuple(moved[i] for i in order))

    return tuple(axes[index] for index in order), tuple(map(permuted, levels))


def _physical(acquisition: Acquisition) -> dict[str, tuple[float, str]]:
    size = acquisition.pixel_size
    named = {"x": size.x_um, "y": size.y_um, "z": size.z_um, "t": size.t_s}
    units = {"t": "second"}
    return {name: (value, units.get(name, "micrometer")) for name, value in named.items() if value}


def _axes(header: Header, acquisition: Acquisition) -> tuple[Axis, ...]:
    if header.ref.kind == "ome-zarr":
        return header.axes
    known = _physical(acquisition)
    return tuple(Axis(a.name, a.type, known[a.name][1] if a.name in known else a.unit) for a in header.axes)


def _levels(header: Header, acquisition: Acquisition) -> tuple[Level, ...]:
    if header.ref.kind == "ome-zarr":
        return tuple(Level(str(i), v.shape, v.scale, v.translation) for i, v in enumerate(header.levels))
    known = _physical(acquisition)
    names = [axis.name for axis in header.axes]
    base = [
        known[name][0] if name in known else size
        for name, size in zip(names, header.levels[0].scale, strict=True)
    ]
    shapes = [level.shape for level in header.levels]
    if len(shapes) == 1:
        shapes = _pyramid(shapes[0], names)
    return tuple(
        Level(
            str(i),
            shape,
            tuple(b * (full / n) for b, full, n in zip(base, shapes[0], shape, strict=True)),
            None,
        )
        for i, shape in enumerate(shapes)
    )


def _pyramid(shape: tuple[int, ...], names: Sequence[str]) -> list[tuple[int, ...]]:
    shapes = [shape]
    while max(n for n, name in zip(shapes[-1], names, strict=True) if name in "yx") > _SMALLEST_LEVEL_PX:
        shapes.append(
            tuple(max(n // 2, 1) if name in "yx" else n for n, name in zip(shapes[-1], names, strict=True))
        )
    return shapes


def _displays(header: Header, acquisition: Acquisition) -> tuple[ChannelDisplay, ...]:
    displays = []
    for index, (display, channel) in enumerate(zip(header.channels, acquisition.channels, strict=True)):
        color = acquisition.colors[index] if index < len(acquisition.colors) else None
        displays.append(ChannelDisplay(display.label or channel.name, display.color or color, display.active))
    return tuple(displays)
