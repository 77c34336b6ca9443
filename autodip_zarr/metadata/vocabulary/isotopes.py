"""Isotopes in the names of channels: antibodies of mass cytometry carry metals, not dyes."""

from __future__ import annotations

import re

__all__ = ["isotope", "without_isotope"]

_MASSES = {
    "Y": (89, 89), "Ru": (96, 104), "Rh": (103, 103), "Pd": (102, 110), "Ag": (107, 109),
    "Cd": (106, 116), "In": (113, 115), "Sn": (112, 124), "Te": (120, 130), "I": (127, 127),
    "Xe": (124, 136), "Cs": (133, 133), "Ba": (130, 138), "La": (138, 139), "Ce": (136, 142),
    "Pr": (141, 141), "Nd": (142, 150), "Sm": (144, 154), "Eu": (151, 153), "Gd": (152, 160),
    "Tb": (159, 159), "Dy": (156, 164), "Ho": (165, 165), "Er": (162, 170), "Tm": (169, 169),
    "Yb": (168, 176), "Lu": (175, 176), "Ta": (180, 181), "Os": (184, 192), "Ir": (191, 193),
    "Pt": (190, 198), "Au": (197, 197), "Hg": (196, 204), "Pb": (204, 208), "Bi": (209, 209),
}  # fmt: skip
"""Mass numbers of the elements that antibodies are tagged with, and of those seen as background."""

_TAG = re.compile(
    r"(?<![A-Za-z0-9])(?:(\d{2,3})([A-Z][a-z]?)|([A-Z][a-z]?)(\d{2,3}))(?:Di|Dd)?(?![A-Za-z0-9])"
)


def isotope(text: str) -> str | None:
    """Return the isotope that a name carries (``CK5-141Pr``, ``Nd142_x``), or ``None``."""
    for found in _TAG.finditer(text):
        if _is_isotope(found):
            return found.group(0)
    return None


def without_isotope(text: str) -> str:
    """Return a name without the isotopes that it carries."""
    return _TAG.sub(lambda found: " " if _is_isotope(found) else found.group(0), text).strip(" -_")


def _is_isotope(found: re.Match[str]) -> bool:
    mass, element = found.group(1) or found.group(4), found.group(2) or found.group(3)
    first, last = _MASSES.get(element, (1, 0))
    return first <= int(mass) <= last
