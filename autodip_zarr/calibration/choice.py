"""Which configuration of a grid to take for a group of pairs, and what that costs in quality and in time.

Two rules. That of the paper: rank by PSNR plus rank by LPIPS, summed. Ours: the cheapest configuration whose
regret is within one standard error of that of the best, since the best of a grid is flat and noisy: eight
captures of one field of the published calibration chose six architectures. Fields of view count once each,
however many captures there are of them.

References
----------
AUTO-DIP, arXiv 2601.12055: the sum of ranks. Breiman, Friedman, Olshen, Stone, Classification and Regression
Trees, 1984: one standard error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.calibration.table import MeasuredPair
from autodip_zarr.domain import DipConfig
from autodip_zarr.errors import OptionError

PAPER: Final = "lpips_psnr"
"""Metric of the entries that the rule of the paper chose."""
CHEAPEST: Final = "cheapest"
"""Metric of the entries that ours chose."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """How close each pair came to its clean image with each configuration."""

    pairs: tuple[MeasuredPair, ...]
    """The pairs."""
    configs: tuple[DipConfig, ...]
    """The configurations, their stops as counts."""
    costs: Floats
    """(configuration,) relative cost of a 512x512 field; 1.0 is the original prior."""
    psnr: Floats
    """(pair, seed, configuration) in dB; NaN where it was not measured."""
    lpips: Floats
    """The same, low is good; NaN where there is none."""

    @property
    def has_lpips(self) -> bool:
        """Whether LPIPS was measured on every pair; planes below 31 pixels have none."""
        return bool(np.isfinite(self.lpips).any(axis=(1, 2)).all())


@dataclass(frozen=True)
class Choice:
    """The configuration that a rule takes for a group, and how it fares."""

    rule: str
    """`PAPER` or `CHEAPEST`."""
    group: Mapping[str, str]
    """Terms that the pairs of the group share; empty for all."""
    config: DipConfig
    """What is taken."""
    best: DipConfig
    """What has the least regret."""
    pairs: int
    """Pairs of the group."""
    fields: int
    """Fields of view that they show."""
    cost: float
    """Relative cost of ``config`` on a 512x512 field."""
    best_cost: float
    """That of ``best``."""
    psnr_db: float
    """Mean over the fields, in dB."""
    regret_db: float
    """How much the best configuration of each field is better, in dB, the mean over the fields."""
    spread_db: float
    """Standard error of the regret of ``best``, by which the rule judges."""
    left_out_db: float | None
    """The regret on a field without which the choice was made, the mean over all; ``None`` for one field."""
    untried: int
    """Configurations that were not measured on all pairs of the group, and so could not be taken."""


@dataclass(frozen=True)
class _Lone:
    """Standard deviations over all fields of a calibration of the regrets of the best configuration."""

    psnr: float = 0.0
    """In dB."""
    lpips: float = 0.0
    """Of LPIPS."""


@dataclass(frozen=True)
class _Field:
    """The regrets of fields: how much worse each configuration is than the best one there."""

    psnr: Floats
    """(field, configuration) in dB, at least 0."""
    lpips: Floats | None
    """The same."""
    seeds_db: Floats
    """(configuration,) standard error of the PSNR over the seeds, in dB."""
    lone: _Lone = _Lone()
    """How far regrets scatter over all fields of the calibration, which few fields cannot tell."""


def choices(scored: Scored, rules: Sequence[str] = (PAPER, CHEAPEST)) -> list[Choice]:
    """Choose for every group that the pairs make, by each rule; all pairs are the last group.

    Raises
    ------
    OptionError
        If no configuration was measured on all pairs of a group, or the rule of the paper lacks LPIPS.
    """
    if PAPER in rules and not scored.has_lpips:
        hint = "get its weights as docs/how-to/evaluate.md says, or choose cheapest"
        raise OptionError("--choose paper", "no LPIPS was measured on some pairs", "PSNR and LPIPS", hint)
    lone = _scatter(scored)
    return [_choose(scored, group, rule, lone) for rule in rules for group in groups(scored.pairs)]


def _scatter(scored: Scored) -> _Lone:
    """Return how far the regrets of the best configuration scatter over all fields."""
    inside = list(range(len(scored.pairs)))
    tried = _tried(scored, inside)
    if not tried.any():
        return _Lone()
    regrets = _regrets(scored, inside, tried)
    if len(regrets.psnr) == 1:
        return _Lone()
    best = int(np.argmin(regrets.psnr.mean(axis=0)))
    lpips = 0.0 if regrets.lpips is None else float(regrets.lpips[:, best].std(ddof=1))
    return _Lone(float(regrets.psnr[:, best].std(ddof=1)), lpips)


def groups(pairs: Sequence[MeasuredPair]) -> list[dict[str, str]]:
    """Return the groups that a table is made for: by both terms, by each alone, and all."""
    found: dict[tuple[tuple[str, str], ...], None] = {}
    for names in (("microscope", "specimen"), ("microscope",), ("specimen",)):
        for pair in pairs:
            terms = tuple((name, getattr(pair, name)) for name in names)
            if all(term for _, term in terms):
                found[terms] = None
    return [*(dict(terms) for terms in found), {}]


def group_regrets(scored: Scored, group: Mapping[str, str]) -> tuple[list[int], Floats]:
    """Return which pairs a group has, and the mean regret of each configuration over its fields.

    Parameters
    ----------
    scored : Scored
        What was measured.
    group : mapping of str to str
        Terms; none for all.

    Returns
    -------
    list of int
        Indices of the pairs.
    ndarray
        (configuration,) in dB; NaN where it was not measured on all pairs of the group.
    """
    inside = _inside(scored, group)
    tried = _tried(scored, inside)
    found = np.full(len(scored.configs), np.nan)
    if tried.any():
        found[tried] = _regrets(scored, inside, tried).psnr.mean(axis=0)
    return inside, found


def _inside(scored: Scored, group: Mapping[str, str]) -> list[int]:
    return [
        index
        for index, pair in enumerate(scored.pairs)
        if all(getattr(pair, name) == term for name, term in group.items())
    ]


def _tried(scored: Scored, inside: Sequence[int]) -> NDArray[np.bool_]:
    """Return which configurations were measured on all of some pairs, with some seed."""
    measured = [scored.psnr[inside], scored.lpips[inside]] if scored.has_lpips else [scored.psnr[inside]]
    return np.asarray(np.logical_and.reduce([_on_all_pairs(values) for values in measured]), bool)


def _choose(scored: Scored, group: Mapping[str, str], rule: str, lone: _Lone) -> Choice:
    inside = _inside(scored, group)
    psnr, tried = scored.psnr[inside], _tried(scored, inside)
    if not tried.any():
        name = "+".join(group.values()) or "all pairs"
        expected = "one at least; the same command goes on where it stopped"
        raise OptionError(name, "no configuration is measured on all of its pairs yet", expected)
    fields = [scored.pairs[index].field for index in inside]
    regrets = replace(_regrets(scored, inside, tried), lone=lone)
    costs = scored.costs[tried]
    configs = [config for config, is_tried in zip(scored.configs, tried, strict=True) if is_tried]
    pick = _RULES[rule]
    taken, best = pick(regrets, costs), int(np.argmin(regrets.psnr.mean(axis=0)))
    levels = np.nanmean(psnr[:, :, tried], axis=1)
    return Choice(
        rule=rule,
        group=group,
        config=configs[taken],
        best=configs[best],
        pairs=len(inside),
        fields=len(set(fields)),
        cost=float(costs[taken]),
        best_cost=float(costs[best]),
        psnr_db=float(_by_field(levels, fields)[:, taken].mean()),
        regret_db=float(regrets.psnr[:, taken].mean()),
        spread_db=_spread(regrets, best),
        left_out_db=_left_out(regrets, costs, pick),
        untried=int(np.count_nonzero(~tried)),
    )


def _on_all_pairs(values: Floats) -> NDArray[np.bool_]:
    """Return which configurations have a value for every pair, with some seed."""
    return np.asarray(np.isfinite(values).any(axis=1).all(axis=0), bool)


def _regrets(scored: Scored, inside: Sequence[int], tried: NDArray[np.bool_]) -> _Field:
    fields = [scored.pairs[index].field for index in inside]
    psnr = scored.psnr[inside][:, :, tried]
    means = _by_field(np.nanmean(psnr, axis=1), fields)
    lpips = None
    if scored.has_lpips:
        distances = _by_field(np.nanmean(scored.lpips[inside][:, :, tried], axis=1), fields)
        lpips = distances - distances.min(axis=1, keepdims=True)
    return _Field(means.max(axis=1, keepdims=True) - means, lpips, _of_seeds(psnr))


def _by_field(values: Floats, fields: Sequence[str]) -> Floats:
    """Average (pair, configuration) over the pairs of each field."""
    names = list(dict.fromkeys(fields))
    return np.stack([values[[field == name for field in fields]].mean(axis=0) for name in names])


def _of_seeds(psnr: Floats) -> Floats:
    """Return the standard error that seeds cause, of the mean over the pairs; 0 for a single seed."""
    counts = np.isfinite(psnr).sum(axis=1)  # (pair, configuration)
    deviations = psnr - np.nanmean(psnr, axis=1, keepdims=True)
    variances = np.nansum(deviations**2, axis=1) / np.maximum(counts - 1, 1) / counts
    errors: Floats = np.sqrt(variances.mean(axis=0) / len(psnr))
    return errors


def _spread(regrets: _Field, index: int) -> float:
    """Return the standard error of the mean regret of a configuration over fields.

    Of a single field it is that of its seeds. It is no less than what the scatter of regrets over all fields
    of the calibration gives for so many: that a configuration is best on one field, or on two, by a hundredth
    of a decibel says nothing.
    """
    own = float(regrets.seeds_db[index]) if len(regrets.psnr) == 1 else _error(regrets.psnr[:, index])
    return max(own, regrets.lone.psnr / float(np.sqrt(len(regrets.psnr))))


def _error(values: Floats) -> float:
    """Return the standard error of a mean; 0 for a single value, which tells none."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _cheapest(regrets: _Field, costs: Floats) -> int:
    """Return the cheapest configuration that is no worse than the best by more than one standard error.

    That holds for PSNR, and where there is LPIPS for that, too, against the same best configuration.
    """
    means = regrets.psnr.mean(axis=0)
    best = int(np.argmin(means))
    good = means <= means[best] + _spread(regrets, best)
    if regrets.lpips is not None:
        distances = regrets.lpips.mean(axis=0)
        least = regrets.lone.lpips / float(np.sqrt(len(regrets.lpips)))
        good &= distances <= distances[best] + max(least, _error(regrets.lpips[:, best]))
    return _least(costs, means, good)


def _paper(regrets: _Field, costs: Floats) -> int:
    """Return the configuration whose ranks by PSNR and LPIPS have the least sum; of equals the cheapest."""
    if regrets.lpips is None:  # refused before
        raise AssertionError
    ranks = _ranks(regrets.psnr.mean(axis=0)) + _ranks(regrets.lpips.mean(axis=0))
    return _least(costs, regrets.psnr.mean(axis=0), ranks == ranks.min())


def _ranks(values: Floats) -> NDArray[np.intp]:
    """Return how many values are less than each; equal ones share a rank."""
    return np.searchsorted(np.sort(values), values)


def _least(costs: Floats, regrets: Floats, allowed: NDArray[np.bool_]) -> int:
    """Return the cheapest of those allowed, and among as cheap ones the best."""
    return min(np.flatnonzero(allowed).tolist(), key=lambda index: (costs[index], regrets[index]))


_Pick = Callable[[_Field, Floats], int]
_RULES: Final[Mapping[str, _Pick]] = {PAPER: _paper, CHEAPEST: _cheapest}


def _left_out(regrets: _Field, costs: Floats, pick: _Pick) -> float | None:
    """Return the mean regret on each field of what is chosen without it; ``None`` where there is but one."""
    if len(regrets.psnr) == 1:
        return None
    return float(np.mean([regrets.psnr[out, pick(rest, costs)] for out, rest in _splits(regrets)]))


def _splits(regrets: _Field) -> Iterator[tuple[int, _Field]]:
    """Yield each field with the regrets of all others."""
    for out in range(len(regrets.psnr)):
        lpips = None if regrets.lpips is None else np.delete(regrets.lpips, out, axis=0)
        yield out, replace(regrets, psnr=np.delete(regrets.psnr, out, axis=0), lpips=lpips)
