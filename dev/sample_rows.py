"""Rows of Lamassu's `cash_out_txs` for tests and the demo: one builder per kind of sale.

Every builder returns a plain mapping column -> value that `EmbeddedLamassu.insert` takes.
The amounts follow the machine's own arithmetic: rate to 5 decimals, division truncated
to whole atoms, the coin amount rounded to 6 decimals half-even, hence multiples of 100
sats. `price="margin"` is a machine since v8.0, `price="markup"` one up to v7.5. All texts
here are ours.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Any, Literal

Row = dict[str, Any]
Price = Literal["margin", "markup"]

BID = "826091.28"  # quetzales per bitcoin of a published sale (June 2025)
COMMISSION = "0.055"
MACHINE = "5f" * 32  # device ids are hexadecimal certificate fingerprints
OTHER_MACHINE = "a1" * 32
UNPAIRED_MACHINE = "c7" * 32
UNKNOWN_MACHINE = "e9" * 32
ANONYMOUS_CUSTOMER = "47ac1184-8102-11e7-9079-8f13a7117867"
TEST_CUSTOMER = "7e57c057-0000-4000-8000-000000000001"

_ATOMS_PER_COIN = 100_000_000
_CHARGED_STEP = Decimal("0.000001")  # the machine asks for whole hundreds of sats
_RATE_STEP = Decimal("0.00001")


def priced_atoms(
    fiat: str | int | Decimal,
    *,
    bid: str = BID,
    commission: str | None = COMMISSION,
    discount: int | None = None,
    price: Price = "margin",
) -> int:
    """Atoms a machine asks for `fiat` (whole units), by its own rounding."""
    effective = Decimal(commission or 0) * (100 - (discount or 0)) / 100
    bid_price = Decimal(bid)
    rate = (
        bid_price * (1 - effective) if price == "margin" else bid_price / (1 + effective)
    ).quantize(_RATE_STEP, ROUND_HALF_EVEN)
    coins = (Decimal(fiat) / rate).quantize(Decimal("1e-8"), ROUND_DOWN)
    return int(coins.quantize(_CHARGED_STEP, ROUND_HALF_EVEN) * _ATOMS_PER_COIN)


def sale(
    *,
    fiat: str | int | Decimal = 100,
    bid: str = BID,
    commission: str | None = COMMISSION,
    discount: int | None = None,
    price: Price = "margin",
    confirmed_at: datetime | str | None = "now",
    **columns: Any,
) -> Row:
    """An ordinary sale: paid over lightning, notes dispensed and confirmed, no error.

    `confirmed_at` (aware; default now; None = NULL) also sets `created` 40 seconds
    earlier; further keywords replace any column.
    """
    now = datetime.now(timezone.utc)
    paid_at = now if confirmed_at == "now" else confirmed_at
    begun = (paid_at if isinstance(paid_at, datetime) else now) - timedelta(seconds=40)
    if "crypto_atoms" not in columns:
        columns["crypto_atoms"] = priced_atoms(
            fiat, bid=bid, commission=commission, discount=discount, price=price
        )
    row: Row = {
        "id": str(uuid.uuid4()),
        "device_id": MACHINE,
        "to_address": "lnbc1-sample-invoice",
        "crypto_code": "LN",
        "crypto_atoms": columns["crypto_atoms"],
        "received_crypto_atoms": columns["crypto_atoms"],
        "fiat": str(fiat),
        "fiat_code": "GTQ",
        "status": "confirmed",
        "dispense": True,
        "dispense_confirmed": True,
        "error": None,
        "error_code": None,
        "commission_percentage": commission,
        "discount": discount,
        "raw_ticker_price": bid,
        "customer_id": ANONYMOUS_CUSTOMER,
        "created": begun,
        "confirmed_at": paid_at,
    }
    return {**row, **columns}


# ---- ordinary kinds -------------------------------------------------------------------


def on_chain(**columns: Any) -> Row:
    """Bitcoin with one confirmation."""
    return sale(**{"crypto_code": "BTC", "to_address": "bc1-sample-address", **columns})


def markup_priced(**columns: Any) -> Row:
    """A machine up to v7.5."""
    return sale(price="markup", **columns)


def published_sale(**columns: Any) -> Row:
    """The published production sale: 512400 sats, 4000 GTQ, 5.5 %."""
    return sale(fiat=4000, **columns)


def discounted(discount: int = 10, **columns: Any) -> Row:
    """A customer with a discount on the commission (percent off)."""
    return sale(discount=discount, **{"discount_source": "promoCode", **columns})


def free_of_commission(**columns: Any) -> Row:
    """A discount of 100 %."""
    return discounted(100, **columns)


def ether(**columns: Any) -> Row:
    """Another coin with 18 decimals: never ours."""
    return sale(**{"crypto_code": "ETH", "crypto_atoms": 10**17, **columns})


def litecoin(**columns: Any) -> Row:
    """Another coin with bitcoin's scale, which an amount check would not catch."""
    return sale(**{"crypto_code": "LTC", "crypto_atoms": 12_345_600, **columns})


# ---- watched: the normal moments of a running sale -------------------------------------


def paid_not_dispensed(**columns: Any) -> Row:
    """Confirmed, notes not asked for yet."""
    return sale(**{"dispense": False, "dispense_confirmed": False, **columns})


def dispensed_not_confirmed(**columns: Any) -> Row:
    """Confirmed and dispensing; the machine's report is still missing."""
    return sale(**{"dispense_confirmed": False, **columns})


def authorized_and_dispensed(**columns: Any) -> Row:
    """Accepted without confirmation; confirmed_at comes later or never."""
    return on_chain(
        **{"status": "authorized", "confirmed_at": None, **columns},
    )


def not_paid(**columns: Any) -> Row:
    """An address was shown and nobody paid: no candidate at all."""
    return sale(
        **{
            "status": "notSeen",
            "confirmed_at": None,
            "dispense": False,
            "dispense_confirmed": False,
            "received_crypto_atoms": None,
            **columns,
        },
    )


def refused_sale(**columns: Any) -> Row:
    """A payment that was not accepted in time."""
    return not_paid(**{"status": "rejected", **columns})


# ---- suspicious: a person has to look ---------------------------------------------------


def partly_dispensed(**columns: Any) -> Row:
    """25 of 40 notes came out."""
    return sale(
        **{
            "dispense_confirmed": False,
            "error": "sample: the dispenser stopped after 25 of 40 notes",
            "error_code": "sampleDispenseError",
            **columns,
        }
    )


def confirmed_with_error(**columns: Any) -> Row:
    """A later report confirmed the notes, the error stayed."""
    return sale(**{"error": "sample: a note had to be taken twice", **columns})


def cancelled_after(**columns: Any) -> Row:
    """The operator cancelled a sale that had been completed."""
    return sale(**{"error": "Operator cancel", **columns})


def score_refused(**columns: Any) -> Row:
    """The wallet score was too bad: dispense is set although no note moved."""
    return sale(
        **{
            "dispense_confirmed": False,
            "error": "sample: score too high",
            "error_code": "scoreThresholdReached",
            **columns,
        }
    )


def instant(**columns: Any) -> Row:
    """A status of the enum that no wallet of 10.0.3 emits; never sets confirmed_at."""
    return sale(**{"status": "instant", "confirmed_at": None, **columns})


def insufficient_after_confirmed(**columns: Any) -> Row:
    """The status went back although confirmed_at is set."""
    return sale(**{"status": "insufficientFunds", **columns})


def without_commission(**columns: Any) -> Row:
    """A row older than November 2018."""
    return sale(
        commission=None,
        **{"raw_ticker_price": None, "received_crypto_atoms": None, **columns},
    )


def commission_300_percent(**columns: Any) -> Row:
    """Somebody typed 300."""
    return sale(commission="3", **{"crypto_atoms": 48_400, **columns})


def negative_commission(**columns: Any) -> Row:
    """Lamassu allows down to -15 %."""
    return sale(commission="-0.05", **columns)


def discount_out_of_range(discount: int = 140, **columns: Any) -> Row:
    """More than 100 % off."""
    return sale(**{"discount": discount, **columns})


def fiat_zero(**columns: Any) -> Row:
    """A sale for nothing."""
    return sale(fiat=0, **{"crypto_atoms": 12_800, **columns})


def fiat_with_cents(**columns: Any) -> Row:
    """99.99, which no machine has notes for."""
    return sale(fiat="99.99", **columns)


def fiat_beyond_minor_units(**columns: Any) -> Row:
    """No whole number of centavos."""
    return sale(fiat="100.00500", **columns)


def one_sat(**columns: Any) -> Row:
    """The smallest amount there is."""
    return sale(**{"crypto_atoms": 1, **columns})


def twenty_million_sats(**columns: Any) -> Row:
    """A large sale."""
    return sale(fiat=156_100, **{"crypto_atoms": 20_000_000, **columns})


def beyond_64_bits(**columns: Any) -> Row:
    """An amount that no 64-bit integer holds."""
    return sale(**{"crypto_atoms": 10**29, **columns})


def unknown_currency(**columns: Any) -> Row:
    """No ISO 4217 code."""
    return sale(**{"fiat_code": "XQX", **columns})


def received_short(**columns: Any) -> Row:
    """100 sats less than asked for (Lamassu's "fudge factor")."""
    row = sale(**columns)
    return {**row, "received_crypto_atoms": int(row["crypto_atoms"]) - 100}


def received_over(**columns: Any) -> Row:
    """The customer paid more than asked for."""
    row = sale(**columns)
    return {**row, "received_crypto_atoms": int(row["crypto_atoms"]) + 5_000}


def by_test_customer(**columns: Any) -> Row:
    """The operator's own trial; the demo's customers table marks the customer."""
    return sale(**{"customer_id": TEST_CUSTOMER, **columns})


def on_unpaired_device(**columns: Any) -> Row:
    """The machine was unpaired since."""
    return sale(**{"device_id": UNPAIRED_MACHINE, **columns})


def on_unknown_device(**columns: Any) -> Row:
    """A machine that Lamassu does not know (any more)."""
    return sale(**{"device_id": UNKNOWN_MACHINE, **columns})


def with_fixed_fee(fee: str = "10", **columns: Any) -> Row:
    """Lamassu 10.1+: the fee (whole units of fiat) is in the atoms, not in `fiat`.

    Needs `EmbeddedLamassu.add_fixed_fee()`.
    """
    atoms = priced_atoms(Decimal(100) + Decimal(fee))
    return sale(**{"crypto_atoms": atoms, "fixed_fee": fee, **columns})


Builder = Callable[..., Row]

ELIGIBLE: dict[str, Builder] = {
    "lightning": sale,
    "on_chain": on_chain,
    "markup_priced": markup_priced,
    "published_sale": published_sale,
    "discounted": discounted,
    "free_of_commission": free_of_commission,
    "one_sat": one_sat,
    "twenty_million_sats": twenty_million_sats,
    "fiat_with_cents": fiat_with_cents,
    "received_over": received_over,
}
WATCHED: dict[str, Builder] = {
    "paid_not_dispensed": paid_not_dispensed,
    "dispensed_not_confirmed": dispensed_not_confirmed,
    "authorized_and_dispensed": authorized_and_dispensed,
}
SUSPICIOUS: dict[str, Builder] = {
    "partly_dispensed": partly_dispensed,
    "confirmed_with_error": confirmed_with_error,
    "cancelled_after": cancelled_after,
    "score_refused": score_refused,
    "instant": instant,
    "insufficient_after_confirmed": insufficient_after_confirmed,
    "without_commission": without_commission,
    "commission_300_percent": commission_300_percent,
    "negative_commission": negative_commission,
    "discount_out_of_range": discount_out_of_range,
    "fiat_zero": fiat_zero,
    "fiat_beyond_minor_units": fiat_beyond_minor_units,
    "beyond_64_bits": beyond_64_bits,
    "unknown_currency": unknown_currency,
    "received_short": received_short,
    "by_test_customer": by_test_customer,
    "on_unpaired_device": on_unpaired_device,
    "on_unknown_device": on_unknown_device,
}
NOT_OURS: dict[str, Builder] = {
    "ether": ether,
    "litecoin": litecoin,
    "not_paid": not_paid,
    "refused_sale": refused_sale,
}
ALL_KINDS: dict[str, Builder] = {**ELIGIBLE, **WATCHED, **SUSPICIOUS, **NOT_OURS}
