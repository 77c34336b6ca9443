"""Text that came from files, made harmless for people's eyes and terminals."""

from __future__ import annotations


def visible(text: str) -> str:
    r"""Return text in which control characters, directions of writing and halves of characters are visible.

    A name may hold what clears a terminal, colours it, or turns the order of letters round.

    Examples
    --------
    >>> visible("a\x1b[2Jb\nc")
    'a�[2Jb\nc'
    """
    return "".join(
        char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text
    )
