"""Text that came from files, made harmless for people's eyes and terminals."""

from __future__ import annotations

from autodip_zarr.provenance import public_text


def visible(text: str) -> str:
    r"""Return text without credentials in addresses, in which control characters and the like are visible.

    This is the last thing that happens to text before people see it. A name may hold what clears a
    terminal, colours it, or turns the order of letters round; halves of characters are made visible, too.

    Examples
    --------
    >>> visible("a\x1b[2Jb\nc")
    'a�[2Jb\nc'
    """
    return "".join(
        char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for char in public_text(text)
    )
