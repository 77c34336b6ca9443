"""The public names, exactly."""

from __future__ import annotations

import autodip_zarr


def test_public_names() -> None:
    expected = ["AutodipError", "Choices", "FitProgress", "Machine", "__version__"]
    expected += ["denoise", "denoise_array", "inspect", "open_record", "plan", "preview", "verify"]
    assert sorted(autodip_zarr.__all__) == expected
    assert dir(autodip_zarr) == expected
    for name in expected:
        assert getattr(autodip_zarr, name) is not None
