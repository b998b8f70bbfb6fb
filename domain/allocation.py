"""Dividing a whole number among weights so that the parts add up to it, exactly."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import ensure


def largest_remainder(amount: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Divide `amount` in proportion to `weights`: floors first, then one each to the largest
    remainders, ties by key.

    Every part is the floor or the ceiling of its exact share, so nobody with weight w gets more
    than w when `amount` <= the sum of the weights, and weight 0 gets 0. Weights are >= 0; with no
    weight at all only amount 0 can be divided.
    """
    total_weight = sum(weights.values())
    ensure(amount >= 0, "cannot divide less than nothing")
    ensure(all(w >= 0 for w in weights.values()), "a weight is below zero")
    ensure(total_weight > 0 or amount == 0, "there is nobody to give it to")
    if total_weight == 0:
        return dict.fromkeys(weights, 0)
    parts = {key: amount * w // total_weight for key, w in weights.items()}
    left_over = amount - sum(parts.values())
    by_remainder = sorted(weights, key=lambda k: (-(amount * weights[k] % total_weight), k))
    for key in by_remainder[:left_over]:
        parts[key] += 1
    ensure(sum(parts.values()) == amount, "the parts do not add up to the amount")
    return parts
