"""The public names, exactly."""

from __future__ import annotations

import autodip_zarr


def test_public_names() -> None:
    expected = ["AutodipError", "Choices", "Machine", "__version__", "denoise", "denoise_array"]
    expected += ["inspect", "open_record", "plan", "preview", "verify"]
    assert sorted(autodip_zarr.__all__) == expected
    assert dir(autodip_zarr) == expected
    for name in expected:
        assert getattr(autodip_zarr, name) is not None
