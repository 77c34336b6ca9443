"""Without Dask, calls are made one after the other, and what follows from one comes before the next."""

from __future__ import annotations

from collections.abc import Iterator

from autodip_zarr.run.scheduling.dispatch import Call
from autodip_zarr.run.scheduling.serial import drive_here


def half(number: int) -> int:
    if number % 2:
        msg = f"{number} is odd"
        raise ValueError(msg)
    return number // 2


def test_calls_are_made_in_order_and_what_they_raise_is_an_answer() -> None:
    answers: list[tuple[int, str]] = []

    def done(call: Call, answer: object) -> Iterator[Call]:
        answers.append((call.argument, str(answer)))
        if isinstance(answer, int) and answer:
            yield Call(half, answer)

    drive_here((Call(half, number) for number in (4, 3, 0)), done)
    assert answers == [(4, "2"), (2, "1"), (1, "1 is odd"), (3, "3 is odd"), (0, "0")]
