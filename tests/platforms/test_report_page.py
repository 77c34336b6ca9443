"""The page about results in a real browser: filter, order, sliders, links, and faults of accessibility."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autodip_zarr.stores.sample import write_sample_tiff, write_sample_zarr

from ..samples import make_sample
from ..test_cli import call
from .browser import chromium, dom, shot, tried
from .fetch import axe

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, quick_table: str) -> Path:
    """A page about five images: one that failed in part, one of two planes, three good ones."""
    chromium()
    folder = tmp_path_factory.mktemp("page")
    for number in range(3):
        write_sample_tiff(folder / "in" / f"good{number}.ome.tif", make_sample("x", (1, 1, 3, 280, 300)))
    write_sample_zarr(folder / "in" / "broken.zarr", make_sample("broken", (1, 1, 3, 24, 32)), "0.4")
    chunks = sorted(path for path in (folder / "in" / "broken.zarr").rglob("*") if path.name == "0")
    next(path for path in chunks if path.is_file() and "/1/0/0" in path.as_posix()).write_bytes(b"no chunk")
    write_sample_zarr(folder / "in" / "odd.zarr", make_sample("odd", (2, 1, 1, 40, 50)), "0.5")
    options = ["--table", quick_table, "--in-process"]
    assert call("denoise", folder / "in", "--output", folder / "out", *options)[0] == 1
    assert call("report", folder / "out", "--output", folder / "page.html")[0] == 0
    return folder / "page.html"


def test_nothing_is_refused_by_the_policy_of_the_page(page: Path, tmp_path: Path) -> None:
    """Its own script runs under it: the tools are there."""
    shown, said = dom(page, tmp_path)
    assert "5 of 5 images shown" in shown
    assert "Content Security Policy" not in said


def test_cards_are_filtered_and_sorted(page: Path, tmp_path: Path) -> None:
    script = """
    const list = document.querySelector(".cards");
    const [find, state, group, tier, order] = document.querySelectorAll(".tools input, .tools select");
    const shown = () => [...list.children].filter((card) => !card.hidden).map((card) => card.dataset.name);
    const set = (input, value) => { input.value = value; input.dispatchEvent(new Event("input")); };
    const told = {all: shown()};
    set(find, "GOOD1"); told.found = shown(); set(find, "");
    set(state, "failed"); told.failed = shown();
    told.output = document.querySelector(".tools output").textContent;
    set(state, "");
    set(order, "name"); told.byName = shown();
    set(order, "seconds"); told.seconds = [...list.children].map((card) => Number(card.dataset.seconds));
    set(order, "need"); told.again = shown();
    return told;
    """
    told = tried(page, script, tmp_path)
    assert told["all"][0] == "broken.zarr"
    assert told["again"] == told["all"]
    assert told["found"] == ["good1.ome.tif"]
    assert (told["failed"], told["output"]) == (["broken.zarr"], "1 of 5 images shown")
    assert told["byName"] == sorted(told["all"])
    assert told["seconds"] == sorted(told["seconds"], reverse=True)


def test_planes_slide_and_pictures_are_swiped_and_enlarged(page: Path, tmp_path: Path) -> None:
    script = """
    const card = [...document.querySelectorAll(".card")].find((one) => one.dataset.name === "good0.ome.tif");
    card.open = true;
    const told = {};
    const slide = card.querySelector(".slide input"), frames = [...card.querySelectorAll(".strip figure")];
    const seen = () => frames.filter((one) => !one.hidden).map((one) => one.dataset.at);
    told.first = seen();
    slide.value = 2; slide.dispatchEvent(new Event("input")); told.last = seen();
    told.label = slide.getAttribute("aria-label"); told.at = slide.getAttribute("aria-valuetext");
    const swipe = card.querySelector(".swipe input");
    const above = card.querySelectorAll(".swipe img")[1];
    swipe.value = 20; swipe.dispatchEvent(new Event("input")); told.clip = above.style.clipPath;
    const [below] = card.querySelectorAll(".swipe img");
    const [noisy, denoised] = card.querySelectorAll(".pictures.pair img");
    told.layers = [above.src === noisy.src, below.src === denoised.src];
    card.querySelector(".pictures button").click();
    const dialog = document.querySelector("dialog");
    told.enlarged = [dialog.open, dialog.querySelector("img").src === noisy.src];
    dialog.querySelector("button").click(); told.closed = !dialog.open;
    location.hash = "#" + document.querySelectorAll(".card")[4].id;
    await new Promise((done) => setTimeout(done, 100));
    told.opened = document.querySelectorAll(".card")[4].open;
    return told;
    """
    told = tried(page, script, tmp_path)
    assert (told["first"], told["last"]) == (["z = 0"], ["z = 2"])
    assert (told["label"], told["at"]) == ("Plane along z", "z = 2")
    assert told["clip"] == "inset(0px 80% 0px 0px)"
    assert told["layers"] == [True, True]
    assert told["enlarged"] == [True, True]
    assert told["closed"]
    assert told["opened"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_no_fault_of_accessibility(page: Path, tmp_path: Path, width: int, scheme: str) -> None:
    script = f"""{axe()};
    for (const card of document.querySelectorAll(".card")) card.open = true;
    const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];
    const found = await axe.run(document, {{runOnly: rules}});
    const where = (fault) => fault.nodes.slice(0, 3).map((node) => node.html);
    return {{
      dark: matchMedia("(prefers-color-scheme: dark)").matches,
      wide: [document.documentElement.scrollWidth, innerWidth],
      faults: found.violations.map((one) => [one.id, one.help, where(one)]),
      passes: found.passes.length,
    }};
    """
    flags = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    told = tried(page, script, tmp_path, *flags, width=width)
    assert told["faults"] == [], json.dumps(told["faults"], indent=1)
    assert told["passes"] > 15
    assert told["dark"] == (scheme == "dark")
    assert told["wide"][0] <= told["wide"][1] == width, "nothing sticks out of the window"


def test_the_page_is_drawn_with_its_pictures(page: Path, tmp_path: Path) -> None:
    shot(page, tmp_path / "page.png", (1280, 1600), "#image-2")
    drawn = np.asarray(Image.open(tmp_path / "page.png").convert("L"))
    assert drawn.shape == (1600, 1280)
    assert len(np.unique(drawn)) > 100
