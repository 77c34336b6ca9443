"""The nouns that all parts of the package share: frozen values without behaviour of their own.

Only the standard library is imported here, so that planning stays fast and ``dip`` runs beside
nothing but torch and numpy. Other packages import from here, never from the modules inside.

Conventions
-----------
A *plane* is one (Y, X) image at one time point ``t``, channel ``c`` and depth ``z``. Axes are known by
name; a source without a ``t``, ``c`` or ``z`` axis has size 1 there. Missing is ``None``.
"""

from __future__ import annotations

from autodip_zarr.domain.acquisition import Acquisition, ChannelMetadata, Evidence, PixelSize
from autodip_zarr.domain.axes import Axis, Level, PageOrder
from autodip_zarr.domain.method import DipConfig, Match, Recipe, TableId, WarmStart, Width
from autodip_zarr.domain.plan import Action, ChannelPlan, Decision, GroupTotal, ImagePlan, Totals
from autodip_zarr.domain.result import Block, TargetSpec, Treatment
from autodip_zarr.domain.source import (
    MAX_CHANNELS,
    ChannelDisplay,
    FieldOfPlate,
    Fingerprint,
    Header,
    ImageRef,
    Kind,
    MetadataText,
    Skipped,
    TextKind,
)

__all__ = [
    "MAX_CHANNELS",
    "Acquisition",
    "Action",
    "Axis",
    "Block",
    "ChannelDisplay",
    "ChannelMetadata",
    "ChannelPlan",
    "Decision",
    "DipConfig",
    "Evidence",
    "FieldOfPlate",
    "Fingerprint",
    "GroupTotal",
    "Header",
    "ImagePlan",
    "ImageRef",
    "Kind",
    "Level",
    "Match",
    "MetadataText",
    "PageOrder",
    "PixelSize",
    "Recipe",
    "Skipped",
    "TableId",
    "TargetSpec",
    "TextKind",
    "Totals",
    "Treatment",
    "WarmStart",
    "Width",
]
