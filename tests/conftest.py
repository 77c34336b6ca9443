"""Fixtures that all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference images, headers and numbers beside the checkout."""
    if not (SHARED / "README.md").exists():
        pytest.skip(f"reference data not found: {SHARED} (it is not part of the repository)")
    return SHARED
