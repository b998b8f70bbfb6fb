"""The promises of this extension, each as questions to the databases.

A question selects rows that must not exist; no rows means that the promise holds. The names are
those of docs/reliability.md; who asks is invariants.py.
"""

from __future__ import annotations

from ..adapters.wallet_rows import ID_PREFIX
from .promise import Invariant, Question
from .promises_corrections import CLAIMS, CORRECTED, CORRECTIONS_MOVE

# A cash-out that this extension settled; what an earlier one did is kept as it was found.
SETTLED = "t.status = 'completed' AND t.origin = 'observed'"
T = "satoshimachine.lamassu_transactions t"

CONSERVATION = Invariant(
    "I1",
    "every sat of a sale is somewhere",
    (
        Question(
            "the parts of a cash-out are not its total",
            f"""
            SELECT t.id AS subject FROM {T} WHERE {SETTLED} AND (
                t.total_sats IS NULL OR t.total_sats > t.crypto_atoms
                OR t.total_sats <> t.base_sats + t.commission_sats
                OR t.base_sats <> t.confirmed_sats + t.failed_sats + t.operator_remainder_sats)
            """,
        ),
        Question(
            "the shares of a cash-out are not what it says",
            f"""
            SELECT t.id AS subject FROM {T}
            LEFT JOIN satoshimachine.dca_payments s ON s.cash_out_id = t.id
            WHERE {SETTLED}
            GROUP BY t.id, t.confirmed_sats, t.failed_sats, t.drawn_minor
            HAVING COALESCE(SUM(CASE WHEN s.status = 'confirmed' THEN s.amount_sats END), 0)
                    <> t.confirmed_sats
                OR COALESCE(SUM(CASE WHEN s.status = 'failed' THEN s.amount_sats END), 0)
                    <> t.failed_sats
                OR COALESCE(SUM(CASE WHEN s.status <> 'cancelled' THEN s.fiat_minor END), 0)
                    <> t.drawn_minor
            """,
        ),
    ),
)

CLOSED_SYSTEM = Invariant(
    "I2",
    "the ledger sums to zero",
    (
        Question(
            "a unit does not sum to zero",
            """
            SELECT unit AS subject FROM satoshimachine.ledger_entries
            GROUP BY unit HAVING SUM(amount) <> 0
            """,
        ),
        Question(
            "the entries of a cash-out do not sum to zero",
            """
            SELECT cash_out_id AS subject FROM satoshimachine.ledger_entries
            WHERE cash_out_id IS NOT NULL GROUP BY cash_out_id, unit HAVING SUM(amount) <> 0
            """,
        ),
    ),
)

NO_DOUBLE_PAYMENT = Invariant(
    "I3",
    "nobody is paid twice",
    (
        Question(
            "a client has two shares of one cash-out",
            """
            SELECT cash_out_id AS subject FROM satoshimachine.dca_payments
            WHERE origin = 'observed' GROUP BY cash_out_id, client_id HAVING COUNT(*) > 1
            """,
        ),
        Question(
            "a movement lies in a wallet twice",
            """
            SELECT l.leg_key AS subject FROM satoshimachine.settlement_legs l
            JOIN apipayments p ON p.checking_id IN (l.checking_id_in, l.checking_id_out)
            GROUP BY l.leg_key, p.checking_id HAVING COUNT(*) > 1
            """,
        ),
    ),
)

IDEMPOTENCY = Invariant(
    "I4",
    "a sale is settled once",
    (
        Question(
            "a sale is stored twice",
            f"""
            SELECT t.lamassu_transaction_id AS subject FROM {T}
            GROUP BY t.lamassu_transaction_id HAVING COUNT(*) > 1
            """,
        ),
        Question(
            "a share is not named by its sale and client",
            """
            SELECT s.id AS subject FROM satoshimachine.dca_payments s
            JOIN satoshimachine.lamassu_transactions t ON t.id = s.cash_out_id
            WHERE s.origin = 'observed'
                AND s.leg_key <> t.lamassu_transaction_id || :share || s.client_id
            """,
            {"share": ":share:"},
        ),
    ),
)

NOTHING_HALF_DONE = Invariant(
    "I5",
    "nothing is lost half way",
    (
        Question(
            "a cash-out is stuck in its settlement",
            f"SELECT t.id AS subject FROM {T} WHERE t.status = 'processing'",
        ),
        Question(
            "a settled cash-out is not in the ledger with its total",
            f"""
            SELECT t.id AS subject FROM {T}
            LEFT JOIN satoshimachine.ledger_entries e ON e.cash_out_id = t.id
                AND e.account = 'sold' AND e.unit = 'sat'
            WHERE {SETTLED} AND t.total_sats > 0 GROUP BY t.id, t.total_sats
            HAVING COALESCE(SUM(e.amount), 0) <> -t.total_sats OR COUNT(e.seq) <> 1
            """,
        ),
        Question(
            "a share belongs to no settled cash-out",
            f"""
            SELECT s.id AS subject FROM satoshimachine.dca_payments s
            WHERE s.origin = 'observed' AND NOT EXISTS (
                SELECT 1 FROM {T} WHERE t.id = s.cash_out_id AND {SETTLED})
            """,
        ),
    ),
)

FLOOR = Invariant(
    "I6",
    "no balance is below zero",
    (
        Question(
            "an account is below zero",
            """
            SELECT account || ' ' || unit AS subject FROM satoshimachine.ledger_balances
            WHERE balance < 0 AND account NOT IN ('sold', 'deposits')
            """,
        ),
    ),
)

# What each account of sats must hold by the cash-outs and shares, taken from what it holds.
ACCOUNTS = f"""
    SELECT account AS subject FROM (
        SELECT account, balance AS sats FROM satoshimachine.ledger_balances WHERE unit = 'sat'
        UNION ALL SELECT 'paid:' || client_id, -amount_sats FROM satoshimachine.dca_payments
            WHERE origin = 'observed' AND status = 'confirmed'
        UNION ALL SELECT 'owed:' || client_id, -amount_sats FROM satoshimachine.dca_payments
            WHERE origin = 'observed' AND status = 'failed'
        UNION ALL SELECT 'sold', t.total_sats FROM {T} WHERE {SETTLED}
        UNION ALL SELECT 'operator', -t.operator_remainder_sats FROM {T} WHERE {SETTLED}
        UNION ALL SELECT CASE t.commission_status WHEN 'failed' THEN 'commission_owed'
            ELSE 'commission' END, -t.commission_sats FROM {T} WHERE {SETTLED}
        {CORRECTED}
    ) held GROUP BY account HAVING SUM(sats) <> 0
"""

LEDGER_IS_WALLETS = Invariant(
    "I7",
    "ledger and wallets say the same",
    (
        Question(
            "a movement is not in the wallet that received it",
            """
            SELECT l.leg_key AS subject FROM satoshimachine.settlement_legs l
            WHERE NOT EXISTS (SELECT 1 FROM apipayments p WHERE p.checking_id = l.checking_id_in
                AND p.wallet_id = l.to_wallet_id AND p.amount = l.amount_sats * 1000
                AND p.fee = 0 AND p.status = 'success')
            """,
        ),
        Question(
            "a movement is not in the wallet that paid it",
            """
            SELECT l.leg_key AS subject FROM satoshimachine.settlement_legs l
            WHERE l.checking_id_out IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM apipayments p WHERE p.checking_id = l.checking_id_out
                AND p.wallet_id = l.from_wallet_id AND p.amount = -l.amount_sats * 1000
                AND p.fee = 0 AND p.status = 'success')
            """,
        ),
        Question(
            "a wallet holds a row of ours that the ledger does not know",
            f"""
            SELECT p.checking_id AS subject FROM apipayments p
            WHERE p.checking_id LIKE '{ID_PREFIX}%' AND NOT EXISTS (
                SELECT 1 FROM satoshimachine.settlement_legs l
                WHERE p.checking_id IN (l.checking_id_in, l.checking_id_out))
            AND NOT EXISTS (SELECT 1 FROM satoshimachine.correction_legs l
                WHERE p.checking_id IN (l.checking_id_in, l.checking_id_out))
            """,
        ),
        Question(
            "a share and its movement differ",
            """
            SELECT s.id AS subject FROM satoshimachine.dca_payments s
            LEFT JOIN satoshimachine.settlement_legs l ON l.leg_key = s.leg_key
            WHERE s.origin = 'observed' AND (
                (s.status = 'confirmed') <> (l.leg_key IS NOT NULL)
                OR l.amount_sats <> s.amount_sats OR l.payment_hash <> s.payment_hash
                OR l.to_wallet_id <> s.wallet_id OR l.cash_out_id <> s.cash_out_id)
            """,
        ),
        Question(
            "a commission or a funding and its movement differ",
            f"""
            SELECT t.id AS subject FROM {T}
            LEFT JOIN satoshimachine.settlement_legs c
                ON c.leg_key = t.lamassu_transaction_id || :commission
            LEFT JOIN satoshimachine.settlement_legs f
                ON f.leg_key = t.lamassu_transaction_id || :funding
            WHERE {SETTLED} AND (
                (t.commission_status = 'paid') <> (c.leg_key IS NOT NULL)
                OR c.amount_sats <> t.commission_sats
                OR (t.funding_mode = 'credit') <> (f.leg_key IS NOT NULL)
                OR f.amount_sats <> t.total_sats OR f.to_wallet_id <> t.source_wallet_id)
            """,
            {"commission": ":commission", "funding": ":funding"},
        ),
        Question("an account is not what shares and cash-outs make it", ACCOUNTS),
        Question(
            "what a share was charged is not what the ledger took",
            """
            SELECT reference AS subject FROM (
                SELECT reference, amount FROM satoshimachine.ledger_entries
                    WHERE cash_out_id IS NOT NULL AND account LIKE 'client:%'
                UNION ALL SELECT leg_key, fiat_minor FROM satoshimachine.dca_payments
                    WHERE origin = 'observed' AND status <> 'cancelled'
            ) charged GROUP BY reference HAVING SUM(amount) <> 0
            """,
        ),
        *CORRECTIONS_MOVE,
    ),
)

REFUSED_CHANGES_NOTHING = Invariant(
    "I8",
    "what was not settled moved nothing",
    (
        Question(
            "a cash-out that is not settled has movements, shares or entries",
            f"""
            SELECT t.id AS subject FROM {T}
            WHERE t.origin = 'observed' AND t.status <> 'completed' AND (
                t.total_sats IS NOT NULL
                OR EXISTS (SELECT 1 FROM satoshimachine.settlement_legs l
                    WHERE l.cash_out_id = t.id)
                OR EXISTS (SELECT 1 FROM satoshimachine.ledger_entries e
                    WHERE e.cash_out_id = t.id))
            """,
        ),
    ),
)

SETTLED_TIMES = """(SELECT COUNT(*) FROM satoshimachine.audit_log a
    WHERE a.subject = t.id AND a.action = 'cash_out_settled')"""

TERMINAL_STAYS = Invariant(
    "I9",
    "what has ended stays as it ended",
    (
        Question(
            "the audit trail does not say once that it was settled",
            f"""
            SELECT t.id AS subject FROM {T} WHERE t.origin = 'observed'
                AND CASE WHEN t.status = 'completed' THEN 1 ELSE 0 END <> {SETTLED_TIMES}
            """,
        ),
        Question(
            "a skipped cash-out went on",
            f"""
            SELECT t.id AS subject FROM {T} WHERE t.status <> 'skipped' AND EXISTS (
                SELECT 1 FROM satoshimachine.audit_log a
                WHERE a.subject = t.id AND a.action = 'cash_out_skipped')
            """,
        ),
    ),
)

HALT_HONOURED = Invariant(
    "I10",
    "nothing was settled while it was stopped",
    (
        Question(
            "a cash-out was settled after a stop and before a person resumed",
            """
            SELECT s.subject AS subject FROM satoshimachine.audit_log s
            JOIN satoshimachine.audit_log c ON c.seq < s.seq
                AND c.action IN ('halt_closed', 'restore_closed', 'earlier_books_taken_over')
            WHERE s.action = 'cash_out_settled' AND NOT EXISTS (
                SELECT 1 FROM satoshimachine.audit_log o WHERE o.seq > c.seq AND o.seq < s.seq
                AND o.action = CASE c.action WHEN 'halt_closed' THEN 'halt_opened'
                    WHEN 'restore_closed' THEN 'restore_opened' ELSE 'takeover_opened' END)
            """,
        ),
    ),
)

REPLAY = Invariant(
    "I11",
    "the entries rebuild every balance",
    (
        Question(
            "an entry does not begin where the one before it ended",
            """
            SELECT seq AS subject FROM (
                SELECT seq, balance_before, balance_after, amount, COALESCE(LAG(balance_after)
                    OVER (PARTITION BY account, unit ORDER BY seq), 0) AS came_from
                FROM satoshimachine.ledger_entries
            ) chain WHERE balance_before <> came_from OR balance_after <> came_from + amount
            """,
        ),
        Question(
            "the ledger has a gap",
            """
            SELECT MAX(seq) AS subject FROM satoshimachine.ledger_entries
            HAVING COUNT(*) <> COALESCE(MAX(seq), 0)
            """,
        ),
        Question(
            "a stored balance is not the sum of its entries",
            """
            SELECT account || ' ' || unit AS subject FROM (
                SELECT account, unit, balance AS held FROM satoshimachine.ledger_balances
                UNION ALL SELECT account, unit, -amount FROM satoshimachine.ledger_entries
            ) both_ways GROUP BY account, unit HAVING SUM(held) <> 0
            """,
        ),
    ),
)

SAME_INPUT_SAME_PLAN = Invariant("I12", "a plan is what its hash says", ())

INVARIANTS: tuple[Invariant, ...] = (
    CONSERVATION,
    CLOSED_SYSTEM,
    NO_DOUBLE_PAYMENT,
    IDEMPOTENCY,
    NOTHING_HALF_DONE,
    FLOOR,
    LEDGER_IS_WALLETS,
    REFUSED_CHANGES_NOTHING,
    TERMINAL_STAYS,
    HALT_HONOURED,
    REPLAY,
    SAME_INPUT_SAME_PLAN,
    CLAIMS,
)
