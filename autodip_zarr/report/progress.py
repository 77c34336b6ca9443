"""Show the progress of a run: a bar on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from autodip_zarr.provenance import public_text
from autodip_zarr.report.streams import losing
from autodip_zarr.report.tables import duration_text
from autodip_zarr.run.execution.summary import Progress as News
from autodip_zarr.run.execution.summary import Watch
from autodip_zarr.run.trials.progress import FitProgress, TellProgress
from autodip_zarr.shown.visible import visible

_SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def watching(stream: TextIO, *, verbose: bool = False) -> Iterator[Watch]:
    """Yield a function that shows the news of a run.

    Parameters
    ----------
    stream : text file
        Where to show them; a bar with planes done, rate and time left if it is a terminal, else a line
        for every message, and one every ten seconds at most for the numbers.
    verbose : bool
        Whether there is a line for every block, too.
    """
    console = Console(file=stream, soft_wrap=True)
    if not console.is_terminal:
        yield _losing(stream, _in_words(_LineWatch(stream)) if verbose else _LineWatch(stream))
        return
    bar = _bar(console)
    with losing(stream):
        bar.start()
    try:
        yield _losing(stream, _in_words(_BarWatch(bar)) if verbose else _BarWatch(bar))
    finally:
        with losing(stream):
            bar.stop()


@contextmanager
def watching_fit(stream: TextIO) -> Iterator[TellProgress | None]:
    """Yield a function that shows how far a fit is, on a terminal; ``None``, to show nothing, elsewhere.

    Parameters
    ----------
    stream : text file
        Where to show it.
    """
    console = Console(file=stream, soft_wrap=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("steps"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("steps", total=None, left="")

        def tell(now: FitProgress) -> None:
            left = "" if now.seconds_left is None else f"{duration_text(now.seconds_left)} left"
            with losing(stream):
                bar.update(task, total=now.steps_total, completed=now.steps_done, left=left)

        yield tell


def _losing(stream: TextIO, watch: Watch) -> Watch:
    """Have a run go on whose news nobody can read any more."""

    def tell(news: News) -> None:
        with losing(stream):
            watch(news)

    return tell


def _in_words(watch: Watch) -> Watch:
    """Have blocks told in words, too, of which otherwise only the numbers are."""

    def tell(news: News) -> None:
        event = news.event or {}
        is_silent = news.message is None and event.get("event") == "block"
        watch(replace(news, message=_block_line(event)) if is_silent else news)

    return tell


def _block_line(event: Mapping[str, Any]) -> str:
    """Return what became of a block, in one line."""
    places = [f"{axis} {first}:{last}" for axis in "tz" for first, last in [event[axis]]]
    counts = [f"{event[what]} {what}" for what in ("denoised", "copied", "failed") if event[what]]
    peak = event["peak_bytes"]
    memory = "" if peak is None else f", {peak / 1e9:.2f} GB at most on its worker"
    return (
        f"{event['source']}: channel {event['c']}, {', '.join(places)}: {', '.join(counts)} planes "
        f"in {duration_text(event['seconds'])}, fits {duration_text(event['fit_seconds'])}{memory}"
    )


class JsonLines:
    """Writes one JSON object a line for everything that happens, with the time and how far the run is."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __call__(self, news: News) -> None:
        """Write one piece of news."""
        event = {"event": "progress" if news.message is None else "message"} | dict(news.event or {})
        numbers = {
            "planes_total": news.planes_total,
            "planes_done": news.planes_done,
            "planes_failed": news.planes_failed,
            "share_done": round(news.share_done, 6),
        }
        self.write(event | {"run": numbers}, news.message)

    def write(self, event: Mapping[str, object], message: str | None = None) -> None:
        """Write one event, with a message for people where there is one."""
        said = {} if message is None else {"message": public_text(message)}
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **event, **said}
        with losing(self.stream):
            print(json.dumps(line, ensure_ascii=False, allow_nan=False), file=self.stream, flush=True)


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("planes"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[failed]}"),
    )
    return Progress(*columns, console=console)


def _rate_text(planes: int, seconds: float) -> str:
    """Return a rate in planes an hour, or a dash before the first plane."""
    return f"{planes / seconds * 3600:.0f} planes/h" if planes and seconds > 0 else "- planes/h"


def left_text(share_done: float, seconds: float) -> str:
    """Return the time that is left if the rest of the work goes as the share that is behind."""
    if share_done <= 0:
        return "- left"
    left = seconds * (1 - share_done) / share_done
    return f"{left / 60:.0f} min left" if left < 2 * 3600 else f"{left / 3600:.1f} h left"


class _BarWatch:
    def __init__(self, bar: Progress) -> None:
        self.bar = bar
        self.started = time.monotonic()
        self.task = bar.add_task("planes", total=None, rate="", left="", failed="")

    def __call__(self, news: News) -> None:
        if news.message is not None:
            self.bar.console.print(Text(visible(news.message)))
        seconds = time.monotonic() - self.started
        rate = _rate_text(news.planes_done, seconds)
        failed = f"{news.planes_failed} failed" if news.planes_failed else ""
        self.bar.update(
            self.task,
            total=news.planes_total,
            completed=news.planes_done + news.planes_failed,
            rate=rate,
            left=left_text(news.share_done, seconds),
            failed=failed,
        )


class _LineWatch:
    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.started = time.monotonic()
        self.last = self.started

    def __call__(self, news: News) -> None:
        now = time.monotonic()
        if news.message is not None:
            print(visible(news.message), file=self.stream, flush=True)
        elif now - self.last >= _SECONDS_BETWEEN_LINES and news.planes_done:
            self.last = now
            print(
                f"planes {news.planes_done}/{news.planes_total}, failed {news.planes_failed}, "
                f"{_rate_text(news.planes_done, now - self.started)}, "
                f"{left_text(news.share_done, now - self.started)}",
                file=self.stream,
                flush=True,
            )
