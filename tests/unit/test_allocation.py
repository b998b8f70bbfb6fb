"""Largest remainder: parts add up, nobody is above their quota's ceiling (design.md 3.4)."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from satmachineadmin.domain.allocation import largest_remainder
from satmachineadmin.errors import InvariantViolation

KEYS = st.text(st.characters(codec="ascii", categories=["Ll", "Nd"]), min_size=1, max_size=4)
SMALL = st.dictionaries(KEYS, st.integers(0, 6), max_size=6)
LARGE = st.dictionaries(KEYS, st.integers(0, 10**15), min_size=1, max_size=40)
WEIGHTS = st.one_of(SMALL, LARGE).filter(lambda weights: sum(weights.values()) > 0)
AMOUNTS = st.one_of(st.integers(0, 50), st.integers(0, 10**18))


def closest_division(amount: int, weights: dict[str, int]) -> dict[str, int]:
    """An oracle that knows nothing of remainders: of all ways to divide `amount`, the one nearest
    to the exact quotas (least squares); of several, the one that favours the first keys.
    """
    keys = sorted(weights)
    total = sum(weights.values())
    quotas = [Fraction(amount * weights[key], total) for key in keys]
    ways = [way for way in product(range(amount + 1), repeat=len(keys)) if sum(way) == amount]
    distance = {
        way: sum((part - quota) ** 2 for part, quota in zip(way, quotas, strict=True))
        for way in ways
    }
    nearest = min(distance.values())
    best = max(way for way in ways if distance[way] == nearest)
    return dict(zip(keys, best, strict=True))


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [
        (100, {"a": 1, "b": 1, "c": 1}, {"a": 34, "b": 33, "c": 33}),
        (101, {"a": 1, "b": 1, "c": 1}, {"a": 34, "b": 34, "c": 33}),
        (1, {"b": 5, "a": 5}, {"b": 0, "a": 1}),
        (1, {"a": 1, "b": 2}, {"a": 0, "b": 1}),
        (10, {"a": 3, "b": 0}, {"a": 10, "b": 0}),
        (0, {"a": 3}, {"a": 0}),
        (0, {"a": 0}, {"a": 0}),
        (0, {}, {}),
        (2, {"10": 1, "9": 1, "2": 1}, {"10": 1, "9": 0, "2": 1}),  # ids are text, not numbers
    ],
)
def test_largest_remainder_vectors(
    amount: int, weights: dict[str, int], parts: dict[str, int]
) -> None:
    assert largest_remainder(amount, weights) == parts


@pytest.mark.parametrize("clients", [1, 2, 3])
def test_largest_remainder_equals_the_brute_force_oracle(clients: int) -> None:
    """Every amount to 7 over every choice of weights to 5: the nearest division, exactly."""
    keys = "abc"[:clients]
    for weights in product(range(6), repeat=clients):
        if not sum(weights):
            continue
        weighted = dict(zip(keys, weights, strict=True))
        for amount in range(8):
            found = largest_remainder(amount, weighted)
            assert found == closest_division(amount, weighted), (amount, weighted)


@given(AMOUNTS, WEIGHTS)
def test_largest_remainder_parts_add_up_and_stay_at_floor_or_ceiling(
    amount: int, weights: dict[str, int]
) -> None:
    total = sum(weights.values())
    parts = largest_remainder(amount, weights)
    assert set(parts) == set(weights)
    assert sum(parts.values()) == amount
    for key, part in parts.items():
        quota = Fraction(amount * weights[key], total)
        assert quota - 1 < part < quota + 1


@given(WEIGHTS)
def test_largest_remainder_weight_zero_gets_nothing(weights: dict[str, int]) -> None:
    for amount in (1, 7, 10**6 + 3):
        parts = largest_remainder(amount, {**weights, "zero": 0})
        assert parts["zero"] == 0


@given(WEIGHTS, st.data())
def test_largest_remainder_nobody_gets_more_than_their_weight(
    weights: dict[str, int], data: st.DataObject
) -> None:
    """What makes a cap a cap: as long as there is no more to divide than all caps together."""
    amount = data.draw(st.integers(0, sum(weights.values())))
    parts = largest_remainder(amount, weights)
    assert all(parts[key] <= weight for key, weight in weights.items())


@given(WEIGHTS)
def test_largest_remainder_of_all_weights_is_the_weights(weights: dict[str, int]) -> None:
    assert largest_remainder(sum(weights.values()), weights) == weights


@given(AMOUNTS, WEIGHTS, st.randoms())
def test_largest_remainder_does_not_see_the_order(
    amount: int, weights: dict[str, int], random: object
) -> None:
    keys = list(weights)
    random.shuffle(keys)  # type: ignore[attr-defined]
    assert largest_remainder(amount, {key: weights[key] for key in keys}) == largest_remainder(
        amount, weights
    )


@given(AMOUNTS, WEIGHTS, st.integers(1, 1000))
def test_largest_remainder_does_not_see_the_scale(
    amount: int, weights: dict[str, int], factor: int
) -> None:
    scaled = {key: weight * factor for key, weight in weights.items()}
    assert largest_remainder(amount, scaled) == largest_remainder(amount, weights)


@given(AMOUNTS, WEIGHTS)
def test_largest_remainder_more_weight_never_gets_less_than_less_weight(
    amount: int, weights: dict[str, int]
) -> None:
    parts = largest_remainder(amount, weights)
    by_weight = sorted(weights, key=lambda key: weights[key])
    for less, more in pairwise(by_weight):
        if weights[less] < weights[more]:
            assert parts[less] <= parts[more]
        else:
            assert abs(parts[less] - parts[more]) <= 1


@given(AMOUNTS, WEIGHTS, st.integers(1, 10**9), st.data())
def test_largest_remainder_raising_a_weight_costs_at_most_one(
    amount: int, weights: dict[str, int], more: int, data: st.DataObject
) -> None:
    """The quota rises; only the last unit, given by remainder, may go elsewhere."""
    key = data.draw(st.sampled_from(sorted(weights)))
    before = largest_remainder(amount, weights)[key]
    after = largest_remainder(amount, {**weights, key: weights[key] + more})[key]
    assert after >= before - 1


@pytest.mark.parametrize(
    ("amount", "weights"), [(-1, {"a": 1}), (1, {"a": -1, "b": 3}), (1, {}), (1, {"a": 0})]
)
def test_largest_remainder_refuses_the_impossible(amount: int, weights: dict[str, int]) -> None:
    with pytest.raises(InvariantViolation):
        largest_remainder(amount, weights)
