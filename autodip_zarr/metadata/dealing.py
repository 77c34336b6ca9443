"""The channels of an image together: methods of a study are dealt out to them by what each says itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from autodip_zarr.domain import ChannelMetadata, Evidence
from autodip_zarr.metadata.clues import Clue, Trust, in_order, resolve, specific, terms_of
from autodip_zarr.metadata.vocabulary.terms import Vocabulary

__all__ = ["ChannelClues", "understand"]

_LIGHT = frozenset({"fluorescence", "transmitted", "reflected"})


@dataclass(frozen=True)
class ChannelClues:
    """Everything that may speak about one channel."""

    name: str | None
    """Name of the channel."""
    clues: tuple[Clue, ...]
    """Clues, the more specific of equal trust first."""


@dataclass(frozen=True)
class _Method:
    """One method that an image or its study states."""

    clues: tuple[Clue, ...]
    """What it says about microscope and contrast."""
    microscopes: tuple[str, ...]
    """Modalities that it names, mostly one."""
    contrast: str | None
    """The contrast that it names or implies; ``None`` for confocal and the like, which take several."""


def understand(
    channels: Sequence[ChannelClues], name: str | None, vocabulary: Vocabulary
) -> tuple[ChannelMetadata, ...]:
    """Understand the channels of an image.

    Studies list all their methods for each of their images. A channel gets those that agree with its own
    contrast: phase contrast where it is transmitted light, confocal where it is fluorescence. Where several
    are left, what else speaks about the microscope decides (instrument, description, name of the image), then
    the instrument that one of them is done with (a STED microscope is a confocal, too). What is still open is
    a conflict, and not taken.

    Parameters
    ----------
    channels : sequence of ChannelClues
        All channels, in order.
    name : str or None
        Name of the image; it never tells a method, but chooses among those that are stated.
    vocabulary : Vocabulary
        What the words mean.
    """
    own = tuple(
        resolve(index, one.name, [clue for clue in one.clues if not clue.is_shared], vocabulary)
        for index, one in enumerate(channels)
    )
    dealt = []
    for index, given in enumerate(channels):
        one = given if own[index].contrast != "fluorescence" else _without_techniques(given, vocabulary)
        methods = _methods(one.clues, vocabulary)
        if _is_done_with(own[index], methods, vocabulary):
            clues = [clue for clue in one.clues if not (clue.is_shared and clue.field == "microscope")]
            dealt.append(resolve(index, one.name, clues, vocabulary))
            continue
        if len(methods) < 2 and not _is_of_another(methods, own[index].contrast):
            dealt.append(resolve(index, one.name, one.clues, vocabulary))
            continue
        contrast = own[index].contrast or _contrast_of_siblings(own, methods)
        texts = (name or "", *(clue.raw for clue in one.clues if _is_remark(clue)))
        hand = _Hand(replace(own[index], contrast=contrast), texts, methods, vocabulary)
        clues = [clue for clue in one.clues if not clue.is_shared or clue in hand.clues()]
        channel = resolve(index, one.name, clues, vocabulary)
        conflicts = dict.fromkeys((*channel.conflicts, *hand.conflicts()))
        dealt.append(replace(channel, conflicts=tuple(conflicts)))
    return tuple(_as_siblings(dealt, vocabulary))


def _without_techniques(channel: ChannelClues, vocabulary: Vocabulary) -> ChannelClues:
    """Leave out remarks about a whole image that only name a way to use transmitted light."""

    def is_technique(clue: Clue) -> bool:
        terms = terms_of(clue, vocabulary) if _is_remark(clue) else ()
        return {vocabulary.implied_contrast("microscope", term) for term in terms} == {"transmitted"}

    return replace(channel, clues=tuple(clue for clue in channel.clues if not is_technique(clue)))


def _is_of_another(methods: Sequence[_Method], contrast: str | None) -> bool:
    """Whether the only method is no light, as electrons are, and the channel is, or the other way round."""
    return any(
        None not in {one.contrast, contrast} and (one.contrast in _LIGHT) != (contrast in _LIGHT)
        for one in methods
    )


def _is_done_with(own: ChannelMetadata, methods: Sequence[_Method], vocabulary: Vocabulary) -> bool:
    """Whether the name of a channel is the plain form of the study's method: the confocal one beside STED."""
    is_named = any(
        one.field == "microscope" and one.value == own.microscope and one.trust == Trust.NAMED
        for one in own.evidence
    )
    stated = [term for method in methods for term in method.microscopes]
    return is_named and bool(stated) and all(own.microscope in vocabulary.done_with(one) for one in stated)


def _is_remark(clue: Clue) -> bool:
    return clue.field == "microscope" and clue.reading == "prose" and clue.trust <= Trust.PROSE


def _methods(clues: Sequence[Clue], vocabulary: Vocabulary) -> tuple[_Method, ...]:
    """Return the distinct methods that are stated for the whole image."""
    grouped: dict[tuple[str, str], list[Clue]] = {}
    for clue in clues:
        if clue.is_shared:
            grouped.setdefault((clue.source, clue.raw), []).append(clue)
    methods: list[_Method] = []
    for group in grouped.values():
        terms = {clue.field: terms_of(clue, vocabulary) for clue in group}
        microscopes, contrasts = terms.get("microscope", ()), terms.get("contrast", ())
        implied = {vocabulary.implied_contrast("microscope", one) for one in microscopes}
        contrast = contrasts[0] if len(contrasts) == 1 else next(iter(implied)) if len(implied) == 1 else None
        method = _Method(tuple(group), microscopes, contrast)
        if (microscopes or contrast) and (microscopes, contrast) not in {
            (one.microscopes, one.contrast) for one in methods
        }:
            methods.append(method)
    return tuple(methods)


def _contrast_of_siblings(own: Sequence[ChannelMetadata], methods: Sequence[_Method]) -> str | None:
    """Return fluorescence where a sibling is, and where every transmitted method has its channel already."""
    contrasts = {one.contrast for one in own}
    is_open = any(one.contrast == "transmitted" for one in methods) and "transmitted" not in contrasts
    return "fluorescence" if "fluorescence" in contrasts and not is_open else None


@dataclass(frozen=True)
class _Hand:
    """What one channel is dealt of the methods of its image."""

    own: ChannelMetadata
    """What the channel says itself."""
    texts: tuple[str, ...]
    """Name of the image, and remarks about it."""
    methods: tuple[_Method, ...]
    """All that are stated."""
    vocabulary: Vocabulary
    """What the words mean."""

    def clues(self) -> tuple[Clue, ...]:
        """Return the clues that are taken."""
        microscope = self._microscope()
        taken: list[Clue] = []
        for method in self._agreeing():
            is_chosen = microscope is not None and microscope in method.microscopes
            is_settled = method.contrast == self.own.contrast or len(self._contrasts()) == 1
            takes = {"microscope": is_chosen, "contrast": is_settled}
            taken += [clue for clue in method.clues if takes[clue.field]]
        return tuple(taken)

    def conflicts(self) -> Iterator[str]:
        """Yield what could not be dealt out, in words."""
        if self._microscope() is None and len(self._candidates()) > 1:
            stated = " and ".join(repr(one.clues[0].raw) for one in self._agreeing() if one.microscopes)
            source = self._agreeing()[0].clues[0].source
            yield f"microscope: {stated} ({source}) are stated, and nothing tells which took this channel"
        contrasts = self._contrasts()
        if self.own.contrast is None and len(contrasts) > 1:
            source = self._agreeing()[0].clues[0].source
            stated = " and ".join(contrasts)
            yield f"contrast: {stated} ({source}) are stated, and nothing tells which is this channel's"

    def _agreeing(self) -> tuple[_Method, ...]:
        """Return the methods that agree with the contrast of the channel; all where none does."""
        contrast = self.own.contrast
        if contrast is None:
            return self.methods
        same = tuple(one for one in self.methods if one.contrast == contrast)
        if contrast == "transmitted" and same:
            return same
        open_ones = tuple(one for one in self.methods if one.contrast in {None, contrast})
        if open_ones:
            return open_ones
        return tuple(one for one in self.methods if (one.contrast in _LIGHT) == (contrast in _LIGHT))

    def _candidates(self) -> tuple[str, ...]:
        """Return the distinct modalities of the methods that agree."""
        named = [term for one in self._agreeing() for term in one.microscopes if self._can_be(term)]
        distinct = specific(tuple(dict.fromkeys(named)), self.vocabulary)
        if self.own.contrast == "transmitted":
            return distinct
        scanned = tuple(one for one in distinct if not self._is_technique(one))
        is_open = len(self._contrasts()) > 1
        return scanned if scanned or is_open else distinct  # techniques of contrast yield to any modality

    def _contrasts(self) -> tuple[str, ...]:
        """Return the distinct contrasts of the methods that agree."""
        return tuple(sorted({one.contrast for one in self._agreeing() if one.contrast}))

    def _can_be(self, term: str) -> bool:
        contrast = self.own.contrast or "fluorescence"
        return contrast not in self.vocabulary.excluded_contrasts(term)

    def _is_technique(self, term: str) -> bool:
        return self.vocabulary.implied_contrast("microscope", term) == "transmitted"

    def _microscope(self) -> str | None:
        """Return the modality that is dealt to the channel, or ``None`` where it stays open."""
        candidates, other = self._candidates(), self.own.microscope
        if any(other in one.microscopes for one in self.methods):
            return other
        if len(candidates) == 1:
            return candidates[0]
        if other is not None:
            related = [one for one in candidates if one == other or self.vocabulary.related(one, other)]
            if len(related) == 1:
                return related[0]
        named = {term for text in self.texts for term in self.vocabulary.pieces("microscope", text)}
        chosen = [one for one in candidates if one in named]
        if len(chosen) == 1:
            return chosen[0]
        bases = {one for one in candidates if all(self._is_base(one, other) for other in candidates)}
        return bases.pop() if len(bases) == 1 else None

    def _is_base(self, one: str, other: str) -> bool:
        return one == other or one in self.vocabulary.done_with(other)


def _as_siblings(channels: Sequence[ChannelMetadata], vocabulary: Vocabulary) -> Iterator[ChannelMetadata]:
    """Yield the channels; those of unknown contrast are fluorescence like a sibling, if nothing objects."""
    lit = next((one for one in channels if _is_surely_lit(one)), None)
    for channel in channels:
        if lit is None or channel.contrast is not None or _objects(channel, vocabulary):
            yield channel
            continue
        source = next(one.source for one in lit.evidence if one.field == "contrast" and one.value)
        raw = f"channel {lit.index} is fluorescence"
        said = Evidence("contrast", "fluorescence", source, raw, int(Trust.SIBLING))
        yield replace(channel, contrast="fluorescence", evidence=in_order((*channel.evidence, said)))


def _is_surely_lit(channel: ChannelMetadata) -> bool:
    if channel.contrast != "fluorescence":
        return False
    return any(
        one.field == "contrast" and one.value and one.trust > Trust.SIBLING for one in channel.evidence
    )


def _objects(channel: ChannelMetadata, vocabulary: Vocabulary) -> bool:
    """Whether something speaks against fluorescence: a dispute, a name for nothing, a modality without it."""
    if any(one.startswith("contrast:") for one in channel.conflicts):
        return True
    if "nothing" in vocabulary.search_names("ignore", channel.name or ""):
        return True
    modalities = (one.value for one in channel.evidence if one.field == "microscope" and one.value)
    return any("fluorescence" in vocabulary.excluded_contrasts(one) for one in modalities)
