"""Which texts of an OME-XML header speak about a channel, and how far each is believed."""

from __future__ import annotations

from collections.abc import Iterator

from .annotations import ChannelNames, Pair, pair_clues, remark_clues
from .clues import Clue, Trust
from .ome_xml import ImageNode, Located, OmeDocument
from .units import length_um, wavelength_nm
from .vocabulary import Vocabulary
from .xml_tree import children, local_name, text_of

__all__ = ["channel_clues", "name_clues"]

CLOSED_PINHOLE_UM = (1.0, 400.0)
"""Pinholes wider than this are open, as in two-photon microscopes with descanned detectors."""

INFRARED_NM = 690.0
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
        yield from _attribute_clues(channel)
        yield from _physics_clues(document, channel)
        for name, trust in (("Name", Trust.LABEL), ("Fluor", Trust.LABEL - 3)):
            value = channel.get(name)
            if value is not None:
                yield from name_clues(value, channel.at(name), trust, vocabulary)
        for pair in _pairs(document, channel, of_channel=True):
            yield from pair_clues(pair, names, vocabulary)
    for place in (node.image, *((node.pixels,) if node.pixels else ()), *_well(document, node)):
        for pair in _pairs(document, place, of_channel=False):
            yield from pair_clues(pair, names, vocabulary)
        for text, source in _remarks(document, place):
            yield from remark_clues(text, source)
    for instrument in _instruments(document, node):
        yield from _instrument_clues(instrument)


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
    yield Clue("microscope", name, source, min(trust, Trust.DYE), "words", quiet=True)
    if vocabulary.has_fluorophore(name):
        yield Clue("contrast", name, source, Trust.DYE, "value", "fluorescence")


def _attribute_clues(channel: Located) -> Iterator[Clue]:
    """Yield the attributes that the schema has for the purpose; ``Mode`` is their name before 2010."""
    for name in ("AcquisitionMode", "Mode"):
        value = channel.get(name)
        if value is not None:
            yield Clue("microscope", value, channel.at(name), Trust.STATED)
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


def _physics_clues(document: OmeDocument, channel: Located) -> Iterator[Clue]:
    """Yield what numbers say: pinhole and wavelengths."""
    pinhole = channel.get("PinholeSize")
    if pinhole is not None:
        size_um = length_um(pinhole, channel.get("PinholeSizeUnit"))
        closed = size_um is not None and CLOSED_PINHOLE_UM[0] <= size_um <= CLOSED_PINHOLE_UM[1]
        value = "confocal" if closed else None
        yield Clue("microscope", pinhole, channel.at("PinholeSize"), Trust.PHYSICS - 2, "value", value)
    emission = _wavelength(channel, "EmissionWavelength", "EmWave")
    if emission is None:
        return
    text, source, emission_nm = emission
    yield Clue("contrast", text, source, Trust.IMPLIED, "value", "fluorescence")
    excitation = _wavelength(channel, "ExcitationWavelength", "ExWave") or _laser(document, channel)
    if excitation is not None and excitation[2] > INFRARED_NM and emission_nm < excitation[2]:
        raw = f"excitation {excitation[0]}, emission {text}"
        yield Clue("microscope", raw, excitation[1], Trust.PHYSICS, "value", "twophoton")


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
    if not named:
        instruments = tuple(document.root.find("Instrument"))
        if len(instruments) == 1:
            yield instruments[0]


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


def _well(document: OmeDocument, node: ImageNode) -> tuple[Located, ...]:
    return document.wells.get(node.image.get("ID") or "", ())


def _annotations(document: OmeDocument, place: Located) -> Iterator[Located]:
    for reference in place.find("AnnotationRef"):
        found = document.by_id.get(reference.get("ID") or "")
        if found is not None:
            yield found


def _pairs(document: OmeDocument, place: Located, *, of_channel: bool) -> Iterator[Pair]:
    """Yield the key-value pairs of the map annotations that an element refers to."""
    for annotation in _annotations(document, place):
        if local_name(annotation.element) != "MapAnnotation":
            continue
        for pair in (
            *children(annotation.element, "Value", "M"),
            *children(annotation.element, "Value", "Map", "M"),
        ):
            key = pair.get("K")
            if key and pair.text and pair.text.strip():
                source = f"{annotation.path}/Value/M[@K={key!r}]"
                yield Pair(key, pair.text.strip(), source, of_channel)


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
