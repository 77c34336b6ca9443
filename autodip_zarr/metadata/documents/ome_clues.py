"""Which texts of an OME-XML header speak about a channel, and how far each is believed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from autodip_zarr.metadata.clues import Clue, Trust
from autodip_zarr.metadata.documents.annotations import KeyValue, key_value_clues, remark_clues
from autodip_zarr.metadata.documents.lists import ChannelNames
from autodip_zarr.metadata.documents.ome_xml import ImageNode, Located, OmeDocument
from autodip_zarr.metadata.documents.originals import key_values_for, original_key_values
from autodip_zarr.metadata.documents.xml_tree import children, local_name, text_of
from autodip_zarr.metadata.units import length_um, wavelength_nm
from autodip_zarr.metadata.vocabulary.isotopes import isotope
from autodip_zarr.metadata.vocabulary.terms import MASS_CYTOMETRY, Vocabulary
from autodip_zarr.metadata.vocabulary.words import MAX_TEXT, compact, split_words

__all__ = ["channel_clues", "name_clues"]

_CLOSED_PINHOLE_UM = (1.0, 400.0)
"""Pinholes wider than this are open, as in two-photon microscopes with descanned detectors."""

_CAMERAS = frozenset({"ccd", "intensifiedccd", "emccd", "cmos", "ebccd", "scmos"})
_POINT_DETECTORS = frozenset({"pmt", "apd", "photodiode", "lifetimeimaging", "correlationspectroscopy"})
_SHORTEST_DYE = 3
_RECONSTRUCTED = re.compile(r"_SIR(?=_ALX|_PRJ|_THR|\.dv|$)")
_STACK = re.compile(r"_[RD]3D(?:_[A-Z0-9]{3})*(?:\.dv)?$")
_HOST = re.compile(
    r"rabbit|goat|donkey|chick|rat(?![a-z])|guinea|mouse.*(?:anti|4\d\d|5\d\d|6\d\d)|anti[-_ ]", re.IGNORECASE
)
"""Animals of antibodies in the names of images."""

_INFRARED_NM = 690.0
"""Excitation above this, with a shorter emission, takes two photons or more."""

_INFRARED_ALONE_NM = 800.0
"""Excitation above this takes two photons or more, whatever the emission: no dye is excited there by one."""


def channel_clues(
    document: OmeDocument,
    node: ImageNode,
    channel: Located | None,
    names: ChannelNames,
    vocabulary: Vocabulary,
) -> Iterator[Clue]:
    """Yield all clues of one channel of one image.

    Parameters
    ----------
    document : OmeDocument
        The header.
    node : ImageNode
        The image.
    channel : Located or None
        The channel's element; ``None`` where the header has none for it.
    names : ChannelNames
        How annotations refer to the channel.
    vocabulary : Vocabulary
        What the words mean.
    """
    if channel is not None:
        yield from _own_clues(document, node, channel, vocabulary)
        for key_value in _key_values(document, channel, of_channel=True):
            yield from key_value_clues(key_value, names, vocabulary)
    for key_value in key_values_for(
        original_key_values(document, vocabulary), node.index, names.index, names.count
    ):
        if not _is_of_another_dye(key_value, names, vocabulary):
            yield from key_value_clues(key_value, names, vocabulary)
    yield from _reagent_clues(document, node, names)
    key_values, remarks = _of_image(document, node)
    for key_value in key_values:
        yield from key_value_clues(key_value, names, vocabulary)
    for text, source in remarks:
        yield from remark_clues(text, source, names, vocabulary)
    yield from _name_of_image_clues(node)
    for instrument in _instruments(document, node):
        yield from _instrument_clues(instrument)
    creator = document.root.get("Creator")
    if creator is not None:
        yield Clue("microscope", creator, document.root.at("Creator"), Trust.MODEL - 5, "model", quiet=True)


def _name_of_image_clues(node: ImageNode) -> Iterator[Clue]:
    """Yield what the name of an image says: what its software appended to it, and an organism.

    softWoRx appends ``_SIR`` to reconstructions of structured illumination, ``_R3D`` and ``_D3D`` to stacks
    of a wide field as taken and as deconvolved. Animals in which antibodies are raised are no organisms here.
    """
    name, source = (node.name or "")[:MAX_TEXT], node.image.at("Name")
    if _RECONSTRUCTED.search(name):
        yield Clue("microscope", name, source, Trust.MODEL + 2, "value", "sim")
    elif _STACK.search(name):
        yield Clue("microscope", name, source, Trust.MODEL - 5, "value", "widefield")
    if name and not _HOST.search(name):
        yield Clue("organism", name, source, Trust.PROSE - 10, "prose", quiet=True)


def _own_clues(
    document: OmeDocument, node: ImageNode, channel: Located, vocabulary: Vocabulary
) -> Iterator[Clue]:
    """Yield what the element of a channel says itself."""
    doubtful = _mistaken_widefield(node, channel) or _mistaken_confocal(document, channel)
    yield from _attribute_clues(channel, doubtful=doubtful)
    yield from _physics_clues(document, channel)
    for name, trust in (("Name", Trust.LABEL), ("Fluor", Trust.LABEL - 3)):
        value = channel.get(name)
        if value is not None:
            yield from name_clues(value, channel.at(name), trust, vocabulary)


def _is_of_another_dye(key_value: KeyValue, names: ChannelNames, vocabulary: Vocabulary) -> bool:
    """Whether the vendor gives a channel a dye that is not the one it is named by.

    Lists of bands and tracks hold those that were switched off, too: their numbers are not the channels'.
    """
    if vocabulary.key_field(key_value.key) != "structure" or not key_value.of_channel:
        return False
    own = {word for name in names.own if vocabulary.has_fluorophore(name) for word in split_words(name).parts}
    return bool(own) and own.isdisjoint(split_words(key_value.value).parts)


def name_clues(name: str, source: str, trust: int, vocabulary: Vocabulary) -> Iterator[Clue]:
    """Yield what a name that people gave a channel says.

    Parameters
    ----------
    name : str
        Channel name, display label or fluorophore.
    source : str
        File and path inside it.
    trust : int
        How far the name is believed about the structure.
    vocabulary : Vocabulary
        What the words mean.
    """
    yield Clue("specimen", name, source, trust, "words")
    yield Clue("contrast", name, source, trust, "words", quiet=True)
    yield Clue("microscope", name, source, min(trust, Trust.NAMED), "prose", quiet=True)
    technique = vocabulary.technique(name)
    if technique is not None:
        yield Clue("microscope", name, source, min(trust, Trust.NAMED), "value", technique)
    if vocabulary.has_fluorophore(name):
        yield Clue("contrast", name, source, Trust.DYE, "value", "fluorescence")
    if vocabulary.is_laser_line(name):
        yield Clue("contrast", name, source, Trust.SIBLING - 1, "value", "fluorescence")
    if isotope(name):
        yield Clue("microscope", name, source, trust, "value", MASS_CYTOMETRY)


def _attribute_clues(channel: Located, *, doubtful: bool) -> Iterator[Clue]:
    """Yield the attributes that the schema has for the purpose; ``Mode`` is their name before 2010."""
    for name in ("AcquisitionMode", "Mode"):
        value = channel.get(name)
        if value is not None:
            trust = Trust.PHYSICS - 5 if doubtful else Trust.STATED
            yield Clue("microscope", value, channel.at(name), trust)
    method = channel.get("ContrastMethod")
    if method is not None:
        yield Clue("contrast", method, channel.at("ContrastMethod"), Trust.STATED, "words")
        yield Clue("microscope", method, channel.at("ContrastMethod"), Trust.PHYSICS, quiet=True)
    illumination = channel.get("IlluminationType")
    if illumination is not None:
        source = channel.at("IlluminationType")
        # some writers call everything epifluorescence that comes from above, reflections included
        is_told = channel.get("Fluor") is not None or channel.get("EmissionWavelength") is not None
        is_default = compact(illumination) == "epifluorescence" and not is_told
        yield Clue("contrast", illumination, source, Trust.LABEL - 2 if is_default else Trust.STATED - 1)
        if illumination.replace("-", "").replace(" ", "").casefold() == "nonlinear":
            yield Clue("microscope", illumination, source, Trust.PHYSICS + 1, "value", "twophoton")


def _mistaken_widefield(node: ImageNode, channel: Located) -> bool:
    """Whether a channel is called wide-field, but has a pinhole and stands beside a confocal one.

    Point scanners write this where the fluorescence channels carry the default of the schema and only the
    transmitted one was set. A wide-field microscope has no pinhole.
    """
    if compact(channel.get("AcquisitionMode") or "") != "widefield" or _pinhole_um(channel) is None:
        return False
    siblings = (compact(one.get("AcquisitionMode") or "") for one in node.channels)
    return any("confocal" in mode for mode in siblings)


def _mistaken_confocal(document: OmeDocument, channel: Located) -> bool:
    """Whether a channel is called a laser-scanning confocal, and is lit by pulses in the infrared.

    Converters call everything so that scans.
    """
    mode = compact(channel.get("AcquisitionMode") or channel.get("Mode") or "")
    excitation = _wavelength(channel, "ExcitationWavelength", "ExWave") or _laser(document, channel)
    is_infrared = excitation is not None and excitation[2] > _INFRARED_ALONE_NM
    return "confocal" in mode and (is_infrared or any(True for _ in _laser_clues(document, channel)))


def _pinhole_um(channel: Located) -> float | None:
    """Return the diameter of a closed pinhole, or ``None``."""
    size_um = length_um(channel.get("PinholeSize"), channel.get("PinholeSizeUnit"))
    return (
        size_um if size_um is not None and _CLOSED_PINHOLE_UM[0] <= size_um <= _CLOSED_PINHOLE_UM[1] else None
    )


def _detector_clues(document: OmeDocument, channel: Located) -> Iterator[Clue]:
    """Yield what the detector rules out: point scanners need no camera, wide fields no photomultiplier.

    Where the channel names none, all detectors of the instrument count, if they are of one kind.
    """
    found = [document.by_id.get(settings.get("ID") or "") for settings in channel.find("DetectorSettings")]
    named = [one for one in found if one is not None]
    for detector in named:
        yield from _detector_name_clues(detector)
    every = [one for instrument in document.instruments for one in instrument.find("Detector")]
    if not named and len(document.instruments) == 1 and len({_sort_of(one) for one in every}) == 1:
        named = every[:1]
    for detector in named:
        kind = detector.get("Type") or ""
        against: tuple[str, ...] = ()
        if compact(kind) in _CAMERAS:
            against = ("confocal", "twophoton", "sted")
        elif compact(kind) in _POINT_DETECTORS:
            against = ("widefield", "spinning_disk", "tirf", "light_sheet")
        if against:
            yield Clue("microscope", kind, detector.at("Type"), Trust.PROSE, "value", None, against=against)


def _detector_name_clues(detector: Located) -> Iterator[Clue]:
    """Yield transmitted light for detectors that are named so (``PMT Trans``, ``T-PMT``)."""
    for name in ("Model", "ID"):
        text = detector.get(name)
        if text is not None:
            yield Clue("contrast", text, detector.at(name), Trust.PHYSICS, "words", quiet=True)


def _sort_of(detector: Located) -> str | None:
    kind = compact(detector.get("Type") or "")
    return "camera" if kind in _CAMERAS else "point" if kind in _POINT_DETECTORS else None


def _physics_clues(document: OmeDocument, channel: Located) -> Iterator[Clue]:
    """Yield what the optics say: pinhole, detector, laser and wavelengths."""
    pinhole = channel.get("PinholeSize")
    if pinhole is not None:
        value = "confocal" if _pinhole_um(channel) is not None else None
        yield Clue("microscope", pinhole, channel.at("PinholeSize"), Trust.PHYSICS - 2, "value", value)
    yield from _detector_clues(document, channel)
    yield from _laser_clues(document, channel)
    emission = _wavelength(channel, "EmissionWavelength", "EmWave")
    excitation = _wavelength(channel, "ExcitationWavelength", "ExWave") or _laser(document, channel)
    if emission is not None:
        yield Clue("contrast", emission[0], emission[1], Trust.IMPLIED, "value", "fluorescence")
    if excitation is None:
        return
    if pinhole is not None and _pinhole_um(channel) is not None:  # a laser of its own, behind a pinhole
        yield Clue("contrast", excitation[0], excitation[1], Trust.SIBLING - 1, "value", "fluorescence")
    is_shorter = emission is not None and emission[2] < excitation[2]
    if excitation[2] > (_INFRARED_NM if is_shorter else _INFRARED_ALONE_NM):
        raw = f"excitation {excitation[0]}" + (f", emission {emission[0]}" if emission else "")
        yield Clue("microscope", raw, excitation[1], Trust.PHYSICS, "value", "twophoton")


def _laser_clues(document: OmeDocument, channel: Located) -> Iterator[Clue]:
    """Yield two-photon for channels lit by a titanium-sapphire laser: nothing else needs its pulses."""
    for settings in (*channel.find("LightSourceSettings"), *channel.find("LightSourceRef")):
        laser = document.by_id.get(settings.get("ID") or "")
        medium = laser.get("LaserMedium") if laser else None
        if laser is not None and medium is not None and compact(medium) == "tisapphire":
            yield Clue("microscope", medium, laser.at("LaserMedium"), Trust.PHYSICS - 1, "value", "twophoton")


def _wavelength(element: Located, *names: str) -> tuple[str, str, float] | None:
    """Return text, place and nanometers of the first of several attributes that is a wavelength."""
    for name in names:
        text = element.get(name)
        value = wavelength_nm(text, element.get(f"{name}Unit"))
        if text is not None and value is not None:
            return text, element.at(name), value
    return None


def _laser(document: OmeDocument, channel: Located) -> tuple[str, str, float] | None:
    """Return the wavelength of the laser that a channel refers to."""
    for settings in (*channel.find("LightSourceSettings"), *channel.find("LightSourceRef")):
        own = _wavelength(settings, "Wavelength")
        source = document.by_id.get(settings.get("ID") or "")
        if own is not None or source is None:
            return own
        return _wavelength(source, "Wavelength")
    return None


def _instruments(document: OmeDocument, node: ImageNode) -> Iterator[Located]:
    """Yield the instrument of an image; the only one of the header where the image names none."""
    named = [one.get("ID") or "" for one in node.image.find("InstrumentRef")]
    for identity in named:
        if identity in document.by_id:
            yield document.by_id[identity]
    if not named and len(document.instruments) == 1:
        yield document.instruments[0]


def _instrument_clues(instrument: Located) -> Iterator[Clue]:
    """Yield what the names of the instrument say.

    The ``Type`` of the stand says nothing of the modality, and TIRF objectives are used for everything.
    """
    for part in instrument.find("Microscope"):
        model = part.get("Model")
        if model is not None:
            yield Clue("microscope", model, part.at("Model"), Trust.MODEL, "model")
    for kind in ("Detector", "Dichroic", "FilterSet", "GenericExcitationSource"):
        for part in instrument.find(kind):
            model = part.get("Model")
            if model is not None:
                yield Clue("microscope", model, part.at("Model"), Trust.MODEL - 2, "model", quiet=True)


def _reagent_clues(document: OmeDocument, node: ImageNode, names: ChannelNames) -> Iterator[Clue]:
    """Yield the reagents of the well that name the dye of the channel.

    Most reagents are treatments, not stains, so a reagent is taken only where it names the channel's dye.
    """
    dyes = [compact(name) for name in names.own if len(compact(name)) >= _SHORTEST_DYE]
    for place in _well(document, node):
        for reference in place.find("ReagentRef"):
            reagent = document.by_id.get(reference.get("ID") or "")
            name = reagent.get("Name") if reagent else None
            if reagent is not None and name is not None and any(dye in compact(name) for dye in dyes):
                yield Clue("specimen", name, reagent.at("Name"), Trust.ORIGINAL + 5, "words", quiet=True)


def _well(document: OmeDocument, node: ImageNode) -> tuple[Located, ...]:
    return document.wells.get(node.image.get("ID") or "", ())


def _annotations(document: OmeDocument, place: Located) -> Iterator[Located]:
    for reference in place.find("AnnotationRef"):
        found = document.by_id.get(reference.get("ID") or "")
        if found is not None:
            yield found


def _key_values(document: OmeDocument, place: Located, *, of_channel: bool) -> Iterator[KeyValue]:
    """Yield the key-value pairs of the map annotations that an element refers to."""
    for annotation in _annotations(document, place):
        yield from _pairs(annotation, of_channel=of_channel)


def _pairs(annotation: Located, *, of_channel: bool) -> Iterator[KeyValue]:
    """Yield the key-value pairs of a map annotation, in both forms that are written."""
    if local_name(annotation.element) == "MapAnnotation":
        for key_value in (
            *children(annotation.element, "Value", "M"),
            *children(annotation.element, "Value", "Map", "M"),
        ):
            key = key_value.get("K")
            if key and key_value.text and key_value.text.strip():
                source = f"{annotation.path}/Value/M[@K={key!r}]"
                trust = Trust.CURATED if of_channel else Trust.ANNOTATION
                yield KeyValue(key, key_value.text.strip(), source, of_channel, int(trust))


@lru_cache(maxsize=2)
def _of_image(
    document: OmeDocument, node: ImageNode
) -> tuple[tuple[KeyValue, ...], tuple[tuple[str, str], ...]]:
    """Return key_values and remarks of an image, its well and its plate, which all its channels share."""
    wells = _well(document, node)
    names = (node.image.get("ID") or "", *(one.get("ID") or "" for one in wells[:1]))
    studies = (one for name in names for one in document.studies.get(name, ()))
    places = (node.image, *((node.pixels,) if node.pixels else ()), *wells, *studies)
    key_values = (
        key_value for place in places for key_value in _key_values(document, place, of_channel=False)
    )
    loose = (key_value for annotation in document.loose for key_value in _pairs(annotation, of_channel=False))
    remarks = (remark for place in places for remark in _remarks(document, place))
    return (*key_values, *loose), tuple(remarks)


def _remarks(document: OmeDocument, place: Located) -> Iterator[tuple[str, str]]:
    """Yield descriptions, tags and comments of an element."""
    description = text_of(place.element, "Description")
    if description is not None:
        yield description, f"{place.path}/Description"
    for annotation in _annotations(document, place):
        if local_name(annotation.element) in {"TagAnnotation", "CommentAnnotation", "TermAnnotation"}:
            value = text_of(annotation.element, "Value")
            if value is not None:
                yield value, f"{annotation.path}/Value"
