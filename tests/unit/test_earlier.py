"""Reading what the earlier extension left: any value, no exception."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from satmachineadmin.domain import earlier

DIRT = [None, "", " ", "abc", "1/3", "1e400", "NaN", "∞", True, [], {}, -1, 0, 2**70]


@pytest.mark.parametrize(
    ("value", "us"),
    [
        (1_750_000_000, 1_750_000_000_000_000),
        ("1750000000", 1_750_000_000_000_000),
        ("2025-06-15T15:06:40", 1_750_000_000_000_000),
        ("2025-06-15 15:06:40.5", 1_750_000_000_500_000),
        ("2025-06-15T15:06:40.123456", 1_750_000_000_123_456),
        ("2025-06-15T09:06:40-06", 1_750_000_000_000_000),
        ("2025-06-15T15:06:40Z", 1_750_000_000_000_000),
        ("2025-06-31T15:06:40", None),
        ("infinity", None),
        (0, None),
        (-5, None),
        (10**15, None),
        *((dirt, None) for dirt in DIRT),
    ],
)
def test_an_instant_is_read_from_either_database(value: Any, us: int | None) -> None:
    assert earlier.instant(value) == us


def test_decimals_stay_exact() -> None:
    row = earlier.read('{"a": 0.1, "b": 1750000000.25, "c": 1e3, "d": 12}')
    assert earlier.number(row["a"]) == Fraction(1, 10)
    assert earlier.instant(row["b"]) == 1_750_000_000_250_000
    assert (earlier.plain(row["c"]), earlier.whole(row["c"])) == ("1000", 1000)
    assert earlier.whole(row["d"]) == 12


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        (100, "GTQ", 10_000),
        ("12.75", "GTQ", 1275),
        (-3, "JPY", -3),
        ("0.001", "KWD", 1),
        ("0.001", "GTQ", None),
        (10**13, "GTQ", None),
        (1, "XXX", None),
        (1, None, None),
    ],
)
def test_a_deposit_is_exact_or_left_out(amount: Any, currency: Any, minor: int | None) -> None:
    assert earlier.deposit_minor({"amount": amount, "currency": currency}) == minor


@pytest.mark.parametrize("dirt", DIRT)
def test_dirt_in_any_column_raises_nothing(dirt: Any) -> None:
    columns = (
        "id client_id user_id wallet_id username dca_mode fixed_mode_daily_limit status amount"
        " currency notes created_at updated_at confirmed_at amount_sats amount_fiat exchange_rate"
        " transaction_type lamassu_transaction_id payment_hash transaction_time fiat_amount"
        " crypto_amount commission_percentage discount effective_commission base_amount_sats"
        " commission_amount_sats crypto_code fiat_code device_id processed_at clients_count host"
        " port database_name password source_wallet_id commission_wallet_id use_ssh_tunnel"
        " ssh_host ssh_port ssh_username ssh_password ssh_private_key is_active"
    ).split()
    row = earlier.read(json.dumps(dict.fromkeys(columns, dirt)))
    made = [
        earlier.client(row, 7),
        earlier.deposit(row, 7),
        earlier.payment(row, None, "GTQ", 7),
        earlier.cash_out(row, 7),
        earlier.cash_out_of_payment(row, 7),
        earlier.config(row, 7),
    ]
    for new in made:
        if new is not None:
            assert all(
                value is None or isinstance(value, (str, int, Fraction)) for value in new.values()
            )
    earlier.newest_active([row])
