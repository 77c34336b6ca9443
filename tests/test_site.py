"""The site of the docs is built, strictly, and holds what people look for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import autodip_zarr

ROOT = Path(__file__).parents[1]


def test_the_site_is_built_without_a_warning_and_reads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "unrecognized relative link" not in done.stderr
    pages = {
        path.relative_to(tmp_path / "site").as_posix(): path.read_text() for path in tmp_path.rglob("*.html")
    }
    assert len(pages) > 50
    for name, text in pages.items():
        loaded = re.findall(r'<(?:script|img)[^>]+src="(https?://[^"]+)"', text)
        loaded += re.findall(r'<link[^>]+href="(https?://[^"]+)"[^>]+rel="stylesheet"', text)
        assert loaded == [], name
    python = pages["reference/python.html"]
    named = set(re.findall(r'id="autodip_zarr\.(\w+)"', python))
    assert named >= set(autodip_zarr.__all__) - {"__version__", "report"}
    assert 'id="autodip_zarr.report.results.write_report"' in python, "what is called report"
