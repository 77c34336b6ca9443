"""Settings of a vendor whose key is a modality, and whose value only says that it was on."""

from __future__ import annotations

from dataclasses import replace

from autodip_zarr.metadata.clues import Trust
from autodip_zarr.metadata.documents.annotations import KeyValue
from autodip_zarr.metadata.vocabulary.terms import Vocabulary
from autodip_zarr.metadata.vocabulary.words import compact, split_words

__all__ = ["switched_on"]

_LONGEST_KEY = 60
_ON = frozenset({"on", "true", "yes", "1", "active", "enabled"})
_OFF = frozenset({"", "0", "00", "false", "off", "no", "none", "inactive", "disabled", "na", "out"})
_AROUND = frozenset(
    {"is", "mode", "use", "used", "enable", "enabled", "active", "on", "state", "left", "right"}
)
"""Words beside the modality in the key of a switch."""
_INSTALLED = ("installed", "available", "supported", "licen", "present", "possible")
"""What an instrument could do, not what was done."""
_SHEET = "lightsheet"


def switched_on(key_value: KeyValue, vocabulary: Vocabulary) -> KeyValue | None:
    """Return what a switch that is on says about the modality, or ``None`` for anything else.

    ``Confocal = ON`` and ``TIRF: true`` name the modality in the key. Any setting of a light sheet that is
    not zero or off says that there was one: its side, its thickness.

    Parameters
    ----------
    key_value : KeyValue
        Key (its last part) and value, as a converter kept them.
    vocabulary : Vocabulary
        What the words mean.
    """
    key, value = key_value.key, compact(key_value.value)
    short = compact(key)
    if value in _OFF or len(key) > _LONGEST_KEY or any(word in short for word in _INSTALLED):
        return None
    if _SHEET not in short and (value not in _ON or not _is_switch(key, vocabulary)):
        return None
    name = "light sheet" if _SHEET in short else vocabulary.search_names("microscope", key)[0]
    trust = max(key_value.trust, int(Trust.ORIGINAL) + 2)
    return replace(key_value, key="imaging mode", value=name, trust=trust)


def _is_switch(key: str, vocabulary: Vocabulary) -> bool:
    """Whether a key is the name of one modality, and says nothing beside it."""
    named = vocabulary.search_names("microscope", key)
    rest = " ".join(part for part in split_words(key).parts if part not in _AROUND)
    return len(named) == 1 and any(vocabulary.is_name("microscope", text) for text in (key, rest))
