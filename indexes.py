"""The indexes of our tables, as (name, table, columns); migrations.py creates them."""

INDEXES = (
    ("idx_satm_cash_out_status", "lamassu_transactions", "status, confirmed_at_us, id"),
    ("idx_satm_cash_out_confirmed", "lamassu_transactions", "confirmed_at_us, id"),
    ("idx_satm_cash_out_created", "lamassu_transactions", "created_us"),
    ("idx_satm_cash_out_announced", "lamassu_transactions", "announced_us, status"),
    ("idx_satm_cash_out_commission", "lamassu_transactions", "commission_status"),
    ("idx_satm_share_cash_out", "dca_payments", "cash_out_id, status"),
    ("idx_satm_share_lamassu", "dca_payments", "lamassu_transaction_id"),
    ("idx_satm_share_client", "dca_payments", "client_id, cash_out_us"),
    ("idx_satm_share_status", "dca_payments", "status, updated_us"),
    ("idx_satm_share_day", "dca_payments", "currency, cash_out_us"),
    ("idx_satm_deposit_client", "dca_deposits", "client_id, created_at"),
    ("idx_satm_deposit_effective", "dca_deposits", "currency, effective_us"),
    ("idx_satm_deposit_status", "dca_deposits", "status, created_at"),
    ("idx_satm_client_user", "dca_clients", "user_id"),
    ("idx_satm_leg_cash_out", "settlement_legs", "cash_out_id"),
    ("idx_satm_entry_account", "ledger_entries", "account, unit, seq"),
    ("idx_satm_entry_cash_out", "ledger_entries", "cash_out_id"),
    ("idx_satm_poll_started", "polls", "started_us"),
    ("idx_satm_alert_open", "alerts", "resolved_us, last_us"),
    ("idx_satm_audit_subject", "audit_log", "subject, seq"),
)

# The moment a cash-out is listed with, never NULL; queries must spell it the same way (books.py).
_MOMENT = "COALESCE(confirmed_at_us, created_us, observed_us)"
# What cash-outs are filtered and sorted by: with it in the index the wide rows are not read. The
# moment's own columns are in it because PostgreSQL takes an expression from no index alone.
_SHOWN = (
    *("status", "device_id", "crypto_code", "fiat_code", "total_sats", "fiat_minor"),
    *("confirmed_at_us", "created_us", "observed_us"),
)


def _by(*first: str) -> str:
    """The columns of an index that begins with these and has the others, too."""
    return ", ".join([*first, _MOMENT, "id", *(name for name in _SHOWN if name not in first)])


PAGE_INDEXES = (
    ("idx_satm_cash_out_moment", "lamassu_transactions", _by()),
    ("idx_satm_cash_out_state_moment", "lamassu_transactions", _by("status")),
    ("idx_satm_cash_out_machine", "lamassu_transactions", _by("device_id")),
    ("idx_satm_cash_out_coin", "lamassu_transactions", _by("crypto_code")),
    ("idx_satm_cash_out_currency", "lamassu_transactions", _by("fiat_code")),
    ("idx_satm_cash_out_owed", "lamassu_transactions", "failed_sats"),
    ("idx_satm_cash_out_ids", "lamassu_transactions", "lamassu_transaction_id, id"),
    ("idx_satm_cash_out_machine_name", "lamassu_transactions", "machine_name, id"),
    ("idx_satm_share_period", "dca_payments", "status, cash_out_us, client_id, amount_sats"),
    (
        "idx_satm_share_sums",
        "dca_payments",
        "client_id, currency, status, cash_out_us, amount_sats, fiat_minor",
    ),
)

AUDIT_INDEXES = (
    ("idx_satm_audit_action", "audit_log", "action, seq"),
    ("idx_satm_audit_actor", "audit_log", "actor, seq"),
    ("idx_satm_audit_at", "audit_log", "at_us, seq"),
)
