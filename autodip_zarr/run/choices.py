"""What a person may choose: the method on one side, the machine on the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FileFormat = Literal["ome-zarr", "ome-tiff", "both"]
"""What files a run leaves: its results, which are OME-Zarr, or OME-TIFF of them as well."""

Overwrite = Literal["never", "changed", "all"]
"""Which results are started over: none, those whose source changed since they were made, or all."""


@dataclass(frozen=True)
class KnowledgeChoices:
    """What a person knows of the images beside their metadata."""

    microscope: str | None = None
    """Imaging modality of all channels, over what the metadata says."""
    specimen: str | None = None
    """Labelled structure of all channels, over what the metadata says."""
    mapping: str | None = None
    """CSV file of corrections by path and channel, over what the metadata says."""
    patterns: str | None = None
    """TOML file of what names of files and folders mean, under what the metadata says."""
    vocabulary: str | None = None
    """TOML file of terms beside the shipped ones."""
    pixel_size: str | None = None
    """Micrometers of a pixel where the header tells none: ``0.1`` along y and x, ``0.1x0.1x0.3`` also z."""
    axes: str | None = None
    """Axes of the pages of TIFF files whose headers tell none, slowest first: ``zyx``, ``tz5yx``."""


@dataclass(frozen=True)
class MethodChoices:
    """How planes are denoised: all that a recorded recipe settles.

    What bears the name of a field of `Recipe` goes into it, unless it is ``None``.
    """

    metric: str | None = None
    """Metric by which the table chose its configurations; ``None`` for the table's own."""
    table: str = "published"
    """Name of a shipped calibration table, which stands alone, or path of one, behind which these stand."""
    require_tier: str | None = None
    """Tier that a match must reach; channels below are skipped."""
    max_cost: float | None = None
    """Largest relative cost of a plane in a plan or run; 1.0 is the original prior on a 512x512 plane."""
    preset: str = "standard"
    """Recipe: ``reference``, ``standard`` or ``best``."""
    tile_px: int = 512
    """Largest side of a tile, in pixels."""
    halo_px: int = 32
    """Overlap of tiles, in pixels."""
    seed: int = 0
    """Seed from which all others are derived."""
    precision: Literal["auto", "float32", "tf32", "bfloat16"] = "auto"
    """Arithmetic of the fit; ``auto`` is settled when planning, ``tf32`` is for cards."""
    deterministic: bool = False
    """Whether a card gives the same bits in every run, a little slower; a CPU always does."""
    sequence: Literal["none", "z", "t"] = "none"
    """Axis along which planes are fitted on from their neighbours."""
    both_ways: bool = False
    """Whether such planes are fitted forward and backward, and the two averaged."""
    stop: Literal["transferred", "auto"] = "transferred"
    """Whether each fit makes the transferred number of iterations, or is stopped by its own outputs."""


@dataclass(frozen=True)
class SelectionChoices:
    """Which images, channels and planes."""

    wells: str | None = None
    """Wells of plates, by name or pattern, comma-separated: ``A01,B*``; ``None`` for everything."""
    fields: str | None = None
    """Fields of wells, by name, pattern or range, comma-separated: ``0``; ``None`` for all."""
    channels: str | None = None
    """Channels to denoise: names or indices, comma-separated; ``None`` for all that can be."""
    t: str | None = None
    """Time points to denoise, for example ``0,3:7``; ``None`` for all."""
    z: str | None = None
    """Depths to denoise; ``None`` for all."""
    any_contrast: bool = False
    """Whether channels that are not fluorescence are denoised, too."""


@dataclass(frozen=True)
class DestinationChoices:
    """Where results go, how they are stored, and what becomes of those that are there."""

    output: str | None = None
    """Folder or URI below which results mirror the tree of the sources."""
    write_back: bool = False
    """Whether results go into the source stores as new groups instead."""
    suffix: str = "denoised"
    """What results that are written back are called: a field of a well ``<field><suffix>``, any other
    image's the group of that name inside it."""
    file_format: FileFormat = "ome-zarr"
    """``both`` exports complete results as OME-TIFF beside them; ``ome-tiff`` does, too, and keeps the
    results, by which a run goes on, in the folder ``ome-zarr`` of the output."""
    zarr_format: Literal["0.4", "0.5"] | None = None
    """Version of OME-Zarr to write; ``None`` for 0.5, and for that of the store when writing back."""
    dtype: str | None = None
    """Pixel type of the result: ``float32``, or ``None`` for that of the source."""
    uncertainty: bool = False
    """Whether the spread over the starts is written beside the record; needs a preset of several starts."""
    overwrite: Overwrite = "never"
    """Which results that exist are started over."""
    repair: bool = False
    """Whether complete results are read again, and what is damaged or missing in them is made again."""

    @property
    def zarr_folder(self) -> str | None:
        """Folder or URI below which results as OME-Zarr mirror the tree of the sources."""
        if self.output is None or self.file_format != "ome-tiff":
            return self.output
        return f"{self.output.rstrip('/')}/ome-zarr"


@dataclass(frozen=True)
class Choices(DestinationChoices, SelectionChoices, MethodChoices, KnowledgeChoices):
    """What is to be done, and how: everything here is about the images."""

    recipe: str | None = None
    """Result whose recorded recipe is repeated in a plan or run; settles all that may change a pixel."""


@dataclass(frozen=True)
class Machine:
    """Where the work is done: nothing here may change the method."""

    device: str = "auto"
    """``cpu``, ``cuda``, or ``auto`` for CUDA where there is a card."""
    workers: int | None = None
    """Worker processes of the local cluster; ``None`` for one a core, or one a GPU."""
    scheduler: str | None = None
    """Address of a running Dask scheduler; ``None`` starts a local cluster."""
    cluster: str | None = None
    """Path of a file that describes Slurm jobs or cards to start workers on; see
    ``run.scheduling.cluster_file``."""
    time_limit_s: float | None = None
    """Longest time of one block on a worker by the clock, in seconds; ``None`` for none."""
    memory_bytes: int | None = None
    """Memory of each worker process of the local cluster; ``None`` for an even share of the machine's."""
    in_process: bool = False
    """Whether blocks are worked on one after the other in this process, without workers and without Dask."""

    @property
    def is_local(self) -> bool:
        """Whether the work is done on this machine, by this program or by processes that it starts."""
        return self.scheduler is None and self.cluster is None
