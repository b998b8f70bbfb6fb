"""What corrections promise, as questions to the databases; promises.py has the others."""

from __future__ import annotations

from .promise import Invariant, Question

# Corrections that gave sats to a client: out of an account, into what was paid to them.
GIVEN = "status = 'executed' AND account IS NOT NULL"

# What they make of each account of sats, beside shares and cash-outs (promises.ACCOUNTS).
CORRECTED = f"""
    UNION ALL SELECT 'paid:' || client_id, -sats FROM satoshimachine.corrections WHERE {GIVEN}
    UNION ALL SELECT account, sats FROM satoshimachine.corrections WHERE {GIVEN}
"""

CORRECTIONS_MOVE = (
    Question(
        "a correction's movement is not in the wallet that received it",
        """
        SELECT l.leg_key AS subject FROM satoshimachine.correction_legs l
        WHERE NOT EXISTS (SELECT 1 FROM apipayments p WHERE p.checking_id = l.checking_id_in
            AND p.wallet_id = l.to_wallet_id AND p.amount = l.amount_sats * 1000
            AND p.fee = 0 AND p.status = 'success')
        """,
    ),
    Question(
        "a correction's movement is not in the wallet that paid it",
        """
        SELECT l.leg_key AS subject FROM satoshimachine.correction_legs l
        WHERE NOT EXISTS (SELECT 1 FROM apipayments p WHERE p.checking_id = l.checking_id_out
            AND p.wallet_id = l.from_wallet_id AND p.amount = -l.amount_sats * 1000
            AND p.fee = 0 AND p.status = 'success')
        """,
    ),
    Question(
        "a correction and its movement differ",
        """
        SELECT c.id AS subject FROM satoshimachine.corrections c
        LEFT JOIN satoshimachine.correction_legs l ON l.correction_id = c.id
        WHERE (c.status = 'executed' AND c.account IS NOT NULL) <> (l.leg_key IS NOT NULL)
            OR l.amount_sats <> c.sats
        """,
    ),
    Question(
        "what a correction changed of a balance is not in the ledger",
        """
        SELECT subject FROM (
            SELECT c.id AS subject, c.amount_minor AS amount FROM satoshimachine.corrections c
                WHERE c.status = 'executed' AND c.kind <> 'cancel_share'
                AND c.amount_minor IS NOT NULL
            UNION ALL SELECT reference, -amount FROM satoshimachine.ledger_entries
                WHERE posting IN ('balance_adjusted', 'pay_missing') AND account LIKE 'client:%'
        ) booked GROUP BY subject HAVING SUM(amount) <> 0
        """,
    ),
)

CLAIMS = Invariant(
    "I13",
    "what a client owes is what its entries say",
    (
        Question(
            "an entry of a claim does not begin where the one before it ended",
            """
            SELECT client_id AS subject FROM (
                SELECT client_id, number, balance_before, balance_after, amount_sats,
                    COALESCE(LAG(balance_after) OVER (PARTITION BY client_id ORDER BY number), 0)
                    AS came_from,
                    ROW_NUMBER() OVER (PARTITION BY client_id ORDER BY number) AS place
                FROM satoshimachine.receivable_entries
            ) chain WHERE balance_before <> came_from OR place <> number
                OR balance_after <> came_from + amount_sats OR balance_after < 0
            """,
        ),
        Question(
            "what a client owes is not the sum of its entries",
            """
            SELECT client_id AS subject FROM (
                SELECT client_id, owed_sats AS sats FROM satoshimachine.receivables
                UNION ALL SELECT client_id, -amount_sats FROM satoshimachine.receivable_entries
            ) both_ways GROUP BY client_id HAVING SUM(sats) <> 0
            """,
        ),
        Question(
            "what was kept of a share is not what the claim says",
            """
            SELECT key AS subject FROM (
                SELECT leg_key AS key, withheld_sats AS sats FROM satoshimachine.dca_payments
                    WHERE withheld_sats IS NOT NULL AND status <> 'cancelled'
                UNION ALL SELECT share_key, amount_sats FROM satoshimachine.receivable_entries
                    WHERE share_key IS NOT NULL
            ) kept GROUP BY key HAVING SUM(sats) <> 0
            """,
        ),
    ),
)
