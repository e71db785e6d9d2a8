"""The slow, obvious reading of a model file: float64, one equation of the paper after the other."""

from __future__ import annotations

import datetime
import itertools
import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import reference_cells
from safetensors.numpy import load

Array = npt.NDArray[np.float64]


@dataclass
class Heads:
    """Both heads of some rows before their sigmoids: each the mean over the members."""

    logit: Array
    error: Array


def metadata(data: bytes) -> dict[str, Any]:
    """The JSON entry of a model file, read without any library."""
    (length,) = struct.unpack("<Q", data[:8])
    entry: dict[str, Any] = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["anorand"])
    return entry


@dataclass
class Pass:
    """What one member makes of some rows."""

    x: Array
    logit: Array
    latent: Array
    reconstruction: Array


def encoding(data: bytes) -> list[list[Any]]:
    """The inputs of each feature."""
    inputs: list[list[Any]] = metadata(data)["encoding"]
    return inputs


def inputs(data: bytes, rows: Array) -> Array:
    """What the features become: unscaled numbers ``[rows, D]``; the stand-in where a value is missing.

    ``rows`` has the features in the model's order: numbers, codes of categories, times in the units of their kinds, and
    NaN for a missing value.
    """
    tensors = load(data)
    columns = []
    for j, of_feature in enumerate(encoding(data)):
        value = rows[:, j]
        for each in of_feature:
            if each == "value" or "bin" in each:
                counts = tensors.get(f"vocabulary.{j}.counts")
                columns.append(value if counts is None else _log_frequency(counts, value))
            elif each == "missing":
                columns.append(np.isnan(value).astype(float))
            elif each == "nothing":
                columns.append(np.where(np.isnan(value), np.nan, 0.0))
            elif "is" in each:
                columns.append(np.where(np.isnan(value), np.nan, value == each["is"]))
            else:
                ((part, cycle),) = each.items()
                angle = 2 * np.pi * _share_of_cycle(cycle, metadata(data)["features"][j]["kind"], value)
                columns.append(np.sin(angle) if part == "sine" else np.cos(angle))
    found = np.stack(columns, axis=1)
    return np.where(np.isnan(found), tensors["reference"], found)


def _log_frequency(counts: Array, codes: Array) -> Array:
    """ln(count / rows) of each code; half a row for the code after the last one, and for ids of one row."""
    rows = int(counts.sum())
    are_ids = rows > 20 and len(counts) > rows // (2 if rows < 1_000 else 5)
    known = np.append(np.where(are_ids & (counts == 1), 0.5, counts.astype(np.float64)), 0.5)
    at = np.minimum(np.where(np.isnan(codes), 0, codes), len(counts)).astype(int)
    return np.where(np.isnan(codes), np.nan, np.log(known[at] / counts.sum()))


def _share_of_cycle(cycle: str, kind: str, value: Array) -> Array:
    """Where times are in a cycle, 0 to 1."""
    if cycle == "hour":
        day = 86_400e6
        return (value / 1e3 if kind == "Time" else value) % day / day
    days = value if kind == "Date" else np.floor(value / 86_400e6)
    return np.array([np.nan if np.isnan(day) else _class_of_day(cycle, int(day)) for day in days])


def _class_of_day(cycle: str, days: int) -> float:
    date = datetime.date(1970, 1, 1) + datetime.timedelta(days=days)
    return {"weekday": date.weekday() / 7, "day": (date.day - 1) / 31, "month": (date.month - 1) / 12}[cycle]


def cells(data: bytes, rows: Array, texts: reference_cells.Texts | None = None) -> reference_cells.Evidence:
    """The evidence against each cell; ``texts`` are those of codes that are beyond a vocabulary.

    Raises
    ------
    NotImplementedError
        For a missing text for which the most usual one stands in (``missing="impute"``).

    """
    if metadata(data)["options"]["missing"] == "impute":
        for j, feature in enumerate(metadata(data)["features"]):
            if feature["kind"] == "Category" and np.isnan(rows[:, j]).any():
                raise NotImplementedError(f"{feature['name']}: stand-ins of texts are not recomputed")
        rows = np.where(np.isnan(rows), load(data)["median"], rows)
    return reference_cells.evidence(metadata(data), load(data), rows, texts)


def scaled(data: bytes, unscaled: Array) -> Array:
    """What the networks take, of numbers as :func:`inputs` gives them."""
    tensors = load(data)
    scaled = (unscaled - tensors["scaling.offset"]) / tensors["scaling.scale"]
    if metadata(data)["options"]["scaling"] == "asinh":
        scaled = np.arcsinh(scaled)
    if metadata(data)["options"]["scaling"] == "robust":
        above, below = 1 + np.log(np.maximum(scaled, 1)), -np.log(np.maximum(1 - scaled, 1))
        scaled = np.where(scaled > 1, above, np.where(scaled < 0, below, scaled))
    of_line = (unscaled - tensors["scaling.offset"]) / tensors["scaling.scale"]
    is_bin = [
        each not in ("value", "missing", "nothing") and "bin" in each for each in itertools.chain(*encoding(data))
    ]
    return np.where(is_bin, np.clip(of_line, 0, 1), scaled)


def members(data: bytes, rows: Array) -> Iterator[Pass]:
    """Each member's forward pass, for rows as :func:`inputs` takes them."""
    return members_of_scaled(data, scaled(data, inputs(data, rows)))


def members_of_scaled(data: bytes, seen_by_all: Array) -> Iterator[Pass]:
    """The same, for scaled rows ``[rows, D]``."""
    tensors = load(data)
    depth = len(metadata(data)["options"]["hidden"]) + 1

    def block(name: str, member: int, value: Array) -> tuple[Array, Array]:
        """The last hidden layer and the output of a block."""
        hidden = value
        for at in range(depth):
            hidden = value
            weight, bias = (tensors[f"{name}.{at}.{part}"][member].astype(np.float64) for part in ("weight", "bias"))
            value = value @ weight + bias
            if at < depth - 1:
                value = np.maximum(value, 0.0)
        return hidden, value

    for member, seen in enumerate(tensors["inputs"]):
        x = seen_by_all[:, seen]
        z0, logit = block("nd", member, x)
        if metadata(data)["options"]["latent"] == 0:  # ND alone: nothing is reconstructed, and nothing is wrong with it
            yield Pass(x, logit[:, 0], z0, x)
            continue
        _, z1 = block("encoder", member, x)
        latent = np.concatenate([z0, z1], axis=1)  # eq. 1
        _, reconstruction = block("decoder", member, latent)
        yield Pass(x, logit[:, 0], latent, reconstruction)


def heads(data: bytes, rows: Array) -> Heads:
    """ND's logit, and the norm of eq. 6; with the distances from kept rows."""
    return heads_of_scaled(data, scaled(data, inputs(data, rows)))


def heads_of_scaled(data: bytes, x: Array) -> Heads:
    """The same, for scaled rows ``[rows, D]``."""
    passes = list(members_of_scaled(data, x))
    errors = [np.linalg.norm(each.x - each.reconstruction, axis=1) for each in passes]
    error = np.mean(errors, axis=0) + sum(placed.distances for placed in places(data, x))
    return Heads(logit=np.mean([each.logit for each in passes], axis=0), error=error)


class Placed(NamedTuple):
    """Scaled rows in a view of the kept rows, and their distances from these in units of reconstruction errors."""

    rows: Array
    distances: Array


def places(data: bytes, x: Array) -> list[Placed]:
    """In each view, the distances from the nearest kept rows of each draw.

    The mean over the draws, and over the neighbours, the k-th nearest with the weight 1 / √k. Nothing where no row is
    kept. ``x`` are scaled rows ``[rows, D]``, which are not compared with themselves.
    """
    tensors = load(data)
    if "kept.rows" not in tensors:
        return []
    draws = tensors["kept.rows"].astype(np.float64)
    units = tensors["kept.unit"].astype(np.float64)
    neighbours = metadata(data)["options"]["kept_neighbors"]
    asinh = _asinh(tensors)
    views = [asinh, _log_odds(tensors)] if len(draws) == 1 else [_scaled, asinh]
    factors = tensors.get("kept.factors", np.ones((len(views), draws.shape[1]))).astype(np.float64)
    found = []
    for view, unit, of_nearest in zip(views, units, factors, strict=True):
        seen, total = view(x), np.zeros(len(x))
        for scaled in draws:
            draw = view(scaled)
            apart = _distances(seen, draw)
            if len(draw) > 1:
                at_end = _distances(x, scaled)
                first = at_end.argmin(axis=1)
                itself = np.flatnonzero(at_end.min(axis=1) < 1e-6)  # rows are kept in f32
                apart[itself, first[itself]] = np.inf
            nearest = np.argsort(apart, axis=1, kind="stable")[:, :neighbours]
            distance = np.take_along_axis(apart, nearest, axis=1)
            weights = np.where(np.isfinite(distance), 1 / np.sqrt(np.arange(1, nearest.shape[1] + 1)), 0.0)
            weights *= of_nearest[nearest[:, :1]] / weights.sum(axis=1, keepdims=True)
            distance = np.where(weights > 0, distance, 0.0)
            total += unit * (weights * distance).sum(axis=1) / len(draws)
        found.append(Placed(seen, total))
    return found


View = Callable[[Array], Array]
"""Scaled rows → the rows in the view."""


def _scaled(x: Array) -> Array:
    return x


def _asinh(tensors: dict[str, Array]) -> View:
    def view(x: Array) -> Array:
        return np.arcsinh((x - tensors["kept.centre"]) / tensors["kept.scale"])

    return view


def _log_odds(tensors: dict[str, Array]) -> View:
    """Linear between knots, the last of which may be repeated, and flat beyond."""

    def view(x: Array) -> Array:
        seen = np.empty_like(x)
        of_inputs = zip(tensors["kept.knots"].astype(np.float64), tensors["kept.odds"].astype(np.float64), strict=True)
        for at, (all_knots, odds) in enumerate(of_inputs):
            knots, first = np.unique(all_knots, return_index=True)
            # Between two knots that are near each other, the curve shows how a number was rounded.
            numbers = x[:, at].astype(np.float32).astype(np.float64)
            seen[:, at] = np.interp(numbers, knots, odds[first])
        return seen

    return view


def _distances(rows: Array, draw: Array) -> Array:
    """From each row to each one of a draw."""
    apart: Array = np.linalg.norm(rows[:, None] - draw, axis=2)
    return apart


def input_gradients(data: bytes, x: Array, of_logit: Array, of_error: Array) -> Array:
    """The gradient of ``of_logit`` · logit + ``of_error`` · the networks' error at scaled rows ``[rows, D]``."""
    tensors = load(data)
    depth = len(metadata(data)["options"]["hidden"]) + 1
    total = np.zeros_like(x)

    for member, seen in enumerate(tensors["inputs"]):

        def layers(name: str, member: int = member) -> list[tuple[Array, Array]]:
            parts = ("weight", "bias")
            of = [[tensors[f"{name}.{at}.{part}"][member].astype(np.float64) for part in parts] for at in range(depth)]
            return [(weight, bias) for weight, bias in of]

        def forward(block: list[tuple[Array, Array]], value: Array) -> list[Array]:
            """The input of each layer, and the output."""
            values = [value]
            for at, (weight, bias) in enumerate(block):
                value = value @ weight + bias
                values.append(np.maximum(value, 0.0) if at < depth - 1 else value)
                value = values[-1]
            return values

        def back(block: list[tuple[Array, Array]], values: list[Array], delta: Array) -> Array:
            """From the gradient of the last layer's output to that of the first layer's input."""
            for at in reversed(range(len(block))):
                delta = delta @ block[at][0].T
                if at > 0:
                    delta = delta * (values[at] > 0)
            return delta

        nd, encoder, decoder = layers("nd"), layers("encoder"), layers("decoder")
        own = x[:, seen]
        of_nd, of_encoder = forward(nd, own), forward(encoder, own)
        z0 = of_nd[depth - 1]
        of_decoder = forward(decoder, np.concatenate([z0, of_encoder[-1]], axis=1))
        residual = of_decoder[-1] - own
        norm = np.linalg.norm(residual, axis=1, keepdims=True)
        d_reconstruction = of_error[:, None] * np.divide(residual, norm, out=np.zeros_like(residual), where=norm > 0)
        d_latent = back(decoder, of_decoder, d_reconstruction)
        d_z0 = of_logit[:, None] @ nd[-1][0].T + d_latent[:, : z0.shape[1]]
        gradient = back(nd[:-1], of_nd, d_z0 * (z0 > 0)) - d_reconstruction
        gradient += back(encoder, of_encoder, d_latent[:, z0.shape[1] :])
        total[:, seen] += gradient / len(tensors["inputs"])  # a member sees an input once
    return total


def explain(data: bytes, rows: Array, steps: int = 4096) -> Array:
    """What each feature adds to the score, ``[rows, d]``, beyond that of an ordinary training row.

    Integrated gradients by ``steps`` midpoints for the networks, by squared differences what makes a row farther from
    the kept rows, and by cell what evidence adds. For the combinations ``robust`` and ``cells``, and features that are
    one input each.
    """
    how, tensors = metadata(data)["combiner"], load(data)
    end, ordinary = scaled(data, inputs(data, rows)), tensors["ordinary.rows"].astype(np.float64)
    found = cells(data, rows) if how["kind"] == "cells" else None
    weights = np.ones_like(end) if found is None else np.exp(-2 * found.parts[:, :, 0])
    apart = np.minimum(np.abs(end[:, None] - ordinary), 1.0) * weights[:, None]
    apart = apart.sum(axis=2)
    lower = ordinary_scores(data) + 1e-6 < score(data, rows)[:, None]
    apart[~lower & lower.any(axis=1, keepdims=True)] = np.inf
    nearest = apart.argmin(axis=1)
    start = ordinary[nearest]
    unusual = [combined(heads_of_scaled(data, x), how["median"], how["spread"]) for x in (start, end)]
    gradient = np.zeros_like(end)
    for some in np.array_split((np.arange(steps) + 0.5) / steps, -(-steps // 64)):
        points = start + some[:, None, None] * (end - start)
        along = [np.full(points.shape[0] * points.shape[1], 1 / spread) for spread in how["spread"]]
        slopes = input_gradients(data, points.reshape(-1, end.shape[1]), *along)
        gradient += slopes.reshape(points.shape).sum(axis=0) / steps
    networks = (end - start) * gradient
    for at_start, at_end in zip(places(data, start), places(data, end), strict=True):
        squares = (at_end.rows - at_start.rows) ** 2
        farther = (at_end.distances - at_start.distances) / how["spread"][1]
        networks += farther[:, None] * squares / squares.sum(axis=1, keepdims=True)
    networks /= networks.sum(axis=1, keepdims=True)
    if found is None:
        whole: Array = networks * (_squash(unusual[1]) - _squash(unusual[0]))[:, None]
        return whole
    of_start = tensors["ordinary.evidence"].reshape(-1, 3)[nearest]
    start_and_end = zip(unusual, (of_start.T, found.of_rows), strict=True)
    shares = _shapley(how, *(_parts_in_nats(how, of_networks, against) for of_networks, against in start_and_end))
    both = (shares[0] > 0) & (shares[2] > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        follows = np.where(both, shares[0] * shares[2] / (shares[0] + shares[2]), 0.0)
    shares = [shares[0] - follows, shares[1], shares[2] + follows]
    whole = networks * shares[0][:, None]
    for share, part in [(shares[2], 0), (shares[1], 1)]:
        more = found.parts[:, :, part] - tensors["ordinary.parts"].reshape(len(ordinary), -1, 2)[nearest, :, part]
        toward = np.maximum(more * np.sign(share)[:, None], 0)
        total = toward.sum(axis=1, keepdims=True)
        even = np.full_like(toward, 1 / toward.shape[1])
        whole += share[:, None] * np.divide(toward, total, out=even, where=total > 0)
    return whole


def _shapley(how: dict[str, Any], start: list[Array], end: list[Array]) -> list[Array]:
    """What the networks, the tails and all evidence add, on average over the orders in which they change."""
    added = [np.zeros_like(start[0]) for _ in range(3)]
    for order in itertools.permutations(range(3)):
        now = list(start)
        for part in order:
            before = _squash(_together(how, *now))
            now[part] = end[part]
            added[part] = added[part] + (_squash(_together(how, *now)) - before) / 6
    return added


def latent(data: bytes, rows: Array) -> Array:
    """The members' latents, one after the other."""
    return np.concatenate([each.latent for each in members(data, rows)], axis=1)


def combiner(
    training: Heads, kind: str, evidence: reference_cells.Evidence | None = None, weight: float = 1.0
) -> dict[str, Any]:
    """What the score needs of the training rows' heads: eq. 7, on probabilities or on centred heads; and of the
    evidence against each of them without itself. ``weight`` is that of kept rows, 1 where there are none.
    """
    if kind in ("probability", "novelties"):
        nd, ae = (np.quantile(sigmoid(head), 0.75) for head in (training.logit, training.error))
        return {"kind": kind, "alpha": ae / (nd + ae)}
    both = (training.logit, training.error)
    median = [np.median(head) for head in both]
    spread = [
        max(np.quantile(head, 0.75) - middle, 1e-3 * head.std() + 1e-9)
        for head, middle in zip(both, median, strict=True)
    ]
    spread[0] *= weight
    found = {"kind": kind, "alpha": spread[1] / (spread[0] + spread[1]), "median": median, "spread": spread}
    if kind == "cells":
        found["networks"] = _line(combined(training, median, spread), 0.9)
    if evidence is not None:
        found |= {"tails": _line(evidence.tails, 0.9), "evidence": _line(evidence.all, 0.97)}
        found["tails"]["unit"] = max(found["tails"]["unit"], 1e-3)
        found["evidence"]["unit"] = max(found["evidence"]["unit"], 0.1)
        found["beyond"] = max(evidence.all.max(), 0.0)
    return found


def weights_of_parts(odds: float | None, kept_weight: float, *, only_numbers: bool) -> dict[str, Any]:
    """The networks' weight in a table without times, and how they and the cells are put together.

    ``odds`` are those of kept rows, if there are any. With times, the weight is 1.
    """
    if odds is not None and kept_weight >= 2:
        return {"weight": 1.0, "balance": {"gain": 0.5, "power": 2, "damped_from": [8.0, 8.0], "conflict": 0.0}}
    weight = 1.0 if odds is None else float(np.clip(0.3 + 2 * odds / (1 + odds) - 1, 0.3, 1.0))
    if only_numbers:
        return {"weight": weight, "balance": {"gain": 0.8, "power": 4, "damped_from": [8.0, 2.0], "conflict": 3.0}}
    return {"weight": weight, "balance": {"gain": 2.0, "power": 4, "damped_from": [5.0, 2.0], "conflict": 3.0}}


def _line(numbers: Array, share: float) -> dict[str, float]:
    """What makes nats of a number: an exponential tail through its median and a higher quantile."""
    ranked = np.sort(numbers)
    median, high = ranked[int(0.5 * len(ranked))], ranked[int(share * len(ranked))]
    return {"median": median, "unit": max((high - median) / np.log(0.5 / (1 - share)), 1e-3 * numbers.std() + 1e-9)}


def combined(both: Heads, median: list[float], spread: list[float]) -> Array:
    """Eq. 8 on centred heads, in units of its own third quartiles."""
    return (both.logit - median[0]) / spread[0] + (both.error - median[1]) / spread[1]


def score(data: bytes, rows: Array, texts: reference_cells.Texts | None = None) -> Array:
    """Eq. 8, and what the cells add."""
    found = cells(data, rows, texts) if "cells" in metadata(data) else None
    against = np.zeros((3, len(rows))) if found is None else found.of_rows
    return _score(metadata(data)["combiner"], heads(data, rows), against)


def rarity(data: bytes, scores: Array) -> Array:
    """How rare scores are, by the highest training scores; of a model that keeps the scores of all its training rows.

    Up to the k-th highest training score, −log₁₀ of the share of the training rows with at least that score. From there
    on, k/n · (1 + (U − v)/S)⁻ᵏ, an exponential tail whose scale only k rows tell.
    """
    trained = load(data)["scores.highest"].astype(np.float64)
    rows = len(trained)
    values = np.unique(trained)
    reached = np.array([(trained >= value).sum() for value in values])
    wanted = min(max(int(0.05 * rows), 5), 20, rows)
    at = int(np.searchsorted(values, trained[-wanted]))
    if (reached[at] > 3 * wanted or at == 0) and at < len(values) - 1:
        at += 1
    of_tail = trained[trained >= values[at]]
    k = len(of_tail)
    nats, v = _unsquash(scores), _unsquash(values[at])
    distances = k if at == 0 else (_unsquash(of_tail) - _unsquash(values[at - 1])).sum()
    with np.errstate(invalid="ignore"):
        tail = k / rows * (1 + (nats - v) / distances) ** -float(k)
    share = np.interp(scores, values, reached / rows)
    found: Array = -np.log10(np.where(scores >= values[at], tail, share))
    return found


def ordinary_scores(data: bytes) -> Array:
    """The scores of the training rows that explanations compare with."""
    tensors = load(data)
    both = heads_of_scaled(data, tensors["ordinary.rows"].astype(np.float64))
    against = tensors.get("ordinary.evidence", np.zeros((len(both.logit), 3))).reshape(-1, 3)
    return _score(metadata(data)["combiner"], both, against.T)


def _score(how: dict[str, Any], both: Heads, against: Array) -> Array:
    """The score of rows by their heads, and by the evidence against them: all of it, that of tails, and conflicts."""
    alpha = how["alpha"]
    if how["kind"] in ("probability", "novelties"):
        probability: Array = (1.0 - alpha) * sigmoid(both.error) + alpha * sigmoid(both.logit)
        if how["kind"] == "probability":
            return probability
        novelty = 1 - 1e-6 * how["beyond"] / np.maximum(against[0], how["beyond"])
        return np.where(against[0] > how["beyond"], np.maximum(probability, novelty), probability)
    unusual = combined(both, how["median"], how["spread"])
    if how["kind"] == "cells":
        unusual = _together(how, *_parts_in_nats(how, unusual, against))
    return _squash(unusual)


def _squash(unusual: Array) -> Array:
    return sigmoid(np.arcsinh(unusual) / 2.0)


def _unsquash(scores: Array) -> Array:
    unusual: Array = np.sinh(2 * np.log(scores / (1 - scores)))
    return unusual


def _nats(line: dict[str, float], number: Array) -> Array:
    nats: Array = np.log(2) + (number - line["median"]) / line["unit"]
    return nats


def _parts_in_nats(how: dict[str, Any], unusual: Array, against: Array) -> list[Array]:
    """The networks, the tails, and all evidence together with the conflicts."""
    evidence, tails, conflicts = against
    both = np.stack([_nats(how["evidence"], evidence), conflicts])
    return [_nats(how["networks"], unusual), _nats(how["tails"], tails), both]


def _together(how: dict[str, Any], networks: Array, tails: Array, evidence: Array) -> Array:
    """U: a power mean of what the networks and what the cells say."""
    gain, power, (from_networks, from_cells) = (how["balance"][name] for name in ("gain", "power", "damped_from"))
    evidence, conflicts = evidence
    broken = how["balance"]["conflict"] * np.maximum(conflicts - 4, 0)
    all_evidence = (evidence - np.log(2)) * how["evidence"]["unit"] + how["evidence"]["median"]
    new = how["highest"] * -np.expm1(np.minimum(how["beyond"] - all_evidence, 0))
    networks = 0.85 * networks + 0.15 * tails
    within = np.minimum(networks, 50.0)
    by_networks = how["weight"] * np.logaddexp(0, _damped(within, from_networks) + networks - within)
    by_cells = gain * np.logaddexp(0, _damped(evidence, from_cells)) + broken + new
    together: Array = (by_networks**power + by_cells**power) ** (1 / power)
    return together


def _damped(nats: Array, start: float) -> Array:
    """The same up to the start, and its logarithm from there on."""
    return np.where(nats > start, start + np.log1p(np.maximum(nats - start, 0)), nats)


def sigmoid(value: Array) -> Array:
    """The logistic function."""
    with np.errstate(over="ignore"):
        result: Array = 1.0 / (1.0 + np.exp(-value))
    return result
