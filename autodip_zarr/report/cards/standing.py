"""How an image stands, so that what needs a look comes first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from autodip_zarr.run.results.review import ReviewedImage


@dataclass(frozen=True)
class Standing:
    """One of a few ways in which an image can stand; told by a sign and a word, not by colour alone."""

    kind: str
    """Its colour on a page: ``bad``, ``look``, ``going`` or ``good``."""
    word: str
    """What it is called."""
    sign: str
    """The sign before the word."""

    @property
    def text(self) -> str:
        """Return the sign and the word."""
        return f"{self.sign} {self.word}"


_FAILED: Final = Standing("bad", "failed", "✕")
_LOOK: Final = Standing("look", "needs a look", "▲")
_GOING: Final = Standing("going", "running", "◌")
_GOOD: Final = Standing("good", "done", "✓")

STANDINGS: Final = (_FAILED, _LOOK, _GOING, _GOOD)
"""Every one, what a person should see first at the front."""


def standing(image: ReviewedImage) -> Standing:
    """Return how an image stands.

    A run that is still going has not failed at the planes that it did not do yet.
    """
    if image.status == "running":
        return _GOING
    if image.failures or image.status != "complete":
        return _FAILED
    return _LOOK if next(iter(image.warnings()), None) is not None else _GOOD
