"""Text that came from files, made harmless for people's eyes and terminals, and one line."""

from __future__ import annotations

from autodip_zarr.provenance import public_text


def visible(text: str) -> str:
    r"""Return one line without credentials in addresses, in which control characters are visible.

    This is the last thing that happens to text before people see it. A name may hold what clears a
    terminal, colours it, turns the order of letters round, or begins a line that looks like another image;
    halves of characters are made visible, too. What has several lines is a sequence of them.

    Examples
    --------
    >>> visible("a\x1b[2Jb\nc")
    'a�[2Jb�c'
    """
    return "".join(
        char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}"
        for char in public_text(text)
    )
