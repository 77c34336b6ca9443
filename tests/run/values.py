"""Values that several tests build upon."""

from __future__ import annotations

from dataclasses import replace

from autodip_zarr.domain import (
    Axis,
    ChannelDisplay,
    ChannelMetadata,
    ChannelPlan,
    DipConfig,
    Fingerprint,
    Header,
    ImagePlan,
    ImageRef,
    Level,
    Match,
    Recipe,
    TableId,
)

AXES = tuple(
    Axis(name, kind, None)
    for name, kind in zip("tczyx", ["time", "channel", "space", "space", "space"], strict=True)
)
RECIPE = Recipe("standard", 0.97, 0.0, 1, 0.01, 512, 32, 0, "float32", 1)
CONFIG = DipConfig(8, "asc", 4, 300)


def make_header(shape: tuple[int, ...] = (1, 1, 4, 64, 96), uri: str = "/data/a/x.ome.tif") -> Header:
    """Return the header of a TIFF of the given (T, C, Z, Y, X)."""
    name = uri.rsplit("/", 1)[-1]
    return Header(
        ref=ImageRef("ome-tiff", uri, "", None, 0, f"a/{name}"),
        name=name,
        axes=AXES,
        levels=(Level("0", shape, (1.0,) * 5, None),),
        dtype="uint16",
        chunk=(1, 1, 1, *shape[-2:]),
        channels=tuple(ChannelDisplay(None, None, None) for _ in range(shape[1])),
        zarr_format=None,
        ome_version=None,
        texts=(),
        fingerprint=Fingerprint(1000, "2026-01-02T03:04:05+00:00", None, "sha256:00"),
    )


def make_channel(index: int = 0) -> ChannelMetadata:
    """Return a wide-field channel of nuclei."""
    return ChannelMetadata(index, "DAPI", "widefield", "fluorescence", "nucleus", None)


def make_image(header: Header | None = None) -> ImagePlan:
    """Return the plan of an image whose first channel is denoised and whose others are copied."""
    header = header or make_header()
    table = TableId("published", "1", "0" * 64)
    group = {"microscope": "widefield", "specimen": "nucleus"}
    match = Match(CONFIG, "microscope+specimen", group, ("microscope", "specimen"), (), "lpips_psnr", table)
    planes = header.size("t") * header.size("z")
    first = ChannelPlan(make_channel(), match, None, planes, 0.002 * planes)
    others = (
        ChannelPlan(replace(make_channel(c), contrast="transmitted"), None, "bright field", 0, 0.0)
        for c in range(1, header.size("c"))
    )
    t, z = tuple(range(header.size("t"))), tuple(range(header.size("z")))
    return ImagePlan(header, (first, *others), t, z, RECIPE, None)
