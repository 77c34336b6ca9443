"""LPIPS (Zhang et al., CVPR 2018), AlexNet, version 0.1, without torchvision.

The ``lpips`` package imports torchvision, which does not load beside every torch. Its small learned heads
are read from the package's own files instead, and the convolutions of AlexNet through the cache of
``torch.hub``, under the name that torchvision gives them.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.errors import SourceError
from autodip_zarr.metrics.scaling import Plane, scaled_by_noisy

BACKBONE_URL: Final = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
"""Where ``torch.hub`` finds the convolutions of AlexNet, trained on ImageNet."""

TIMEOUT_S: Final = 20.0
"""Longest silence of the server of the weights, in seconds."""

LEAST_SIDE_PX: Final = 31
"""Shortest side of an image that all five layers can see."""

_HEADS: Final = "lpips/weights/v0.1/alex.pth"
_SHIFT: Final = (-0.030, -0.088, -0.188)
_SCALE: Final = (0.458, 0.448, 0.450)
_EPSILON: Final = 1e-10


@dataclass(frozen=True)
class _Layer:
    """A convolution of AlexNet."""

    name: str
    """Its name among the weights."""
    shape: tuple[int, int, int, int]
    """Shape of its kernel: (out, in, Y, X)."""
    stride: int
    """Step of the kernel in pixels."""
    padding: int
    """Zeros around the image in pixels."""
    pools: bool
    """Whether a maximum over 3 x 3 pixels, every second one, comes first."""


_LAYERS: Final = (
    _Layer("features.0", (64, 3, 11, 11), 4, 2, pools=False),
    _Layer("features.3", (192, 64, 5, 5), 1, 2, pools=True),
    _Layer("features.6", (384, 192, 3, 3), 1, 1, pools=True),
    _Layer("features.8", (256, 384, 3, 3), 1, 1, pools=False),
    _Layer("features.10", (256, 256, 3, 3), 1, 1, pools=False),
)


@dataclass(frozen=True)
class Lpips:
    """The metric with its weights; `load` makes one."""

    weights: Mapping[str, Any]
    """Tensors by name: those of AlexNet's convolutions, and of the heads."""

    @classmethod
    def load(cls) -> Lpips:
        """Read the weights; those of AlexNet are downloaded once (240 MB) where they are not in the cache.

        Raises
        ------
        SourceError
            A file of weights is missing, cannot be downloaded or is broken; the message says which, where
            it was looked for, and what to do.
        """
        return cls({**_read_heads(), **_read_backbone()})

    def __call__(self, image: Plane, clean: Plane, noisy: Plane, *, signed: bool = False) -> float:
        """Return the distance of an image from the clean one, after scaling by the noisy one.

        Parameters
        ----------
        image, clean, noisy : ndarray
            (Y, X), in detector counts.
        signed : bool
            Whether the network is given values from -1 to 1, for which it was made, or from 0 to 1, as the
            published calibration did. The first makes differences look larger.

        Returns
        -------
        float
            0 for equal images; NaN where a side is shorter than `LEAST_SIDE_PX`.

        Raises
        ------
        OptionError
            The planes cannot be compared; see `scaled_by_noisy`.
        """
        one, other = scaled_by_noisy(image, clean, noisy)
        if min(one.shape) < LEAST_SIDE_PX:
            return float("nan")
        if signed:
            one, other = 2 * one - 1, 2 * other - 1
        return self.distance(one, other)

    def distance(self, one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> float:
        """Return the distance of two images as they are, without scaling.

        Parameters
        ----------
        one, other : ndarray
            (Y, X) or (Y, X, 3), in the range that the network is to be given.
        """
        import torch  # noqa: PLC0415

        with torch.inference_mode():
            pairs = zip(self._features(_as_input(one)), self._features(_as_input(other)), strict=True)
            parts = [
                torch.nn.functional.conv2d((a - b) ** 2, self.weights[f"lin{index}.model.1.weight"]).mean()
                for index, (a, b) in enumerate(pairs)
            ]
            return float(sum(parts))

    def _features(self, image: Any) -> Iterator[Any]:  # noqa: ANN401 - a tensor; torch is imported late
        """Yield what each layer sees, (1, C, Y, X), of length 1 along the channels."""
        from torch.nn import functional  # noqa: PLC0415

        for layer in _LAYERS:
            if layer.pools:
                image = functional.max_pool2d(image, 3, 2)
            kernel, bias = self.weights[f"{layer.name}.weight"], self.weights[f"{layer.name}.bias"]
            image = functional.conv2d(image, kernel, bias, layer.stride, layer.padding).relu()
            yield image / (image.square().sum(1, keepdim=True).sqrt() + _EPSILON)


def _as_input(image: NDArray[np.floating[Any]]) -> Any:  # noqa: ANN401 - a tensor; torch is imported late
    """Return an image as AlexNet wants it, (1, 3, Y, X) float32; a grey one is repeated."""
    import torch  # noqa: PLC0415

    colour = np.broadcast_to(image[..., None], (*image.shape, 3)) if image.ndim == 2 else image
    tensor = torch.tensor(colour.astype(np.float32)).permute(2, 0, 1)[None]
    shift, scale = (torch.tensor(values).view(1, 3, 1, 1) for values in (_SHIFT, _SCALE))
    return (tensor - shift) / scale


def _read_heads() -> dict[str, Any]:
    """Return the weights of the heads from the files of ``lpips``, which is never imported."""
    import torch  # noqa: PLC0415

    hint = "install it: pip install --no-deps lpips"
    try:
        path = Path(str(distribution("lpips").locate_file(_HEADS)))
    except PackageNotFoundError as error:
        raise SourceError("LPIPS", "the package lpips is not installed", _HEADS, hint) from error
    if not path.is_file():
        raise SourceError(str(path), "is missing", "the heads of LPIPS 0.1 for AlexNet", hint)
    try:
        heads: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch reports broken files with errors of every kind
        raise SourceError(str(path), f"cannot be read: {error}", hint=hint) from error
    shapes = {f"lin{index}.model.1.weight": (1, layer.shape[0], 1, 1) for index, layer in enumerate(_LAYERS)}
    return _checked(heads, shapes, str(path), hint)


def _read_backbone() -> dict[str, Any]:
    """Return the weights of the convolutions from the cache of ``torch.hub``, where need be downloaded."""
    import torch  # noqa: PLC0415

    path = Path(torch.hub.get_dir()) / "checkpoints" / BACKBONE_URL.rpartition("/")[2]
    hint = (
        f"with a network, run it again; without one, put {BACKBONE_URL} there, or set TORCH_HOME to a folder "
        f"that holds hub/checkpoints/{path.name}"
    )
    was_there = path.exists()
    try:
        with _time_limit(), redirect_stdout(sys.stderr):  # it tells of a download where results belong
            weights: dict[str, Any] = torch.hub.load_state_dict_from_url(
                BACKBONE_URL, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
    except Exception as error:  # the network and broken files: errors of every kind
        said = " ".join(str(error).split())
        what = f"cannot be read: {said}" if was_there else f"is missing and could not be downloaded: {said}"
        raise SourceError(str(path), what, "the weights of AlexNet for LPIPS", hint) from error
    shapes: dict[str, tuple[int, ...]] = {f"{layer.name}.weight": layer.shape for layer in _LAYERS}
    shapes |= {f"{layer.name}.bias": layer.shape[:1] for layer in _LAYERS}
    return _checked(weights, shapes, str(path), hint)


def _checked(
    weights: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], where: str, hint: str
) -> dict[str, Any]:
    """Return the wanted weights, if all are there in the right shapes."""
    for name, shape in shapes.items():
        found = tuple(weights[name].shape) if name in weights else "nothing"
        if found != shape:
            raise SourceError(f"{where}: {name}", f"found {found}", f"{shape}", hint)
    return {name: weights[name].float() for name in shapes}


@contextmanager
def _time_limit() -> Iterator[None]:
    """Let no connection that is opened meanwhile be silent for longer than `TIMEOUT_S`.

    ``torch.hub`` takes no time-out of its own, and waits for ever where a firewall swallows packets.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
