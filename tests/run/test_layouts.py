"""Pairs of folders, lists and public sets, each on a small tree laid out exactly as its makers have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from autodip_zarr.calibration import load_table
from autodip_zarr.calibration.table import MeasuredPair
from autodip_zarr.domain import Skipped
from autodip_zarr.errors import OptionError
from autodip_zarr.metadata import Terms
from autodip_zarr.run.calibrating.pairs import Asked, CalibrationPair, Picture, read_picture
from autodip_zarr.run.calibrating.sources import calibration_pairs
from autodip_zarr.run.choices import KnowledgeChoices
from autodip_zarr.run.sources.overrides import Knowledge
from autodip_zarr.stores import write_image
from autodip_zarr.stores.sample import write_sample_tiff, write_sample_zarr

from ..samples import make_sample

KNOWLEDGE = Knowledge.prepare(KnowledgeChoices(), load_table())
AUTO = Asked("auto", None, 1, "auto", Terms(KNOWLEDGE.vocabulary))
RANDOM = np.random.default_rng(5)
SIZE = (20, 24)


def pixels(*more: int, dtype: str = "uint8") -> NDArray[np.generic]:
    return RANDOM.integers(1, 250, (*more, *SIZE)).astype(dtype)


def found(source: Path, asked: Asked = AUTO) -> tuple[list[CalibrationPair], list[Skipped]]:
    items = list(calibration_pairs(str(source), asked, KNOWLEDGE))
    skipped = [item for item in items if isinstance(item, Skipped)]
    return [item for item in items if isinstance(item, CalibrationPair)], skipped


def read(picture: Picture) -> NDArray[np.float64]:
    return read_picture(picture).astype(np.float64)


def known(pairs: Sequence[CalibrationPair]) -> list[MeasuredPair]:
    return [pair.known for pair in pairs]


def png(path: Path) -> NDArray[np.generic]:
    path.parent.mkdir(parents=True, exist_ok=True)
    plane = pixels()
    write_image(str(path), plane)
    return plane


def tif(path: Path, stack: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, stack, photometric="minisblack")


def mrc(path: Path, stack: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path) as file:
        file.set_data(stack)


def test_fmd(tmp_path: Path) -> None:
    for level in ("raw", "avg2", "gt"):
        for field in ("1", "19"):
            for capture in ("00",) if level == "gt" else ("00", "01", "02"):
                png(tmp_path / "TwoPhoton_BPAE_R" / level / field / f"HV110_P0500510{capture}.png")
    png(tmp_path / "Confocal_FISH" / "gt" / "3" / "avg50.png")
    last = png(tmp_path / "Confocal_FISH" / "raw" / "3" / "c07.png")
    for level in ("raw", "gt"):
        png(tmp_path / "test_mix" / level / "WideField_BPAE_B_1.png")
    (tmp_path / "readme").mkdir()
    asked = replace(AUTO, layout="fmd", captures=2)
    pairs, skipped = found(tmp_path, asked)
    assert skipped == []
    assert len(pairs) == 1 + 2 * 2 + 1
    assert known(pairs)[0] == MeasuredPair(
        "Confocal_FISH/3/raw/c07", "Confocal_FISH/3", "confocal", "nucleus"
    )
    np.testing.assert_array_equal(read(pairs[0].noisy), last)
    assert {pair.known.field for pair in pairs[1:5]} == {"TwoPhoton_BPAE_R/1", "TwoPhoton_BPAE_R/19"}
    assert {(pair.known.microscope, pair.known.specimen) for pair in pairs[1:5]} == {("twophoton", "mito")}
    mixed = MeasuredPair(
        "test_mix/WideField_BPAE_B_1/raw", "test_mix/WideField_BPAE_B_1", "widefield", "nucleus"
    )
    assert known(pairs)[5] == mixed
    assert {pair.scales for pair in pairs} == {"same"}
    pairs, skipped = found(tmp_path, replace(asked, levels=("avg2",), captures=1))
    assert len(pairs) == 2
    assert len(skipped) == 2, "two sets lack that level"
    with pytest.raises(OptionError, match="avg3"):
        found(tmp_path, replace(asked, levels=("avg3",)))


def test_hagen(tmp_path: Path) -> None:
    low, high = pixels(20, dtype="uint16"), pixels(20, dtype="uint16")
    for name in ("actin-60x-noise1", "nucleus", "mito-confocal"):
        tif(tmp_path / f"{name}-lowsnr.tif", low)
        tif(tmp_path / f"{name}-highsnr.tif", high)
    tif(tmp_path / "membrane-lowsnr.tif", low)
    tif(tmp_path / "membrane-highsnr.tif", high[:3])
    pairs, skipped = found(tmp_path, replace(AUTO, layout="hagen"))
    assert len(pairs) == 3 * 18, "the last tenth is for tests"
    assert "holds 3 pages; expected 20" in skipped[0].reason
    assert known(pairs)[2] == MeasuredPair("actin-60x-noise1/2", "actin-60x/2", "widefield", "actin")
    assert known(pairs)[18].microscope == "confocal"
    assert known(pairs)[18].specimen == "mito"
    np.testing.assert_array_equal(read(pairs[2].noisy), low[2])
    np.testing.assert_array_equal(read(pairs[2].clean), high[2])
    assert {pair.scales for pair in pairs} == {"fitted"}
    assert len(found(tmp_path, replace(AUTO, layout="hagen", levels=("1",)))[0]) == 18


def test_biosr(tmp_path: Path) -> None:
    stacks = {level: pixels(9, dtype="uint16") for level in ("01", "02")}
    clean = pixels(9, dtype="uint16")
    cell = tmp_path / "Microtubules" / "Cell_001"
    mrc(cell / "RawSIMData_gt.mrc", clean)
    mrc(cell / "SIM_gt.mrc", clean)
    er = tmp_path / "ER" / "Cell_002"
    for level, stack in stacks.items():
        mrc(cell / f"RawSIMData_level_{level}.mrc", stack)
        mrc(er / "RawSIMData" / f"RawSIMData_level_{level}.mrc", stack)
        mrc(er / "RawGTSIMData" / f"RawGTSIMData_level_{level}.mrc", clean)
    pairs, skipped = found(tmp_path, replace(AUTO, layout="biosr"))
    assert skipped == []
    names = [
        f"{where}/level_{level}" for where in ("ER/Cell_002", "Microtubules/Cell_001") for level in stacks
    ]
    assert [pair.known.name for pair in pairs] == names
    assert known(pairs)[3] == MeasuredPair(names[3], "Microtubules/Cell_001", "widefield", "tubulin")
    np.testing.assert_allclose(read(pairs[3].noisy), stacks["02"].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(read(pairs[0].clean), clean.mean(axis=0), rtol=1e-6)
    (cell / "RawSIMData_gt.mrc").unlink()
    pairs, skipped = found(tmp_path, replace(AUTO, layout="biosr", levels=("01",)))
    assert len(pairs) == 1
    assert "RawSIMData_gt.mrc" in skipped[0].source
    assert "is missing" in skipped[0].reason


def test_w2s(tmp_path: Path) -> None:
    stack = pixels(6, dtype="uint16")
    for channel in range(3):
        path = tmp_path / "raw" / "Image001" / f"wf_channel{channel}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, stack)
    pairs, skipped = found(tmp_path, replace(AUTO, layout="w2s", levels=("1", "4")))
    assert skipped == []
    assert [pair.known.specimen for pair in pairs] == ["mito", "mito", "tubulin", "tubulin", "actin", "actin"]
    assert {pair.known.field for pair in pairs} == {"Image001"}
    np.testing.assert_array_equal(read(pairs[0].noisy), stack[0])
    np.testing.assert_allclose(read(pairs[1].noisy), stack[:4].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(read(pairs[1].clean), stack.mean(axis=0), rtol=1e-6)
    with pytest.raises(OptionError, match="numbers of captures"):
        found(tmp_path, replace(AUTO, layout="w2s", levels=("raw",)))


def test_shah(tmp_path: Path) -> None:
    stack, clean = pixels(5, dtype="uint16"), pixels(dtype="uint16")
    root = tmp_path / "DataSet3"
    tif(root / "Noisy_ImageStacks" / "Noisy_FOV_1_Timestamp_2_number_3.tif", stack)
    tif(root / "Noisy_ImageStacks" / "Noisy_FOV_9_Timestamp_2_number_3.tif", stack)
    tif(root / "Reference_Images" / "Ref_FOV_1_Timestamp_2_number_3.tif", clean)
    pairs, skipped = found(tmp_path, replace(AUTO, layout="shah", levels=("2",)))
    name = "Noisy_FOV_1_Timestamp_2_number_3/mean2"
    assert known(pairs) == [MeasuredPair(name, "FOV_1", "widefield", "tubulin")]
    np.testing.assert_allclose(read(pairs[0].noisy), stack[:2].mean(axis=0), rtol=1e-6)
    assert "has no partner" in skipped[0].reason


@pytest.mark.parametrize("layout", ["fmd", "hagen", "biosr", "w2s", "shah"])
def test_a_folder_of_another_layout_says_what_is_expected(tmp_path: Path, layout: str) -> None:
    png(tmp_path / "noisy" / "a.png")
    with pytest.raises(OptionError, match=f"nothing of the layout {layout}"):
        found(tmp_path, replace(AUTO, layout=layout))
    with pytest.raises(OptionError, match="is no folder"):
        found(tmp_path / "missing", replace(AUTO, layout=layout))


def test_folders_of_noisy_and_clean(tmp_path: Path) -> None:
    for part in ("noisy", "clean"):
        png(tmp_path / part / "confocal" / "nucleus" / "a.png")
        write_sample_tiff(tmp_path / part / "stack.ome.tif", make_sample("stack", (1, 2, 2, 20, 24)))
        np.save(tmp_path / part / "frames.npy", pixels(3))
    png(tmp_path / "noisy" / "lonely.png")
    pairs, skipped = found(tmp_path)
    by_name = {pair.known.name: pair.known for pair in pairs}
    assert len(by_name) == 1 + 4 + 3
    picture = by_name["confocal/nucleus/a.png"]
    assert (picture.field, picture.microscope, picture.specimen) == (
        "clean/confocal/nucleus/a.png",
        "confocal",
        "nucleus",
    )
    assert by_name["stack.ome.tif t=0 c=1 z=1"].specimen == "mito", "of its own header"
    assert {by_name[f"frames.npy {index}"].field for index in range(3)} == {"clean/frames.npy"}
    assert len(skipped) == 1
    assert "no image is named 'lonely'" in skipped[0].reason
    ordered = replace(
        KNOWLEDGE, orders=Knowledge.prepare(KnowledgeChoices(microscope="widefield"), load_table()).orders
    )
    items = list(calibration_pairs(str(tmp_path), AUTO, ordered))
    assert {item.known.microscope for item in items if isinstance(item, CalibrationPair)} == {"widefield"}
    with pytest.raises(OptionError, match="is no source of pairs"):
        found(tmp_path / "noisy")


def test_a_list_of_stores_and_files_of_different_formats(tmp_path: Path) -> None:
    sample = make_sample("one", (1, 1, 2, 20, 24))
    write_sample_zarr(tmp_path / "n.zarr", sample, "0.5")
    write_sample_tiff(tmp_path / "c.ome.tif", sample)
    path = tmp_path / "pairs.csv"
    path.write_text("noisy,clean,specimen\nn.zarr,c.ome.tif,actin\n", encoding="utf-8")
    pairs, skipped = found(path)
    assert skipped == []
    assert [pair.name for pair in known(pairs)] == ["n.zarr t=0 c=0 z=0", "n.zarr t=0 c=0 z=1"]
    assert {(pair.field, pair.microscope, pair.specimen) for pair in known(pairs)} == {
        ("c.ome.tif", "widefield", "actin")
    }, "the list speaks before the header"
    np.testing.assert_array_equal(read(pairs[1].noisy), sample.pixels[0, 0, 1])
    np.testing.assert_array_equal(read(pairs[1].clean), sample.pixels[0, 0, 1])


def test_a_list_of_pairs(tmp_path: Path) -> None:
    png(tmp_path / "n1.png")
    png(tmp_path / "n2.png")
    png(tmp_path / "c.png")
    np.save(tmp_path / "captures.npy", pixels(4))
    np.save(tmp_path / "mean.npy", pixels())
    np.save(tmp_path / "three.npy", pixels(3))
    np.save(tmp_path / "small.npy", pixels()[:5])
    lines = [
        "noisy,clean,microscope,specimen,field",
        "n1.png,c.png,laser scanning confocal,DAPI,A1",
        "n2.png,c.png,,,",
        "captures.npy,mean.npy,widefield,actin,",
        "",
        "missing.png,c.png,,,",
        "n1.png,c.png,my scope,,",
        "n1.png",
        ",c.png,,,",
        "captures.npy,three.npy,,,",
        "captures.npy,small.npy,,,",
    ]
    path = tmp_path / "pairs.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    pairs, skipped = found(path, replace(AUTO, captures=3))
    assert known(pairs)[:2] == [
        MeasuredPair("n1.png", "A1", "confocal", "nucleus"),
        MeasuredPair("n2.png", "c.png", None, None),
    ]
    assert [pair.name for pair in known(pairs)[2:]] == [f"captures.npy {index}" for index in range(3)]
    assert {pair.field for pair in known(pairs)[2:]} == {"mean.npy"}
    said = [f"{one.source}: {one.reason}" for one in skipped]
    for text, expected in zip(
        said,
        (
            "missing.png",
            "line 7: column microscope: 'my scope'; expected one of",
            "line 8: ",
            "line 9: ",
            "line 10: ",
            "line 11: ",
        ),
        strict=True,
    ):
        assert expected in text
    assert "1 cells; expected 5" in said[2]
    assert "no noisy image" in said[3]
    assert "holds 3 planes; expected 1, or 4" in said[4]
    assert "is 5 x 24 pixels; expected 20 x 24" in said[5]
    path.write_text("left,right\n", encoding="utf-8")
    with pytest.raises(OptionError, match="the columns left, right; expected noisy and clean"):
        found(path)
    path.write_bytes(b"noisy,clean\n\xff\xfe")
    with pytest.raises(OptionError, match="not UTF-8"):
        found(path)
    with pytest.raises(OptionError, match="cannot be read"):
        found(tmp_path / "none.csv")
