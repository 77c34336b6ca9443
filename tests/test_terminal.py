"""What people see in a terminal: coloured first words, and pictures of half blocks; plain elsewhere."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from autodip_zarr.report.terminal import picture_lines
from autodip_zarr.shown.pictures import Panel
from autodip_zarr.stores.sample import write_sample_tiff

from .samples import make_sample

RED = "\x1b[31m\x1b[1merror\x1b[0m: "


def on_terminal(*arguments: object, **environment: str) -> str:
    """Return what a command writes to a terminal."""
    main, secondary = pty.openpty()
    command = [sys.executable, "-m", "autodip_zarr", *map(str, arguments)]
    env = {**os.environ, "COLUMNS": "100", **environment}
    with subprocess.Popen(command, stdin=secondary, stdout=secondary, stderr=secondary, env=env) as process:
        os.close(secondary)
        parts = []
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:  # the other end was closed
                break
            if not part:
                break
            parts.append(part)
        process.wait(60)
    os.close(main)
    return b"".join(parts).decode().replace("\r\n", "\n")


def test_kinds_of_lines_are_coloured_on_a_terminal_alone(tmp_path: Path) -> None:
    (tmp_path / "x.ome.tif").write_bytes(b"II*\0garbage")
    assert RED in on_terminal("plan", tmp_path)
    assert "\x1b[31m" not in on_terminal("plan", tmp_path, NO_COLOR="1")
    done = subprocess.run(
        [sys.executable, "-m", "autodip_zarr", "plan", tmp_path], capture_output=True, text=True, check=False
    )
    assert "error: " in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_a_name_of_a_file_cannot_draw_into_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "\x1b[2Jx.ome.tif").write_bytes(b"II*\0garbage")
    shown = on_terminal("plan", tmp_path)
    assert RED in shown
    assert "\x1b[2J" not in shown


@pytest.mark.parametrize(
    ("colorterm", "code"), [pytest.param("truecolor", "38;2;", marks=pytest.mark.soak), ("", "38;5;2")]
)
def test_a_preview_is_drawn_in_a_terminal(
    tmp_path: Path, quick_table: str, colorterm: str, code: str
) -> None:
    write_sample_tiff(tmp_path / "x.ome.tif", make_sample("x", (1, 1, 1, 40, 40)))
    picture = ["--picture", tmp_path / "preview.png", "--table", quick_table, "--show"]
    shown = on_terminal("preview", tmp_path / "x.ome.tif", *picture, COLORTERM=colorterm)
    drawn = [line for line in shown.split("\n") if "▀" in line]
    assert len(drawn) == 16, "half of a width of a third of 100 characters, between two gaps"
    assert all(line.count("▀") == 3 * 32 for line in drawn)
    assert code in drawn[0]
    assert "preview.png" in shown


def test_a_picture_is_as_bright_as_its_plane() -> None:
    plane = np.zeros((48, 48))
    plane[:, 24:] = 1
    (caption, *rows) = picture_lines([Panel("half", plane, (0, 1))], 24, is_true_color=True)
    assert caption == "half"
    assert len(rows) == 12
    levels = [int(one) for one in re.findall(r"38;2;(\d+);", rows[5])]
    assert levels == [0] * 12 + [255] * 12
    narrow = picture_lines([Panel("a", plane, (0, 1)), Panel("b", plane, (0, 1))], 30, is_true_color=False)
    assert narrow[0] == "a", "there is no room for two"
    assert set(re.findall(r"38;5;(\d+);", narrow[5])) == {"232", "255"}
