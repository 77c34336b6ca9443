"""`report` writes one page about results, whatever stands in them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodip_zarr.report import results
from autodip_zarr.shown.html import figure, heading, page, pictures, table, text, warning_list
from autodip_zarr.stores.sample import Sample, SampleChannel, write_sample_tiff, write_sample_zarr

from .pages import check_page
from .run.processes import wait_for
from .samples import make_sample
from .test_cli import call

EVIL = "<script>alert('x')</script>\x1b[31m\"&"


@pytest.fixture(scope="module")
def denoised(tmp_path_factory: pytest.TempPathFactory, quick_table: str) -> Path:
    """Folder with ``archive`` and ``out``: two good images, and a stack with a corrupt plane."""
    folder = tmp_path_factory.mktemp("report")
    archive = folder / "archive"
    write_sample_tiff(archive / "stack.ome.tif", make_sample("stack", (1, 1, 3, 24, 32)))
    two = make_sample("two", (1, 2, 1, 300, 280))
    bright = SampleChannel("Phase <b>", "WideField")
    write_sample_zarr(archive / "two.zarr", Sample("two", two.pixels, 0.2, (two.channels[0], bright)), "0.4")
    write_sample_zarr(archive / "broken.zarr", make_sample("broken", (1, 1, 3, 24, 32)), "0.4")
    chunks = sorted(path for path in (archive / "broken.zarr").rglob("*") if path.name == "0")
    corrupt = [path for path in chunks if path.is_file() and "/1/0/0" in path.as_posix()]
    corrupt[0].write_bytes(b"no chunk")
    command = ["denoise", archive, "--output", folder / "out", "--table", quick_table, "--workers", "1"]
    code, _, err = call(*command, "--channels", "0")
    assert code == 1, err
    return folder


@pytest.fixture
def copy(denoised: Path, tmp_path: Path) -> Path:
    """Results that a test may change; their sources stay where they are."""
    shutil.copytree(denoised / "out", tmp_path / "out")
    return tmp_path / "out"


def written(target: Path, page: Path, *options: str, code: int = 0) -> tuple[str, int, str]:
    """Return the text of the page about a target, the number of its pictures, and what was said."""
    found, _, err = call("report", target, "--output", page, *options)
    assert found == code, err
    content = page.read_text(encoding="utf-8")
    assert content.count("<script") == 1
    assert "<b>" not in content
    return *check_page(content), err


def edit(result: Path, change: Any) -> None:
    """Change the ``autodip`` attribute of a result."""
    path = result / "zarr.json"
    document = json.loads(path.read_text())
    attributes = document["attributes"]
    attributes["autodip"] = change(attributes["autodip"])
    path.write_text(json.dumps(document))


def test_a_page_about_a_folder(denoised: Path, tmp_path: Path) -> None:
    text, pictures, _ = written(denoised / "out", tmp_path / "page.html")
    assert "3 images, 2 of them complete; 6 planes denoised, 1 failed or not done." in text
    assert "✕ failed: 1 ✓ done: 2" in text
    small, frames = 3, 2 * (2 + 3)
    assert pictures == 3 + 4 + 3 + small + frames, "before, after, residual; one whole, too; planes along z"
    order = ["Needs a look status", "Sources are below", "Failed planes source", "All numbers Means"]
    order += ["Made with preset", "Words tier"]
    assert sorted(order, key=text.index) == order
    assert "status is partial, not complete: broken.zarr" in text
    failed = text.index("✕ failed broken.zarr 2 of 3 planes denoised, 1 failed or not done")
    assert failed < text.index(
        "✓ done stack.ome.tif 3 of 3 planes denoised · 0 DAPI: widefield+nucleus, 2/4/4/3"
    )
    assert "1 Phase <b>: copied" in text
    assert "copied: not among the chosen channels" in text
    assert "matched by microscope and specimen" in text
    assert "about understood as text where microscope widefield WideField" in text
    reasons = text[text.index("Failed planes source") : text.index("All numbers Means")]
    assert "broken.zarr 0 0 1 " in reasons
    assert "cannot be read" in reasons
    assert "preset standard, seed 0" in text


def test_charts_and_checks_of_a_channel(denoised: Path, tmp_path: Path) -> None:
    text, _, _ = written(denoised / "out" / "two.zarr", tmp_path / "page.html")
    for told in (
        "Power spectrum",
        "Histogram",
        "correlation of residual and result",
        "worst bias of a level",
    ):
        assert told in text
    assert "Noise along the planes" not in text, "of a single plane"
    stack, _, _ = written(denoised / "out" / "stack.ome.zarr", tmp_path / "page.html")
    assert "Noise along the planes" in stack
    assert "z = 0 z = 1 z = 2" in stack


def test_a_page_about_one_result(denoised: Path, tmp_path: Path) -> None:
    text, pictures, _ = written(denoised / "out" / "stack.ome.zarr", tmp_path / "page.html")
    assert text.count("stack.ome.tif") >= 2
    assert "1 images" in text
    assert "Needs a look" not in text
    assert pictures == 3 + 1 + 6


def test_a_source_that_is_gone_leaves_the_picture_of_after(copy: Path, tmp_path: Path) -> None:
    def moved(attribute: Any) -> Any:
        attribute["recipe"]["source"]["uri"] = str(tmp_path / "gone.ome.tif")
        return attribute

    edit(copy / "stack.ome.zarr", moved)
    text, pictures, _ = written(copy / "stack.ome.zarr", tmp_path / "page.html")
    assert pictures == 1 + 1 + 3
    assert "the source cannot be read, there is no picture of before: " in text
    assert "gone.ome.tif: is no longer there" in text


def test_pictures_are_shown_of_what_needs_a_look_first(
    denoised: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "_MOST_PICTURES", 1)
    text, pictures, _ = written(denoised / "out", tmp_path / "page.html")
    assert "Pictures are shown of 1 of 3 denoised channels" in text
    assert pictures == 3 + 2 * 2 + 3, "a small one for the others"
    assert text.index("The plane t=0 z=2:") < text.index("✓ done stack.ome.tif")
    assert text.count("The plane t=") == 1


@pytest.mark.soak
def test_a_page_follows_a_run(copy: Path, tmp_path: Path) -> None:
    def begun(attribute: Any) -> Any:
        return {**attribute, "status": "running"}

    edit(copy / "stack.ome.zarr", begun)
    target, out = str(copy), tmp_path / "page.html"
    command = [sys.executable, "-m", "autodip_zarr", "report", target, "--output", str(out), "--watch", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        wait_for(out, 120)
        assert "◌ running: 1" in out.read_text()
        assert '<meta http-equiv="refresh" content="1">' in out.read_text()
        edit(copy / "stack.ome.zarr", lambda attribute: {**attribute, "status": "complete"})
        stdout, stderr = watching.communicate(timeout=120)
    assert (watching.returncode, stdout) == (0, f"page: {out}\n"), stderr
    assert "3 images, 1 of them complete" in stderr
    last = out.read_text()
    assert "refresh" not in last
    assert "3 images, 2 of them complete" in last


def test_a_source_that_changed_its_size_is_not_compared(copy: Path, denoised: Path, tmp_path: Path) -> None:
    def other(attribute: Any) -> Any:
        attribute["recipe"]["source"]["uri"] = str(denoised / "archive" / "two.zarr")
        return attribute

    edit(copy / "stack.ome.zarr", other)
    text, pictures, _ = written(copy / "stack.ome.zarr", tmp_path / "page.html")
    assert pictures == 1 + 1 + 3
    assert "has now the size" in text


def test_sources_on_servers_are_asked_only_where_wanted(copy: Path, tmp_path: Path) -> None:
    def remote(attribute: Any) -> Any:
        attribute["recipe"]["source"]["uri"] = "http://127.0.0.1:9/image.zarr"
        return attribute

    edit(copy / "stack.ome.zarr", remote)
    text, _, _ = written(copy / "stack.ome.zarr", tmp_path / "page.html")
    assert "is on a server, and was not read; ask for --remote-sources" in text
    text, _, _ = written(copy / "stack.ome.zarr", tmp_path / "page.html", "--remote-sources")
    assert "is no longer there" in text


def test_hostile_texts_are_shown_and_never_run(copy: Path, tmp_path: Path) -> None:
    def spoiled(attribute: Any) -> Any:
        channel = attribute["recipe"]["channels"][0]
        channel |= {"name": EVIL, "microscope": EVIL, "specimen": EVIL, "reason": EVIL}
        channel["match"] |= {"tier": EVIL, "group": {EVIL: EVIL}, "warnings": [EVIL]}
        channel["config"] = {"depth": EVIL}
        attribute["recipe"] |= {"preset": EVIL, "software": {EVIL: EVIL}}
        attribute["recipe"]["source"]["uri"] = EVIL
        return {**attribute, "status": EVIL, "run": {"finished": EVIL, "warnings": ["of the run: " + EVIL]}}

    edit(copy / "broken.zarr", spoiled)
    text, _, _ = written(copy, tmp_path / "page.html")
    assert text.count("<script>alert('x')</script>") >= 8
    assert "of the run: <script>" in text[: text.index("✕ failed <script>")]
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "attribute",
    [
        {"status": 3, "recipe": 7, "run": []},
        {"status": None, "recipe": {"source": "x", "channels": {"a": 1}, "software": 1}, "run": 1},
        {"recipe": {"source": {"uri": 5, "series": "x"}, "channels": [1, None], "t": 5}},
        {"recipe": {"channels": [{"match": 3, "config": [1]}, {"match": {"group": 1, "table": 2}}]}},
    ],
)
def test_damaged_provenance_costs_nothing_but_itself(attribute: Any, copy: Path, tmp_path: Path) -> None:
    edit(copy / "stack.ome.zarr", lambda _: attribute)
    text, _, _ = written(copy, tmp_path / "page.html")
    assert "3 images, 1 of them complete" in text


def test_a_result_without_its_record_is_named_and_the_others_are_shown(copy: Path, tmp_path: Path) -> None:
    shutil.rmtree(copy / "stack.ome.zarr" / "autodip" / "record")
    text, _, err = written(copy, tmp_path / "page.html", code=1)
    assert "2 images" in text
    assert text.index("stack.ome.zarr/autodip/record: is missing") < text.index("Sources are below")
    assert "error: " in err


def test_no_result_no_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, _, err = call("report", tmp_path, "--output", page)
    assert code == 2
    assert "holds no result of this program" in err
    assert not page.exists()
    code, _, err = call("report", tmp_path / "nowhere", "--output", page)
    assert code == 2


def test_a_page_that_cannot_be_written_is_said(denoised: Path, tmp_path: Path) -> None:
    code, _, err = call("report", denoised / "out", "--output", tmp_path / "nowhere" / "page.html")
    assert code == 2
    assert "--output: " in err


@given(st.text(), st.text())
def test_any_text_is_shown_and_never_markup(one: str, other: str) -> None:
    parts = [
        heading(one),
        warning_list([other]),
        table((one, "b"), [(other, one)]),
        pictures([figure(one, b"png")]),
    ]
    written_text, count = check_page(page(other, parts))
    assert count == 1
    for shown in (one, other):
        visible = "".join(char if char.isprintable() else " " for char in shown).split()
        assert all(word in written_text for word in visible if "\N{REPLACEMENT CHARACTER}" not in word)


def test_numbers_stand_to_the_right_and_texts_to_the_left() -> None:
    made = page("t", [table(("a", "b"), [("1.5", "2 DAPI"), (None, "3")])])
    assert '<td class="number">1.5</td><td>2 DAPI</td>' in made
    assert warning_list([]) == ""
    assert "... and 4 more" in warning_list(range(204))
    assert len(text("<" * 1_000_000)) < 10_000
    assert text("a\x00\u202eb") == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"
