"""The oracle on sums done by hand (docs/money-rules.md): it must not err with the product."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from satmachineadmin.prove import oracle
from satmachineadmin.prove.oracle import Oracle, divide, instant_us, refusal

NOON = "2026-06-10T18:00:00.000000"
ROW: dict[str, Any] = {
    "crypto_code": "LN",
    "crypto_atoms": "266800",
    "received_crypto_atoms": "266800",
    "fiat": "2000.00000",
    "fiat_code": "GTQ",
    "status": "confirmed",
    "dispense": "true",
    "dispense_confirmed": "true",
    "error": None,
    "error_code": None,
    "commission_percentage": "0.03000",
    "discount": None,
    "raw_ticker_price": None,
    "created": NOON,
    "confirmed_at": NOON,
    "test_customer": "false",
    "device_known": "true",
}


def books(**setting: Any) -> Oracle:
    """An operator with three clients of 3000 GTQ each."""
    found = Oracle(most_sats=10_000_000)
    found.setting = {
        **{"source": "source", "commission": "fees", "split_rule": "markup"},
        **{"funding_btc": "credit", "funding_ln": "credit", "settle_without_clients": False},
        **{"time_zone": "America/Guatemala", **setting},
    }
    for name in "abc":
        found.client[name] = {"status": "active", "mode": "flow", "limit": None, "wallet": name}
        found.deposits.append((name, "GTQ", 300_000, 0))
    return found


def test_it_imports_nothing_of_the_product() -> None:
    tree = ast.parse(Path(oracle.__file__).read_text())
    for node in ast.walk(tree):
        assert not isinstance(node, ast.ImportFrom) or node.level == 0
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not any(name.startswith(("satmachineadmin", "lnbits")) for name in names)


def test_the_published_sale() -> None:
    found = books()
    found.settle("s", ROW, None, 0)
    assert (found.wallet["fees"], found.wallet["source"], found.remainder) == (7_771, 0, 0)
    assert [found.wallet[name] for name in "abc"] == [86_344, 86_343, 86_342]
    assert [300_000 - found.remaining(name, "GTQ") for name in "abc"] == [66_667, 66_667, 66_666]


@pytest.mark.parametrize(
    ("rule", "change", "fee"),
    [
        (
            "markup",
            {"crypto_atoms": "100000", "commission_percentage": "0.05", "discount": "10"},
            4_307,
        ),
        ("markup", {"crypto_atoms": "1"}, 1),
        ("markup", {"crypto_atoms": "103"}, 3),
        ("markup", {"crypto_atoms": "1826", "commission_percentage": "0.05", "discount": "25"}, 66),
        ("margin", {"crypto_atoms": "1000"}, 30),
        ("ticker", {"crypto_atoms": "300000", "raw_ticker_price": "800000"}, 50_000),
        ("ticker", {"crypto_atoms": "100", "raw_ticker_price": "800000"}, 0),
    ],
)
def test_the_vectors(rule: str, change: dict[str, str], fee: int) -> None:
    found = books(split_rule=rule)
    found.settle("s", {**ROW, "received_crypto_atoms": None, **change}, None, 0)
    assert found.fee["s"]["sats"] == fee


def test_less_received_is_what_there_is() -> None:
    found = books()
    found.settle("s", {**ROW, "received_crypto_atoms": "266700"}, None, 0)
    assert sum(found.wallet.values()) == 266_700


def test_dividing() -> None:
    assert divide(10, {"a": 1, "b": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert divide(5, {"b": 3, "a": 1}) == {"b": 4, "a": 1}
    assert divide(0, {}) == {}


def test_a_fixed_client_and_the_rest() -> None:
    found = books()
    found.client["a"] |= {"mode": "fixed", "limit": "99.99"}
    found.client["b"] |= {"status": "inactive"}
    found.client["c"] |= {"mode": "someday"}
    assert found.caps(ROW, 0) == {"a": 9_999}
    found.settle("s", ROW, None, 0)
    assert found.caps(ROW, 0) == {}
    next_day = {**ROW, "confirmed_at": "2026-06-11T06:00:00.000000"}
    assert found.caps(next_day, 0) == {"a": 9_999}
    assert found.remainder == 259_029 - 259_029 * 9_999 // 200_000


def test_a_later_deposit_does_not_count() -> None:
    found = books()
    sold_us = instant_us(NOON)
    found.deposits[:] = [("a", "GTQ", 100, sold_us - 5), ("a", "GTQ", 70, sold_us - 4)]
    assert found.caps(ROW, 0) == {"a": 170}
    assert found.caps(ROW, 5) == {"a": 100}  # Lamassu's clock is ahead of ours
    assert found.caps(ROW, 6) == {}


def test_owed_retried_and_given_up() -> None:
    found = books()
    found.gone |= {"a", "b", "fees"}
    found.settle("s", ROW, None, 0)
    assert found.owed() == 86_344 + 86_343 + 7_771
    with pytest.raises(AssertionError):
        found.retried("s", "a")
    found = books()
    found.gone |= {"a", "b"}
    found.settle("s", ROW, None, 0)
    found.gone.clear()
    found.retried("s", "a")
    found.cancelled("s", "b")
    assert (found.wallet["a"], found.wallet["source"], found.owed()) == (86_344, 86_343, 0)
    assert (found.remaining("b", "GTQ"), found.remainder) == (300_000, 86_343)
    with pytest.raises(AssertionError):
        found.retried("s", "a")


def test_a_prefunded_wallet_holds_what_leaves_and_what_it_owes() -> None:
    found = books(funding_ln="prefunded")
    found.wallet["source"] = 266_799
    with pytest.raises(AssertionError, match="short"):
        found.settle("s", ROW, None, 0)
    found = books(funding_ln="prefunded")
    found.wallet["source"] = 266_800
    found.settle("s", ROW, None, 0)
    assert found.wallet["source"] == 0


def test_what_a_person_states() -> None:
    found = books()
    with pytest.raises(AssertionError, match="dispense"):
        found.settle("s", {**ROW, "dispense": "false"}, None, 0)
    found.settle("s", {**ROW, "dispense": "false"}, {"by hand": True, "charged": 100_000}, 0)
    assert (
        found.charged("a", "GTQ") + found.charged("b", "GTQ") + found.charged("c", "GTQ") == 100_000
    )
    assert found.remainder == 259_029 - 259_029 // 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"crypto_code": "LTC"}, "coin"),
        ({"crypto_atoms": str(10**29)}, "sats"),
        ({"received_crypto_atoms": "0"}, "sats"),
        ({"received_crypto_atoms": "266699"}, "short"),
        ({"fiat_code": "XQX"}, "fiat"),
        ({"fiat": "0"}, "fiat"),
        ({"fiat": "100.00500"}, "fraction"),
        ({"commission_percentage": None}, "commission"),
        ({"commission_percentage": "3"}, "commission"),
        ({"discount": "120"}, "commission"),
        ({"status": "authorized", "confirmed_at": None}, "status"),
        ({"dispense_confirmed": "false"}, "dispense"),
        ({"dispense": "false", "dispense_confirmed": "false"}, "dispense"),
        ({"error_code": "x"}, "error"),
        ({"test_customer": "true"}, "origin"),
        ({"device_known": "false"}, "origin"),
    ],
)
def test_what_settles_by_itself(change: dict[str, Any], why: str | None) -> None:
    assert refusal({**ROW, **change}, "markup") == why


def test_the_ticker_rule_needs_a_price() -> None:
    assert refusal(ROW, "ticker") == "ticker"
    assert refusal({**ROW, "raw_ticker_price": "800000"}, "ticker") is None
