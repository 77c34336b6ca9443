"""Which worker gets which call: decided with plain values, without a cluster and without a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodip_zarr.errors import OptionError
from autodip_zarr.run.choices import Machine
from autodip_zarr.run.scheduling.connect import visible_cards, worker_options
from autodip_zarr.run.scheduling.dispatch import CALLS_PER_WORKER, Call, Dispatcher, Offer
from autodip_zarr.run.scheduling.machine import PROCESS_BYTES
from autodip_zarr.run.scheduling.schedule import GPU_SHARE, suitable


def calls(*kinds: str | None, seconds: float = 10.0) -> list[Call]:
    """Return calls that are alike by kind, numbered by their argument."""
    return [Call(print, number, seconds, kind) for number, kind in enumerate(kinds)]


def offers(workers: Mapping[str, int]) -> dict[str, Offer]:
    """Return workers of so many threads each, whose memory has no end."""
    return {address: Offer(threads) for address, threads in workers.items()}


def make(given_calls: Sequence[Call], workers: dict[str, int], limit_s: float | None = None) -> Dispatcher:
    """Return a dispatcher that has looked at all calls."""
    dispatcher = Dispatcher(iter(given_calls), limit_s)
    dispatcher.update(offers(workers), 0.0)
    while dispatcher.look_ahead():
        pass
    return dispatcher


def hand_out(dispatcher: Dispatcher, now_s: float = 0.0) -> list[tuple[str, object]]:
    """Hand out what can be handed out now: workers and numbers of calls."""
    placed = iter(lambda: dispatcher.next(now_s), None)
    return [(address, call.argument) for address, call in placed]


def test_every_worker_gets_one_before_any_reads_ahead() -> None:
    dispatcher = make(calls(*["k"] * 20), {"a": 3, "b": 3})
    placed = hand_out(dispatcher)
    assert [address for address, _ in placed] == ["a", "b"] * CALLS_PER_WORKER
    assert [number for _, number in placed] == list(range(6))


def test_a_worker_of_one_thread_gets_one_call() -> None:
    dispatcher = make(calls(*["k"] * 20), {"a": 1, "b": 8})
    assert [address for address, _ in hand_out(dispatcher)] == ["a", "b", "b", "b"]


def test_near_the_end_a_call_waits_for_the_first_worker_that_is_free() -> None:
    dispatcher = make(calls(*["k"] * 4), {"a": 3, "b": 3})
    assert hand_out(dispatcher) == [("a", 0), ("b", 1)]
    first = dispatcher.workers["b"].calls[0]
    dispatcher.answered("b", first, 1.0)
    assert hand_out(dispatcher) == [("b", 2)]


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), min_size=1, max_size=40), st.integers(1, 20)
)
def test_a_worker_never_has_more_calls_than_its_memory_and_every_call_comes_to_its_turn(
    sizes: list[tuple[int, int]], memory: int
) -> None:
    numbered = [Call(print, n, held_bytes=held, turn_bytes=turn) for n, (held, turn) in enumerate(sizes)]
    dispatcher = Dispatcher(iter(numbered))
    dispatcher.update({"a": Offer(3, memory)}, 0.0)
    made: list[int] = []
    while not dispatcher.is_done:
        while dispatcher.look_ahead():
            pass
        hand_out(dispatcher)
        calls_now = dispatcher.workers["a"].calls
        taken = sum(call.held_bytes for call in calls_now) + max(call.turn_bytes for call in calls_now)
        assert len(calls_now) == 1 or taken <= memory, "what is too large for any worker is alone"
        made.append(calls_now[0].argument)
        dispatcher.answered("a", calls_now[0], 0.0)
    assert made == list(range(len(sizes)))


def test_a_worker_without_memory_for_a_second_call_holds_up_no_other() -> None:
    numbered = [Call(print, n, held_bytes=held) for n, held in enumerate([9, 2, 2, 2, 2, 2, 2])]
    dispatcher = Dispatcher(iter(numbered))
    dispatcher.update({"a": Offer(3, 6), "b": Offer(3, 6)}, 0.0)
    while dispatcher.look_ahead():
        pass
    assert hand_out(dispatcher) == [("a", 0), ("b", 1), ("b", 2), ("b", 3)]


def test_what_follows_from_a_call_waits_for_memory_too() -> None:
    dispatcher = make([Call(print, 0, held_bytes=6)], {})
    dispatcher.update({"a": Offer(3, 10)}, 0.0)
    assert hand_out(dispatcher) == [("a", 0)]
    dispatcher.follow([Call(print, 1, held_bytes=16), Call(print, 2, held_bytes=2)])
    assert hand_out(dispatcher) == [], "nor does anything overtake it"
    dispatcher.answered("a", dispatcher.workers["a"].calls[0], 1.0)
    assert hand_out(dispatcher) == [("a", 1)]


def test_a_long_call_is_not_bound_to_a_busy_worker() -> None:
    dispatcher = make(calls(*["k"] * 20, seconds=3600.0), {"a": 3})
    assert hand_out(dispatcher) == [("a", 0)]


def test_a_worker_goes_on_with_calls_that_are_alike() -> None:
    dispatcher = make(calls(*["k", "m"] * 10), {"a": 1, "b": 1})
    assert hand_out(dispatcher) == [("a", 0), ("b", 1)]
    order: dict[str, list[str]] = {"a": [], "b": []}
    for _ in range(4):
        for address in "aab":
            (call,) = dispatcher.workers[address].calls
            order[address].append(str(call.alike))
            dispatcher.answered(address, call, 0.0)
            hand_out(dispatcher)
    assert order == {"a": ["k"] * 8, "b": ["m"] * 4}


def test_a_worker_without_alike_calls_takes_up_what_no_other_is_at() -> None:
    dispatcher = make(calls("k", "m", "k", "n"), {"a": 1, "b": 1})
    assert hand_out(dispatcher) == [("a", 0), ("b", 1)]
    dispatcher.answered("b", dispatcher.workers["b"].calls[0], 0.0)
    assert hand_out(dispatcher) == [("b", 3)]


def test_where_others_are_at_all_that_waits_the_oldest_is_next() -> None:
    dispatcher = make(calls("k", "m", "m", "m"), {"a": 1, "b": 1})
    assert hand_out(dispatcher) == [("a", 0), ("b", 1)]
    dispatcher.answered("a", dispatcher.workers["a"].calls[0], 0.0)
    assert hand_out(dispatcher) == [("a", 2)]


def test_no_worker_idles_for_want_of_calls_that_are_alike_and_nothing_waits_for_ever() -> None:
    dispatcher = Dispatcher(iter(calls("odd", *["k"] * 300)))
    dispatcher.update(offers({"a": 1}), 0.0)
    dispatcher.workers["a"].last = "k"
    seen: list[object] = []
    while not dispatcher.is_done:
        while dispatcher.look_ahead():
            pass
        for address, number in hand_out(dispatcher):
            seen.append(number)
            dispatcher.answered(address, dispatcher.workers[address].calls[0], 0.0)
    assert set(seen) == set(range(301))
    assert len(seen) == 301
    assert 0 < seen.index(0) < 100


def test_what_follows_comes_first() -> None:
    dispatcher = make(calls(*["k"] * 9), {"a": 1})
    hand_out(dispatcher)
    dispatcher.follow([Call(print, "finish")])
    dispatcher.answered("a", dispatcher.workers["a"].calls[0], 0.0)
    assert hand_out(dispatcher) == [("a", "finish")]


def test_calls_of_a_dead_worker_are_tried_again_one_by_one() -> None:
    dispatcher = make(calls(*["k"] * 20), {"a": 3, "b": 3})
    hand_out(dispatcher)
    lost = dispatcher.update(offers({"b": 3, "c": 3}), 1.0)
    assert [call.argument for call in lost] == [0, 2, 4]
    assert all(dispatcher.lose(call) for call in lost)
    assert hand_out(dispatcher) == [
        ("c", 0)
    ]  # alone, and b gets nothing new before the others had their turn
    assert dispatcher.workers["c"].calls[0].losses == 1


def test_a_call_that_kills_again_and_again_is_given_up() -> None:
    (call,) = calls("k")
    dispatcher = make([call], {"a": 3})
    attempts = 0
    for generation in range(10):
        placed = dispatcher.next(0.0)
        if placed is None:
            break
        attempts += 1
        (lost,) = dispatcher.update(offers({f"w{generation}": 3}), 0.0)
        dispatcher.lose(lost)
    assert attempts == 3
    assert dispatcher.is_done


def look(dispatcher: Dispatcher, now_s: float, activity: int | None) -> list[str]:
    """Look at a worker that has counted so far, and return which have hung."""
    assert dispatcher.update({"a": Offer(1, activity=activity)}, now_s) == []
    return list(dispatcher.hung(now_s))


def test_a_worker_that_makes_no_step_has_hung() -> None:
    dispatcher = make(calls("k", "k"), {"a": 1})
    hand_out(dispatcher)
    assert not any(look(dispatcher, now_s, 7) for now_s in range(0, 610, 10))
    assert look(dispatcher, 610, 7) == ["a"]


def test_a_worker_that_does_not_even_count_has_hung() -> None:
    dispatcher = make(calls("k"), {"a": 1})
    hand_out(dispatcher)
    assert not any(look(dispatcher, now_s, None) for now_s in range(0, 610, 10))
    assert look(dispatcher, 610, None) == ["a"]


def test_time_without_work_is_not_held_against_a_worker() -> None:
    dispatcher = make([], {"a": 1})
    assert not any(look(dispatcher, now_s, 7) for now_s in range(0, 1000, 10))
    dispatcher.follow(calls("k"))
    assert hand_out(dispatcher, 1000.0) == [("a", 0)]
    assert look(dispatcher, 1010.0, 7) == []


def test_a_worker_that_makes_a_step_now_and_then_never_hangs() -> None:
    dispatcher = make(calls("k", seconds=1.0), {"a": 1})
    hand_out(dispatcher)
    for now_s in range(0, 100_000, 20):
        assert look(dispatcher, now_s, now_s // 500) == []


def test_time_in_which_nobody_looked_is_not_held_against_a_worker() -> None:
    dispatcher = make(calls("k"), {"a": 1})
    hand_out(dispatcher)
    assert look(dispatcher, 1.0, 7) == []
    assert look(dispatcher, 90_000.0, 7) == []  # a laptop that slept
    assert look(dispatcher, 90_001.0, 7) == []


def test_for_how_long_there_is_no_worker_is_counted_while_somebody_looks() -> None:
    dispatcher = make(calls("k"), {})
    for now_s in (10.0, 20.0):
        dispatcher.update({}, now_s)
    assert dispatcher.alone_s == 20.0
    dispatcher.update({}, 90_000.0)  # a laptop that slept
    assert 20.0 < dispatcher.alone_s <= 60.0
    dispatcher.update(offers({"a": 1}), 90_001.0)
    assert dispatcher.alone_s == 0.0


def test_an_answer_shows_that_a_worker_lives() -> None:
    dispatcher = make(calls(*["k"] * 9), {"a": 3}, limit_s=500.0)
    hand_out(dispatcher)
    assert not any(look(dispatcher, now_s, 7) for now_s in range(0, 410, 10))
    dispatcher.answered("a", dispatcher.workers["a"].calls[0], 400.0)
    assert not any(look(dispatcher, now_s, 7) for now_s in range(410, 900, 10))
    assert look(dispatcher, 910.0, 7) == ["a"]


def test_the_late_answer_of_a_worker_that_was_taken_for_lost_changes_nothing() -> None:
    dispatcher = make(calls("k", "k", "k"), {"a": 1})
    hand_out(dispatcher)
    (lost,) = dispatcher.update({}, 1.0)
    dispatcher.answered("a", lost, 2.0)
    dispatcher.update(offers({"a": 1}), 3.0)
    assert hand_out(dispatcher) == [("a", 1)]
    dispatcher.answered("a", lost, 4.0)
    assert [call.argument for call in dispatcher.workers["a"].calls] == [1]


def test_an_idle_worker_has_not_hung_and_a_person_may_choose_a_limit_by_the_clock() -> None:
    dispatcher = make(calls("k"), {"a": 1, "b": 1}, limit_s=5.0)
    hand_out(dispatcher)
    assert dispatcher.hung(4.0) == {}
    assert dispatcher.hung(6.0) == {"a": "no answer for 5 s"}


def test_a_call_that_is_tried_again_may_be_another() -> None:
    dispatcher = Dispatcher(iter([Call(print, 1, retry=repr)]))
    dispatcher.update(offers({"a": 1}), 0.0)
    dispatcher.look_ahead()
    placed = dispatcher.next(0.0)
    assert placed is not None
    assert placed[1].function is print
    dispatcher.update({}, 1.0)
    assert dispatcher.lose(placed[1])
    dispatcher.update(offers({"b": 1}), 2.0)
    placed = dispatcher.next(2.0)
    assert placed is not None
    assert (placed[1].function, placed[1].losses) == (repr, 1)


@given(
    st.lists(st.tuples(st.sampled_from(["k", "m", None]), st.sampled_from([1.0, 1000.0])), max_size=60),
    st.randoms(use_true_random=False),
)
def test_whatever_happens_to_workers_every_call_is_answered_or_given_up_once(
    kinds: list[tuple[str | None, float]], random: object
) -> None:
    choice: Callable[[Sequence[str]], str] = random.choice  # type: ignore[attr-defined]
    numbered = [Call(print, number, seconds, kind) for number, (kind, seconds) in enumerate(kinds)]
    dispatcher = Dispatcher(iter(numbered))
    workers = {"w0": 3, "w1": 1}
    settled: list[int] = []
    born = len(workers)
    for _ in range(5000):
        if dispatcher.is_done:
            break
        lost = dispatcher.update(offers(workers), 0.0)
        settled += [call.argument for call in lost if not dispatcher.lose(call)]
        hand_out(dispatcher)
        dispatcher.look_ahead()
        for seat in dispatcher.workers.values():
            assert len(seat.calls) <= seat.slots
            assert len(seat.calls) == 1 or not any(call.losses for call in seat.calls)
        busy = [address for address, seat in dispatcher.workers.items() if seat.calls]
        if not busy:
            continue
        address = choice(busy)
        if choice(["dies", "answers", "answers", "answers"]) == "dies":
            del workers[address]
            workers[f"w{born}"] = 3
            born += 1
            continue
        call = dispatcher.workers[address].calls[0]
        dispatcher.answered(address, call, 0.0)
        settled.append(call.argument)
    assert dispatcher.is_done
    assert sorted(settled) == list(range(len(kinds)))


@pytest.mark.parametrize(("workers", "ahead"), [({}, 16), ({"a": 3}, 16), ({"a": 3, "b": 3}, 32)])
def test_calls_are_taken_only_as_far_ahead_as_needed(workers: dict[str, int], ahead: int) -> None:
    taken = 0

    def endless() -> Iterator[Call]:
        nonlocal taken
        while True:
            taken += 1
            yield Call(print, taken)

    dispatcher = Dispatcher(endless())
    dispatcher.update(offers(workers), 0.0)
    while dispatcher.look_ahead():
        pass
    assert taken == ahead


def test_on_cards_each_worker_sees_one_and_offers_it() -> None:
    options = worker_options(Machine("cuda"), 64, ["0", "1"])
    assert options == [
        {"resources": {"GPU": 1}, "env": {"CUDA_VISIBLE_DEVICES": "0"}},
        {"resources": {"GPU": 1}, "env": {"CUDA_VISIBLE_DEVICES": "1"}},
    ]
    assert len(worker_options(Machine("cuda", workers=1), 64, ["0", "1"])) == 1
    assert worker_options(Machine("cuda:1"), 64, ["0", "1"]) == [{"resources": {"GPU": 1}}]


def test_on_cores_there_is_a_worker_a_core() -> None:
    assert worker_options(Machine("cpu"), 4, ["0"]) == [{}] * 4
    assert worker_options(Machine("cpu", workers=2), 4, ["0"]) == [{}] * 2


def test_cards_are_those_that_the_environment_names_or_all(tmp_path: Path) -> None:
    for bus in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / bus).mkdir()
    assert visible_cards({}, tmp_path) == ["0", "1"]
    assert visible_cards({"CUDA_VISIBLE_DEVICES": "GPU-1, GPU-3"}, tmp_path) == ["GPU-1", "GPU-3"]
    assert visible_cards({}, tmp_path / "none") == ["0"]


def test_fits_on_a_card_go_to_workers_that_offer_one() -> None:
    some = 8_000_000_000
    workers = {
        "a": {"nthreads": 3, "memory_limit": some, "resources": {"GPU": 1.0}},
        "b": {"nthreads": 3, "memory_limit": 0, "resources": {}},
    }
    assert suitable(workers, "cuda") == {"a": Offer(3, some - PROCESS_BYTES)}
    assert suitable(workers, "cpu") == {"a": Offer(3, some - PROCESS_BYTES), "b": Offer(3)}
    assert suitable({}, "cuda") == {}
    with pytest.raises(OptionError, match="GPU=1"):
        suitable({"b": workers["b"]}, "cuda")
    assert GPU_SHARE * CALLS_PER_WORKER <= 1
