"""Which of these cash-outs differ somewhere between shares, ledger, movements and wallets.

A question selects the cash-outs that must be looked at closely, for a slice of ids, by indexes
alone: what agrees is never read into this process. What they mean is domain/tie_moves.py; a test
holds that both see the same. The promises of promises.py are the same links asked of everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..adapters.wallet_rows import ID_PREFIX
from .promises import SETTLED, T

# `{marks}` are the ids of the slice; bound once, used in every part.
LEDGER = f"""
    SELECT DISTINCT cash_out_id AS subject FROM (
        SELECT cash_out_id, account, unit FROM (
            SELECT e.cash_out_id, e.account, e.unit, e.amount,
                CASE WHEN e.account IN ('client:' || e.client_id, 'paid:' || e.client_id,
                    'owed:' || e.client_id) THEN e.reference ELSE '' END AS reference
                FROM satoshimachine.ledger_entries e WHERE e.cash_out_id IN ({{marks}})
            UNION ALL SELECT t.id, 'sold', 'sat', t.total_sats, ''
                FROM {T} WHERE t.id IN ({{marks}}) AND {SETTLED}
            UNION ALL SELECT t.id, 'operator', 'sat', -t.operator_remainder_sats, ''
                FROM {T} WHERE t.id IN ({{marks}}) AND {SETTLED}
            UNION ALL SELECT t.id, CASE t.commission_status WHEN 'failed' THEN 'commission_owed'
                ELSE 'commission' END, 'sat', -t.commission_sats, ''
                FROM {T} WHERE t.id IN ({{marks}}) AND {SETTLED}
            UNION ALL SELECT t.id, 'dispensed', t.fiat_code, -t.drawn_minor, ''
                FROM {T} WHERE t.id IN ({{marks}}) AND {SETTLED}
            UNION ALL SELECT s.cash_out_id, CASE s.status WHEN 'failed' THEN 'owed:' ELSE 'paid:'
                END || s.client_id, 'sat', -s.amount_sats, s.leg_key
                FROM satoshimachine.dca_payments s
                WHERE s.cash_out_id IN ({{marks}}) AND s.status IN ('confirmed', 'failed')
            UNION ALL SELECT s.cash_out_id, 'client:' || s.client_id, s.currency, s.fiat_minor,
                s.leg_key FROM satoshimachine.dca_payments s
                WHERE s.cash_out_id IN ({{marks}}) AND s.status <> 'cancelled'
        ) sides GROUP BY cash_out_id, account, unit, reference HAVING SUM(amount) <> 0
    ) differ
"""

# Asked before LEDGER, at a sixth of its price: cash-outs whose entries are not simply one for each
# account that their totals and shares name, each as large as those say. What has exactly these, and
# no account twice, adds up in LEDGER, too; a share that failed and was paid later has more of them.
ENTRIES_UNUSUAL = f"""
    SELECT t.id AS subject FROM {T}
    LEFT JOIN satoshimachine.ledger_entries e ON e.cash_out_id = t.id
    LEFT JOIN satoshimachine.dca_payments s ON s.leg_key = e.reference AND s.cash_out_id = t.id
    WHERE t.id IN ({{marks}})
    GROUP BY t.id
    HAVING COUNT(e.seq) <> CASE WHEN {SETTLED} THEN 1
            + CASE WHEN t.operator_remainder_sats <> 0 THEN 1 ELSE 0 END
            + CASE WHEN t.commission_sats <> 0 THEN 1 ELSE 0 END
            + CASE WHEN t.drawn_minor <> 0 THEN 1 ELSE 0 END
            + 2 * (SELECT COUNT(*) FROM satoshimachine.dca_payments x
                WHERE x.cash_out_id = t.id AND x.status <> 'cancelled')
            ELSE 0 END
        OR COUNT(DISTINCT e.account) <> COUNT(e.seq)
        OR SUM(CASE WHEN
            CASE e.account
                WHEN 'sold' THEN e.unit = 'sat' AND e.amount = -t.total_sats
                WHEN 'operator' THEN e.unit = 'sat' AND e.amount = t.operator_remainder_sats
                WHEN 'commission' THEN e.unit = 'sat' AND e.amount = t.commission_sats
                    AND t.commission_status <> 'failed'
                WHEN 'commission_owed' THEN e.unit = 'sat' AND e.amount = t.commission_sats
                    AND t.commission_status = 'failed'
                WHEN 'dispensed' THEN e.unit = t.fiat_code AND e.amount = t.drawn_minor
                WHEN 'paid:' || s.client_id THEN e.unit = 'sat' AND e.amount = s.amount_sats
                    AND e.client_id = s.client_id AND s.status = 'confirmed'
                WHEN 'owed:' || s.client_id THEN e.unit = 'sat' AND e.amount = s.amount_sats
                    AND e.client_id = s.client_id AND s.status = 'failed'
                WHEN 'client:' || s.client_id THEN e.unit = s.currency
                    AND e.amount = -s.fiat_minor AND e.client_id = s.client_id
                    AND s.status <> 'cancelled'
            END THEN 1 ELSE 0 END) <> COUNT(e.seq)
"""

SHARES_AND_LEGS = """
    SELECT DISTINCT s.cash_out_id AS subject FROM satoshimachine.dca_payments s
    LEFT JOIN satoshimachine.settlement_legs l ON l.leg_key = s.leg_key
    LEFT JOIN satoshimachine.lamassu_transactions t ON t.id = s.cash_out_id
    WHERE s.cash_out_id IN ({marks}) AND (
        (s.status = 'confirmed') <> (l.leg_key IS NOT NULL)
        OR l.amount_sats <> s.amount_sats OR l.payment_hash <> s.payment_hash
        OR l.to_wallet_id <> s.wallet_id OR l.cash_out_id <> s.cash_out_id
        OR l.kind <> 'share' OR l.from_wallet_id <> t.source_wallet_id
        OR (l.leg_key IS NOT NULL AND l.from_wallet_id IS NULL))
"""

TOTALS_AND_LEGS = f"""
    SELECT t.id AS subject FROM {T}
    LEFT JOIN satoshimachine.settlement_legs c
        ON c.leg_key = t.lamassu_transaction_id || :commission
    LEFT JOIN satoshimachine.settlement_legs f
        ON f.leg_key = t.lamassu_transaction_id || :funding
    WHERE t.id IN ({{marks}}) AND (
        ({SETTLED} AND t.commission_status = 'paid') <> (c.leg_key IS NOT NULL)
        OR c.amount_sats <> t.commission_sats OR c.to_wallet_id <> t.commission_wallet_id
        OR c.from_wallet_id <> t.source_wallet_id OR c.cash_out_id <> t.id
        OR c.kind <> 'commission'
        OR ({SETTLED} AND t.funding_mode = 'credit') <> (f.leg_key IS NOT NULL)
        OR f.amount_sats <> t.total_sats OR f.to_wallet_id <> t.source_wallet_id
        OR f.cash_out_id <> t.id OR f.kind <> 'funding')
"""
KEYS = {"commission": ":commission", "funding": ":funding"}

# A movement that no share, commission or funding is behind.
LEGS_ALONE = """
    SELECT DISTINCT l.cash_out_id AS subject FROM satoshimachine.settlement_legs l
    JOIN satoshimachine.lamassu_transactions t ON t.id = l.cash_out_id
    LEFT JOIN satoshimachine.dca_payments s ON s.leg_key = l.leg_key
    WHERE l.cash_out_id IN ({marks}) AND s.id IS NULL
        AND l.leg_key <> t.lamassu_transaction_id || :commission
        AND l.leg_key <> t.lamassu_transaction_id || :funding
"""

# By the payment hash both ends of a movement, and whoever else carries it, are found at once.
WALLETS = """
    SELECT DISTINCT subject FROM (
        SELECT l.cash_out_id AS subject FROM satoshimachine.settlement_legs l
        LEFT JOIN apipayments p ON p.payment_hash = l.payment_hash
        WHERE l.cash_out_id IN ({marks})
        GROUP BY l.leg_key, l.cash_out_id, l.checking_id_out
        HAVING SUM(CASE WHEN p.checking_id = l.checking_id_in AND p.wallet_id = l.to_wallet_id
                AND p.amount = l.amount_sats * 1000 AND p.fee = 0 AND p.status = 'success'
                THEN 1 ELSE 0 END) <> 1
            OR SUM(CASE WHEN p.checking_id = l.checking_id_out AND p.wallet_id = l.from_wallet_id
                AND p.amount = -l.amount_sats * 1000 AND p.fee = 0 AND p.status = 'success'
                THEN 1 ELSE 0 END) <> CASE WHEN l.checking_id_out IS NULL THEN 0 ELSE 1 END
            OR COUNT(p.checking_id) <> CASE WHEN l.checking_id_out IS NULL THEN 1 ELSE 2 END
    ) differ
"""

AUDIT = f"""
    SELECT t.id AS subject FROM {T}
    LEFT JOIN satoshimachine.audit_log a ON a.subject = t.id
        AND a.action IN ('cash_out_settled', 'cash_out_skipped')
    WHERE t.id IN ({{marks}})
    GROUP BY t.id, t.status
    HAVING SUM(CASE WHEN a.action = 'cash_out_settled' THEN 1 ELSE 0 END)
            <> CASE WHEN t.status = 'completed' THEN 1 ELSE 0 END
        OR (t.status <> 'skipped'
            AND SUM(CASE WHEN a.action = 'cash_out_skipped' THEN 1 ELSE 0 END) > 0)
"""


@dataclass(frozen=True)
class Question:
    """`before`, a cheaper one, names at least every cash-out that `query` would name."""

    query: str
    values: dict[str, str] = field(default_factory=dict)
    before: str | None = None


QUESTIONS = (
    Question(LEDGER, before=ENTRIES_UNUSUAL),
    Question(SHARES_AND_LEGS),
    Question(TOTALS_AND_LEGS, KEYS),
    Question(LEGS_ALONE, KEYS),
    Question(WALLETS),
    Question(AUDIT),
)
# All of them in one statement, with the number of the one that named a cash-out: the database works
# on its own while Python runs plans again, and each answer has to wait for its turn there.
ALL_AT_ONCE = " UNION ALL ".join(
    f"SELECT subject, {number} AS question FROM ({one.before or one.query}) q{number}"
    for number, one in enumerate(QUESTIONS)
)
ALL_VALUES = {name: value for one in QUESTIONS for name, value in one.values.items()}

# -- what belongs to no cash-out ----------------------------------------------------------------

# Each entry begins where the one before it of its account ended.
CHAIN = """
    SELECT e.seq, e.account, e.unit, e.amount, e.balance_before, e.balance_after, e.client_id,
        e.cash_out_id, COALESCE((SELECT p.balance_after FROM satoshimachine.ledger_entries p
            WHERE p.account = e.account AND p.unit = e.unit AND p.seq < e.seq
            ORDER BY p.seq DESC LIMIT 1), 0) AS came_from
    FROM satoshimachine.ledger_entries e WHERE e.seq > :after AND e.seq <= :upto
"""
CHAIN_BROKEN = f"""
    SELECT * FROM ({CHAIN}) chain WHERE balance_before <> came_from
        OR balance_after <> came_from + amount ORDER BY seq
"""
NOWHERE = """
    SELECT e.cash_out_id, COUNT(*) AS entries,
        SUM(CASE WHEN e.account = 'sold' THEN -e.amount ELSE 0 END) AS sats
    FROM satoshimachine.ledger_entries e WHERE {which} AND e.cash_out_id IS NOT NULL
        AND NOT EXISTS (
            SELECT 1 FROM satoshimachine.lamassu_transactions t WHERE t.id = e.cash_out_id)
    GROUP BY e.cash_out_id
"""
ENTRIES_NOWHERE = NOWHERE.format(which="e.seq > :after AND e.seq <= :upto")
ENTRIES_NOWHERE_OF = NOWHERE.format(which="e.cash_out_id IN ({marks})")
CHAIN_COUNT = """
    SELECT COUNT(*) AS n FROM satoshimachine.ledger_entries
    WHERE seq > :after AND seq <= :upto
"""
BALANCES = """
    SELECT b.account, b.unit, b.balance, b.last_seq, (
        SELECT e.balance_after FROM satoshimachine.ledger_entries e
        WHERE e.account = b.account AND e.unit = b.unit ORDER BY e.seq DESC LIMIT 1) AS entries,
        (SELECT MAX(e.seq) FROM satoshimachine.ledger_entries e
        WHERE e.account = b.account AND e.unit = b.unit) AS entries_seq
    FROM satoshimachine.ledger_balances b
    WHERE b.account > :after ORDER BY b.account, b.unit LIMIT :most
"""
# Accounts that have entries and no balance: those of the entries' own order, by their index.
ENTRIES_ALONE = """
    SELECT e.account, e.unit, MAX(e.seq) AS entries_seq
    FROM satoshimachine.ledger_entries e WHERE e.seq > :after AND e.seq <= :upto
        AND NOT EXISTS (SELECT 1 FROM satoshimachine.ledger_balances b
            WHERE b.account = e.account AND b.unit = e.unit)
    GROUP BY e.account, e.unit
"""
DEPOSITS = """
    SELECT d.id, d.client_id, d.currency, d.amount, d.amount_minor, d.status, d.decided_by,
        COUNT(e.seq) AS entries, SUM(e.amount) AS entered_minor
    FROM satoshimachine.dca_deposits d
    LEFT JOIN satoshimachine.ledger_entries e ON e.account = 'client:' || d.client_id
        AND e.unit = d.currency AND e.reference = d.id AND e.posting = 'deposit_confirmed'
    WHERE d.id IN ({marks})
    GROUP BY d.id, d.client_id, d.currency, d.amount, d.amount_minor, d.status, d.decided_by
"""
DEPOSIT_IDS = """
    SELECT id FROM satoshimachine.dca_deposits WHERE id > :after ORDER BY id LIMIT :most
"""
# A deposit that was deleted leaves its entry.
DEPOSIT_ENTRIES = """
    SELECT e.seq, e.account, e.unit, e.amount, e.reference, e.client_id
    FROM satoshimachine.ledger_entries e WHERE e.seq > :after AND e.seq <= :upto
        AND e.posting = 'deposit_confirmed' AND e.account <> 'deposits' AND NOT EXISTS (
            SELECT 1 FROM satoshimachine.dca_deposits d WHERE d.id = e.reference)
"""

ORPHAN_COLUMNS = "p.checking_id, p.wallet_id, p.amount, p.status, p.external_id"
# One look a kind of end, the usual ones first: the first that is there answers.
ALONE = " AND ".join(
    f"""NOT EXISTS (SELECT 1 FROM satoshimachine.{table} l
        WHERE l.checking_id_{end} = p.checking_id AND l.{wallet}_wallet_id = p.wallet_id)"""
    for table in ("settlement_legs", "correction_legs")
    for end, wallet in (("in", "to"), ("out", "from"))
)
WALLET_ROW_IDS = """
    SELECT MAX(checking_id) AS upto, COUNT(*) AS n FROM (SELECT p.checking_id FROM apipayments p
        WHERE p.checking_id > :after AND p.checking_id < :upto ORDER BY p.checking_id LIMIT :most
    ) page
"""
ORPHANS_AMONG = f"""
    SELECT {ORPHAN_COLUMNS} FROM apipayments p
    WHERE p.checking_id > :after AND p.checking_id <= :upto AND {ALONE}
"""
ORPHANS_ALL = f"""
    SELECT {ORPHAN_COLUMNS} FROM apipayments p
    WHERE p.checking_id LIKE '{ID_PREFIX}%' AND {ALONE} LIMIT :most
"""
ORPHANS_SINCE = f"""
    SELECT {ORPHAN_COLUMNS} FROM apipayments p
    WHERE p.created_at >= :since AND p.checking_id LIKE '{ID_PREFIX}%' AND {ALONE} LIMIT :most
"""
ORPHANS_OF = f"""
    SELECT {ORPHAN_COLUMNS} FROM apipayments p
    WHERE p.checking_id IN ({{marks}}) AND {ALONE}
"""
SHARES_ALONE = """
    SELECT s.id, s.leg_key, s.amount_sats, s.client_id, s.wallet_id, s.cash_out_id, s.status
    FROM satoshimachine.dca_payments s WHERE s.id > :after AND s.id <= :upto
        AND s.origin = 'observed' AND NOT EXISTS (
            SELECT 1 FROM satoshimachine.lamassu_transactions t WHERE t.id = s.cash_out_id)
"""
SHARE_IDS = """
    SELECT MAX(id) AS upto, COUNT(*) AS n FROM (SELECT id FROM satoshimachine.dca_payments
        WHERE id > :after ORDER BY id LIMIT :most) page
"""
LEGS_NOWHERE = """
    SELECT l.leg_key, l.amount_sats, l.to_wallet_id, l.cash_out_id
    FROM satoshimachine.settlement_legs l WHERE l.leg_key > :after AND l.leg_key <= :upto
        AND NOT EXISTS (
            SELECT 1 FROM satoshimachine.lamassu_transactions t WHERE t.id = l.cash_out_id)
"""
LEG_KEYS = """
    SELECT MAX(leg_key) AS upto, COUNT(*) AS n FROM (
        SELECT leg_key FROM satoshimachine.settlement_legs
        WHERE leg_key > :after ORDER BY leg_key LIMIT :most) page
"""
