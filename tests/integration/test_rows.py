"""Every kind of row Lamassu can hold: settled exactly, watched, held with its reason, or not ours.

What peer.md d shows must never happen: sats for no fiat, fiat of another currency, balances below
zero, base left in no record, other coins credited as sats. The `operator` fixture proves all sums
after each test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from satmachineadmin.books import find_cash_out
from satmachineadmin.dev import sample_rows
from satmachineadmin.domain.states import HoldCode
from support.lnbits_app import wallet_balance_sats
from support.operator import Operator, ago
from support.trouble import (
    limit_lnbits,
    markup_split,
    open_alerts,
    sats_in,
    settings,
    state_of,
    stored,
)

SETTLED = ("completed", None)

# What becomes of each kind of dev/sample_rows.py (design.md 3.1); None = not stored.
EXPECTED: dict[str, tuple[str, str | None] | None] = {
    **dict.fromkeys(sample_rows.ELIGIBLE, SETTLED),
    "received_short": SETTLED,  # 100 sats less is Lamassu's own fudge factor
    "on_unpaired_device": SETTLED,  # the machine was known at the time
    "paid_not_dispensed": ("watching", "not_dispensed"),
    "dispensed_not_confirmed": ("watching", "dispense_unconfirmed"),
    "authorized_and_dispensed": ("watching", "authorized_only"),
    "partly_dispensed": ("held", "source_error"),
    "confirmed_with_error": ("held", "source_error"),
    "cancelled_after": ("held", "source_error"),
    "score_refused": ("held", "source_error"),
    "instant": ("held", "status_instant"),
    "insufficient_after_confirmed": ("held", "status_unexpected"),
    "without_commission": ("held", "commission_missing"),
    "commission_300_percent": ("held", "commission_over_100"),
    "negative_commission": ("held", "commission_negative"),
    "discount_out_of_range": ("held", "discount_out_of_range"),
    "fiat_zero": ("held", "fiat_zero"),
    "fiat_beyond_minor_units": ("held", "fiat_fraction"),
    "beyond_64_bits": ("held", "number_unusable"),
    "unknown_currency": ("held", "currency_unknown"),
    "by_test_customer": ("held", "test_customer"),
    "on_unknown_device": ("held", "device_unknown"),
    **dict.fromkeys(sample_rows.NOT_OURS),
}


def test_every_kind_has_an_expectation() -> None:
    assert set(EXPECTED) == set(sample_rows.ALL_KINDS)


async def test_every_kind_of_row_in_one_poll(operator: Operator) -> None:
    """Nothing invented, nothing lost, to the sat and the centavo."""
    clients = [await operator.add_client("100000") for _ in range(3)]
    rows = {name: build() for name, build in sample_rows.ALL_KINDS.items()}
    await operator.lamassu.insert(rows.values())

    answer = await operator.poll()

    paid = {name: row for name, row in rows.items() if EXPECTED[name] == SETTLED}
    assert answer["transactions_processed"] == len(paid)
    for name, row in rows.items():
        expected = EXPECTED[name]
        assert await stored(operator, row["id"]) == (expected is not None), name
        if expected is not None:
            assert await state_of(operator, row["id"]) == expected, name
    drawn_minor, confirmed = 0, 0
    for name, row in paid.items():
        found = await operator.cash_out(row["id"])
        base, commission = markup_split(row)
        assert (found["base_sats"], found["commission_sats"]) == (base, commission), name
        assert found["total_sats"] == base + commission
        assert (found["confirmed_sats"], found["failed_sats"]) == (base, 0), name
        assert found["operator_remainder_sats"] == 0
        exact = 0 if base == 0 else round(float(row["fiat"]) * 100)
        assert found["drawn_minor"] == exact, name
        shares = await operator.shares(row["id"])
        assert sum(share["amount_sats"] for share in shares) == base
        drawn_minor, confirmed = drawn_minor + exact, confirmed + base
    balances = await operator.balances()
    assert balances["source"] == 0
    assert balances["commission"] == sum(markup_split(row)[1] for row in paid.values())
    assert sum(balances[c] for c in clients) == confirmed
    charged = [10_000_000 - await operator.remaining_minor(c) for c in clients]
    assert sum(charged) == drawn_minor

    # A second look changes nothing, and what needs a person says why.
    assert (await operator.poll())["transactions_processed"] == 0
    assert await operator.balances() == balances
    held = {rows[name]["id"] for name, e in EXPECTED.items() if e and e[0] == "held"}
    alerts = (await open_alerts(operator))["cash_out_held"]
    assert {alert["message"].split()[1] for alert in alerts} == held
    page = await operator.api("GET", "transactions", params={"limit": 100})
    assert page["total"] == len([e for e in EXPECTED.values() if e])
    assert all(item["reason"] for item in page["data"] if item["status"] == "held")


# ---- poisonous values -----------------------------------------------------------------

POISON: dict[str, tuple[dict[str, Any], HoldCode]] = {
    "atoms_nan": ({"crypto_atoms": "NaN"}, HoldCode.NUMBER_UNUSABLE),
    "atoms_negative": ({"crypto_atoms": -5_000}, HoldCode.NUMBER_UNUSABLE),
    "atoms_zero": ({"crypto_atoms": 0}, HoldCode.AMOUNT_ZERO),
    "atoms_just_too_large": ({"crypto_atoms": 2**63}, HoldCode.NUMBER_UNUSABLE),
    "received_nan": ({"received_crypto_atoms": "NaN"}, HoldCode.NUMBER_UNUSABLE),
    "received_nothing": ({"received_crypto_atoms": 0}, HoldCode.RECEIVED_SHORT),
    "received_101_less": ({"received_crypto_atoms": 12_699}, HoldCode.RECEIVED_SHORT),
    "fiat_nan": ({"fiat": "NaN"}, HoldCode.NUMBER_UNUSABLE),
    "fiat_negative": ({"fiat": "-100"}, HoldCode.NUMBER_UNUSABLE),
    "commission_nan": ({"commission_percentage": "NaN"}, HoldCode.NUMBER_UNUSABLE),
    "discount_negative": ({"discount": -1}, HoldCode.DISCOUNT_OUT_OF_RANGE),
    "currency_lower_case": ({"fiat_code": "gtq"}, HoldCode.CURRENCY_UNKNOWN),
    "currency_markup": ({"fiat_code": "<b>GTQ</b>"}, HoldCode.CURRENCY_UNKNOWN),
    "confirmed_for_ever": ({"confirmed_at": "infinity"}, HoldCode.NUMBER_UNUSABLE),
    "created_for_ever": ({"created": "infinity"}, HoldCode.NUMBER_UNUSABLE),
    "created_year_10000": ({"created": "10000-01-01T00:00:00Z"}, HoldCode.NUMBER_UNUSABLE),
    "error_markup": ({"error": "<script>alert('x')</script>&amp;" * 99}, HoldCode.SOURCE_ERROR),
    "error_empty": ({"error": ""}, HoldCode.SOURCE_ERROR),
}


async def test_poisonous_rows_are_held_and_stop_nobody(operator: Operator) -> None:
    """A value nobody expects holds its own row; the good one after them all is paid."""
    client = await operator.add_client()
    rows = {
        name: sample_rows.sale(**{"crypto_atoms": 12_800, **columns})
        for name, (columns, _) in POISON.items()
    }
    good = sample_rows.sale(device_id='\'; DROP TABLE "x"; -- <i>\u202e\\', crypto_atoms=12_800)
    await operator.lamassu.execute(
        "INSERT INTO devices (device_id, name) VALUES ($1, $1)", good["device_id"]
    )
    try:
        await operator.lamassu.insert([*rows.values(), good])
        assert (await operator.poll())["transactions_processed"] == 1
        for name, (_, code) in POISON.items():
            kept = await find_cash_out(rows[name]["id"])
            assert kept is not None, name
            assert (kept["status"], kept["hold_code"]) == ("held", code.value), name
        assert await state_of(operator, good["id"]) == SETTLED
        assert (await operator.cash_out(good["id"]))["device_id"] == good["device_id"]
        assert (await operator.balances())[client] == markup_split(good)[0]
        kept = (await operator.cash_out(rows["currency_markup"]["id"]))["source_row"]
        assert kept["fiat_code"] == "<b>GTQ</b>"  # kept as it was, for a person to see
        assert (await operator.poll())["transactions_processed"] == 0
    finally:
        await operator.lamassu.execute(
            "DELETE FROM devices WHERE device_id = $1", good["device_id"]
        )


async def test_poisonous_rows_can_be_shown(operator: Operator) -> None:
    """The list and each row are answered whatever is in them: a person has to look at them."""
    rows = [
        sample_rows.sale(**{"crypto_atoms": 12_800, **columns}) for columns, _ in POISON.values()
    ]
    await operator.lamassu.insert(rows)
    await operator.poll()
    page = await operator.api("GET", "transactions", params={"limit": 100})
    assert page["total"] == len(rows)
    for row in rows:
        assert (await state_of(operator, row["id"]))[0] == "held"


async def test_a_row_nobody_can_settle_can_be_skipped(operator: Operator) -> None:
    await operator.add_client()
    row = sample_rows.beyond_64_bits()
    await operator.lamassu.insert([row])
    await operator.poll()
    refused = await operator.api("POST", f"process-transaction/{row['id']}", expect=422)
    assert refused["code"] == "BAD_INPUT"
    await operator.api("POST", f"transactions/{row['id']}/skip", json={"reason": "not real"})
    assert (await state_of(operator, row["id"]))[0] == "skipped"
    assert "cash_out_held" not in await open_alerts(operator)


# ---- single kinds, exactly ------------------------------------------------------------


async def one_sale(operator: Operator, row: dict[str, Any]) -> dict[str, Any]:
    await operator.lamassu.insert([row])
    await operator.poll()
    return await operator.cash_out(row["id"])


async def test_cents_are_charged_exactly(operator: Operator) -> None:
    """99.99 GTQ: the earlier extension charged 99 (peer.md d)."""
    clients = [await operator.add_client() for _ in range(3)]
    found = await one_sale(operator, sample_rows.fiat_with_cents())
    assert found["drawn_minor"] == 9_999
    assert (found["fiat"], found["drawn"]) == ("99.99", "99.99")
    assert [await operator.remaining_minor(c) for c in clients] == [300_000 - 3_333] * 3


@pytest.mark.parametrize(
    ("discount", "split"),
    [(50, (262_857, 3_943)), (100, (266_800, 0)), (None, (259_029, 7_771)), (0, (259_029, 7_771))],
)
async def test_discounts(operator: Operator, discount: int | None, split: tuple[int, int]) -> None:
    """The vectors of peer.md d, nothing left over."""
    clients = [await operator.add_client() for _ in range(3)]
    row = sample_rows.sale(fiat=2000, commission="0.03", discount=discount, crypto_atoms=266_800)
    found = await one_sale(operator, row)
    assert (found["base_sats"], found["commission_sats"]) == split
    balances = await operator.balances()
    assert (balances["source"], balances["commission"]) == (0, split[1])
    assert sum(balances[c] for c in clients) == split[0]


async def test_one_sat_is_commission_and_nobody_is_charged(operator: Operator) -> None:
    clients = [await operator.add_client() for _ in range(3)]
    found = await one_sale(operator, sample_rows.one_sat())
    assert (found["base_sats"], found["commission_sats"], found["drawn_minor"]) == (0, 1, 0)
    assert await operator.shares(found["lamassu_transaction_id"]) == []
    assert (await operator.balances())["commission"] == 1
    assert [await operator.remaining_minor(c) for c in clients] == [300_000] * 3


async def test_two_sats_for_three_clients(operator: Operator) -> None:
    """Two get a sat and are charged; the third gets none and is charged none (design.md 3.4)."""
    clients = [await operator.add_client() for _ in range(3)]
    found = await one_sale(operator, sample_rows.sale(crypto_atoms=2, commission="0"))
    assert (found["confirmed_sats"], found["operator_remainder_sats"]) == (2, 0)
    balances = await operator.balances()
    assert sorted(balances[c] for c in clients) == [0, 1, 1]
    assert balances["source"] == 0
    for client in clients:
        charged = 300_000 - await operator.remaining_minor(client)
        assert charged == (0 if balances[client] == 0 else pytest.approx(3_333, abs=1))
    shares = await operator.shares(found["lamassu_transaction_id"])
    assert len(shares) == 2
    assert sum(share["fiat_minor"] for share in shares) == found["drawn_minor"]


async def test_twenty_small_sales_are_charged_to_the_centavo(operator: Operator) -> None:
    """The earlier extension paid 2580 sats for 0 GTQ (peer.md d)."""
    clients = [await operator.add_client() for _ in range(3)]
    rows = [sample_rows.sale(fiat=1, confirmed_at=ago(minutes=i)) for i in range(20)]
    await operator.lamassu.insert(rows)
    assert (await operator.poll())["transactions_processed"] == 20
    charged = [300_000 - await operator.remaining_minor(c) for c in clients]
    assert sum(charged) == 2_000
    assert max(charged) - min(charged) <= 20
    for row in rows:
        assert (await operator.cash_out(row["id"]))["drawn_minor"] == 100
    balances = await operator.balances()
    assert sum(balances[c] for c in clients) == sum(markup_split(row)[0] for row in rows)
    assert balances["source"] == 0


async def test_a_sale_larger_than_all_balances(operator: Operator) -> None:
    """Drawn is what there is, the rest of the base is recorded, nobody is below 0 (peer.md d)."""
    clients = [await operator.add_client("100") for _ in range(3)]
    row = sample_rows.sale(fiat=2000, commission="0.03", crypto_atoms=266_800)
    found = await one_sale(operator, row)
    base_share = 259_029 * 300 // 2000
    assert found["drawn_minor"] == 30_000
    assert found["confirmed_sats"] == base_share == 38_854
    assert found["operator_remainder_sats"] == 259_029 - base_share
    assert [await operator.remaining_minor(c) for c in clients] == [0, 0, 0]
    balances = await operator.balances()
    assert (balances["source"], balances["commission"]) == (259_029 - base_share, 7_771)


async def test_uneven_balances_share_in_proportion(operator: Operator) -> None:
    """1000, 2500 and 7777 GTQ: 259029 sats and 2000.00 GTQ, all of them (peer.md a)."""
    fiats = (1000, 2500, 7777)
    clients = [await operator.add_client(str(fiat)) for fiat in fiats]
    row = sample_rows.sale(fiat=2000, commission="0.03", crypto_atoms=266_800)
    await one_sale(operator, row)
    balances = await operator.balances()
    assert sum(balances[c] for c in clients) == 259_029
    total = sum(fiats)
    for client, fiat in zip(clients, fiats, strict=True):
        charged = fiat * 100 - await operator.remaining_minor(client)
        assert abs(charged - 200_000 * fiat / total) < 1
        assert abs(balances[client] - 259_029 * charged / 200_000) < 1


# ---- nobody there ---------------------------------------------------------------------


@pytest.mark.parametrize("deposit", [None, "0", "USD"])
async def test_without_a_balance_a_sale_is_held(operator: Operator, deposit: str | None) -> None:
    """No client, no deposit, or only another currency: nothing moves, not even once per poll."""
    if deposit == "USD":
        await operator.add_client("3000", "USD")
    elif deposit:
        await operator.add_client(deposit)
    row = sample_rows.sale(fiat=2000)
    await operator.lamassu.insert([row])
    for _ in range(3):
        await operator.poll()
        assert await state_of(operator, row["id"]) == ("held", "no_client_balance")
        assert (await operator.balances())["source"] == 0
    assert len((await open_alerts(operator))["cash_out_held"]) == 1


async def test_a_dollar_sale_leaves_quetzales_alone(operator: Operator) -> None:
    """The earlier extension took 1998 GTQ for 2000 USD (peer.md d)."""
    client = await operator.add_client("3000", "GTQ")
    found = await one_sale(operator, sample_rows.sale(fiat=2000, fiat_code="USD"))
    assert (found["status"], found["hold_code"]) == ("held", "no_client_balance")
    assert await operator.remaining_minor(client) == 300_000
    assert (await operator.balances())[client] == 0


async def test_settling_without_clients_is_the_operators_choice(operator: Operator) -> None:
    """With it the commission is paid and the base is the operator's remainder, recorded."""
    held, later = sample_rows.sale(confirmed_at=ago(minutes=5)), sample_rows.sale()
    await one_sale(operator, held)
    await settings(operator, settle_without_clients=True)
    found = await one_sale(operator, later)
    base, commission = markup_split(later)
    assert found["status"] == "completed"
    assert (found["operator_remainder_sats"], found["drawn_minor"]) == (base, 0)
    assert (await operator.balances())["commission"] == commission
    assert (await operator.balances())["source"] == base
    # What was held before waits for a person, who needs to say nothing more about it.
    assert await state_of(operator, held["id"]) == ("held", "no_client_balance")
    answer = await operator.api("POST", f"process-transaction/{held['id']}")
    assert (answer["already_processed"], answer["payment_count"]) == (False, 0)
    again = await operator.api("POST", f"process-transaction/{held['id']}")
    assert again["already_processed"] is True  # C-SAT-v: decided by the cash-out itself
    total = sum(markup_split(row)[0] for row in (held, later))
    assert (await operator.balances())["source"] == total


async def test_two_currencies_side_by_side(operator: Operator) -> None:
    """One pool per currency; one client may be in both."""
    both = await operator.add_client("1000", "GTQ")
    await operator.deposit(both, "400", "USD")
    dollars = await operator.add_client("400", "USD")
    gtq = sample_rows.sale(fiat=500, confirmed_at=ago(minutes=5))
    usd = sample_rows.sale(fiat=100, fiat_code="USD", bid="105000")
    await operator.lamassu.insert([gtq, usd])
    assert (await operator.poll())["transactions_processed"] == 2
    assert await operator.remaining_minor(both, "GTQ") == 50_000
    assert await operator.remaining_minor(both, "USD") == 35_000
    assert await operator.remaining_minor(dollars, "USD") == 35_000
    assert await operator.remaining_minor(dollars, "GTQ") == 0
    assert [s["client_id"] for s in await operator.shares(gtq["id"])] == [both]
    assert {s["currency"] for s in await operator.shares(usd["id"])} == {"USD"}
    balances = await operator.balances()
    assert balances[both] + balances[dollars] == markup_split(gtq)[0] + markup_split(usd)[0]


async def test_a_currency_without_minor_units(operator: Operator) -> None:
    """Yen have no cents: 5000 are 5000 minor units."""
    client = await operator.add_client("20000", "JPY")
    found = await one_sale(operator, sample_rows.sale(fiat=5000, fiat_code="JPY", bid="15000000"))
    assert (found["status"], found["fiat"], found["drawn_minor"]) == ("completed", "5000", 5_000)
    assert await operator.remaining_minor(client, "JPY") == 15_000


# ---- large ----------------------------------------------------------------------------


async def test_twenty_million_sats_with_one_client(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over LNbits' limit per payment: recorded as owed, alerted, paid once the limit allows it.

    The earlier extension paid nothing, kept no row and forgot it (peer.md d).
    """
    client = await operator.add_client("200000")
    row = sample_rows.twenty_million_sats()
    found = await one_sale(operator, row)
    base, commission = markup_split(row)
    assert found["status"] == "completed"
    assert (found["failed_sats"], found["confirmed_sats"]) == (base, 0)
    assert found["drawn_minor"] == 15_610_000
    (share,) = await operator.shares(row["id"])
    assert (share["status"], share["amount_sats"]) == ("failed", base)
    assert "larger than what this wallet may receive" in share["error_message"]
    assert (await operator.balances())[client] == 0
    assert await wallet_balance_sats(operator.source_wallet) == base
    assert await wallet_balance_sats(operator.commission_wallet) == commission
    status = await operator.api("GET", "status")
    assert (status["failed_shares"], status["failed_sats"]) == (1, base)
    (alert,) = (await open_alerts(operator))["share_failed"]
    assert alert["severity"] == "critical"

    limit_lnbits(
        monkeypatch,
        lnbits_max_incoming_payment_amount_sats=20_000_000,
        lnbits_max_outgoing_payment_amount_sats=20_000_000,
    )
    await operator.poll()
    assert (await operator.balances())[client] == base
    assert await sats_in(operator.source_wallet) == 0
    assert "share_failed" not in await open_alerts(operator)
    assert (await operator.cash_out(row["id"]))["failed_sats"] == 0


async def test_twenty_million_sats_with_three_clients(operator: Operator) -> None:
    """Each share is below the limit, so each is paid."""
    clients = [await operator.add_client("100000") for _ in range(3)]
    row = sample_rows.twenty_million_sats()
    found = await one_sale(operator, row)
    assert (found["confirmed_sats"], found["failed_sats"]) == (markup_split(row)[0], 0)
    balances = await operator.balances()
    assert sum(balances[c] for c in clients) == markup_split(row)[0]


# ---- not sats -------------------------------------------------------------------------


@pytest.mark.parametrize("build", sample_rows.NOT_OURS.values(), ids=sample_rows.NOT_OURS)
async def test_what_is_not_ours_is_neither_stored_nor_payable_by_hand(
    operator: Operator, build: Callable[..., dict[str, Any]]
) -> None:
    """Ether was credited as sats once (peer.md d); an unpaid sale pays nobody."""
    await operator.add_client()
    row = build()
    await operator.lamassu.insert([row])
    await operator.poll()
    assert not await stored(operator, row["id"])
    body = {"reason": "a person insists", "fiat_amount": "100"}
    refused = await operator.api("POST", f"process-transaction/{row['id']}", expect=422, json=body)
    assert refused["code"] == "BAD_INPUT"
    assert not any((await operator.balances()).values())
