"""Which texts of an OME-XML header speak about a channel, and how far each is believed."""

from __future__ import annotations

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
from autodip_zarr.metadata.vocabulary.words import compact

__all__ = ["channel_clues", "name_clues"]

_CLOSED_PINHOLE_UM = (1.0, 400.0)
"""Pinholes wider than this are open, as in two-photon microscopes with descanned detectors."""

_CAMERAS = frozenset({"ccd", "intensifiedccd", "emccd", "cmos", "ebccd", "scmos"})
_POINT_DETECTORS = frozenset({"pmt", "apd", "photodiode", "lifetimeimaging", "correlationspectroscopy"})
_SHORTEST_DYE = 3

_INFRARED_NM = 690.0
"""Excitation above this, with a shorter emission, takes two photons or more."""


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
        yield from _attribute_clues(channel, doubtful=_mistaken_widefield(node, channel))
        yield from _physics_clues(document, channel)
        for name, trust in (("Name", Trust.LABEL), ("Fluor", Trust.LABEL - 3)):
            value = channel.get(name)
            if value is not None:
                yield from name_clues(value, channel.at(name), trust, vocabulary)
        for key_value in _key_values(document, channel, of_channel=True):
            yield from key_value_clues(key_value, names, vocabulary)
    for key_value in key_values_for(
        original_key_values(document, vocabulary), node.index, names.index, names.count
    ):
        yield from key_value_clues(key_value, names, vocabulary)
    yield from _reagent_clues(document, node, names)
    key_values, remarks = _of_image(document, node)
    for key_value in key_values:
        yield from key_value_clues(key_value, names, vocabulary)
    for text, source in remarks:
        yield from remark_clues(text, source, names, vocabulary)
    for instrument in _instruments(document, node):
        yield from _instrument_clues(instrument)
    creator = document.root.get("Creator")
    if creator is not None:
        yield Clue("microscope", creator, document.root.at("Creator"), Trust.MODEL - 5, "model", quiet=True)


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
    yield Clue("microscope", name, source, min(trust, Trust.MODEL + 5), "prose", quiet=True)
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
        yield Clue("contrast", illumination, source, Trust.STATED - 1)
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


def _pinhole_um(channel: Located) -> float | None:
    """Return the diameter of a closed pinhole, or ``None``."""
    size_um = length_um(channel.get("PinholeSize"), channel.get("PinholeSizeUnit"))
    return (
        size_um if size_um is not None and _CLOSED_PINHOLE_UM[0] <= size_um <= _CLOSED_PINHOLE_UM[1] else None
    )


def _detector_clues(document: OmeDocument, channel: Located) -> Iterator[Clue]:
    """Yield what the detector rules out: point scanners need no camera, wide fields no photomultiplier."""
    for settings in channel.find("DetectorSettings"):
        detector = document.by_id.get(settings.get("ID") or "")
        kind = detector.get("Type") if detector else None
        if detector is None or kind is None:
            continue
        against: tuple[str, ...] = ()
        if compact(kind) in _CAMERAS:
            against = ("confocal", "twophoton", "sted")
        elif compact(kind) in _POINT_DETECTORS:
            against = ("widefield", "spinning_disk", "tirf", "light_sheet")
        if against:
            yield Clue("microscope", kind, detector.at("Type"), Trust.PROSE, "value", None, against=against)


def _physics_clues(document: OmeDocument, channel: Located) -> Iterator[Clue]:
    """Yield what the optics say: pinhole, detector, laser and wavelengths."""
    pinhole = channel.get("PinholeSize")
    if pinhole is not None:
        value = "confocal" if _pinhole_um(channel) is not None else None
        yield Clue("microscope", pinhole, channel.at("PinholeSize"), Trust.PHYSICS - 2, "value", value)
    yield from _detector_clues(document, channel)
    yield from _laser_clues(document, channel)
    emission = _wavelength(channel, "EmissionWavelength", "EmWave")
    if emission is None:
        return
    text, source, emission_nm = emission
    yield Clue("contrast", text, source, Trust.IMPLIED, "value", "fluorescence")
    excitation = _wavelength(channel, "ExcitationWavelength", "ExWave") or _laser(document, channel)
    if excitation is not None and excitation[2] > _INFRARED_NM and emission_nm < excitation[2]:
        raw = f"excitation {excitation[0]}, emission {text}"
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
    """Yield what the names of the instrument say; the ``Type`` of the stand says nothing of the modality."""
    for part in instrument.find("Microscope"):
        model = part.get("Model")
        if model is not None:
            yield Clue("microscope", model, part.at("Model"), Trust.MODEL, "model")
    for kind in ("Objective", "Detector", "Dichroic", "FilterSet", "GenericExcitationSource"):
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
        if local_name(annotation.element) != "MapAnnotation":
            continue
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
    places = (node.image, *((node.pixels,) if node.pixels else ()), *_well(document, node))
    key_values = (
        key_value for place in places for key_value in _key_values(document, place, of_channel=False)
    )
    remarks = (remark for place in places for remark in _remarks(document, place))
    return tuple(key_values), tuple(remarks)


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
