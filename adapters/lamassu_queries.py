"""The SQL that reads Lamassu, and the probe that says which columns it may name.

Facts of the tables: Lamassu 10.0.3 to 12 (docs/architecture). Works on PostgreSQL 12+.
Every value leaves the server as text, so that nothing depends on type introspection and a
poisonous value (infinity, NaN, 30 digits) never breaks the reading of the other rows.
Invariant: only names from this file become SQL; values are always bound parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import SourceColumnMissing, SourceGrantMissing, SourceTableMissing

TABLE = "cash_out_txs"
ERROR_TEXT_MAX = 1000  # characters of Lamassu's free error text that we keep
HOUR_US = 3_600_000_000
# Rows whose `created` is infinity or beyond a four-digit year share this bucket.
FAR_HOUR_US = 253_370_764_800_000_000  # 9999-01-01T00:00:00Z
NO_CURSOR = ("-infinity", "00000000-0000-0000-0000-000000000000")

NEEDED_COLUMNS = (
    *("id", "device_id", "crypto_code", "crypto_atoms", "received_crypto_atoms"),
    *("fiat", "fiat_code", "status", "dispense", "dispense_confirmed"),
    *("error", "error_code", "commission_percentage", "discount"),
    *("raw_ticker_price", "created", "confirmed_at"),
)
FIXED_FEE = "fixed_fee"  # since Lamassu 10.1
OPTIONAL_COLUMNS: dict[str, tuple[str, ...]] = {
    TABLE: ("customer_id",),
    "customers": ("id", "is_test_customer"),
    "devices": ("device_id", "name"),
    "unpaired_devices": ("device_id", "name", "paired", "unpaired"),
}
ALLOWED_COLUMNS: dict[str, tuple[str, ...]] = {
    **OPTIONAL_COLUMNS,
    TABLE: (*NEEDED_COLUMNS, *OPTIONAL_COLUMNS[TABLE], FIXED_FEE),
}

# Asked once a day: which columns are there, and which of them we may read. Not from
# information_schema, which hides what the role has no grant on.
PROBE = """
SELECT c.relname::text AS table_name, a.attname::text AS column_name,
       pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
       AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS readable
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = 'public' AND c.relname = ANY ($1::text[])
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND a.attnum > 0 AND NOT a.attisdropped
"""


@dataclass(frozen=True)
class Probes:
    """What this role can see. Column names per table."""

    there: Mapping[str, frozenset[str]]
    readable: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Probes:
        there: dict[str, set[str]] = {}
        readable: dict[str, set[str]] = {}
        for row in rows:
            there.setdefault(row["table_name"], set()).add(row["column_name"])
            if row["readable"]:
                readable.setdefault(row["table_name"], set()).add(row["column_name"])
        return cls(
            {table: frozenset(names) for table, names in there.items()},
            {table: frozenset(names) for table, names in readable.items()},
        )

    def missing_columns(self) -> list[str]:
        return sorted(set(NEEDED_COLUMNS) - self.there.get(TABLE, frozenset()))

    def missing_grants(self) -> list[str]:
        """Columns of the sales that are there and that we need but may not read."""
        there = self.there.get(TABLE, frozenset())
        return sorted(set(NEEDED_COLUMNS) & there - self.readable.get(TABLE, frozenset()))

    def missing_optional(self) -> list[str]:
        """`table(columns)` that would be useful, as written in a GRANT.

        fixed_fee belongs to them as soon as it exists: no split rule reads it, so a Lamassu upgrade
        that brings it must not stop the polls.
        """
        missing = []
        if FIXED_FEE in self.there.get(TABLE, frozenset()) and not self.fixed_fee:
            missing.append(f"{TABLE}({FIXED_FEE})")
        for table, columns in OPTIONAL_COLUMNS.items():
            closed = [
                column for column in columns if column not in self.readable.get(table, frozenset())
            ]
            if closed:
                missing.append(f"{table}({', '.join(closed)})")
        return missing

    def require(self, role: str) -> None:
        """Raise SourceTableMissing, SourceColumnMissing or SourceGrantMissing."""
        if TABLE not in self.there:
            raise SourceTableMissing(f"There is no table public.{TABLE} here")
        if missing := self.missing_columns():
            raise SourceColumnMissing(
                f"{TABLE} has no column {', '.join(missing)}", columns=missing
            )
        if closed := self.missing_grants():
            raise SourceGrantMissing(
                f"The role {role} may not read {TABLE}({', '.join(closed)})",
                hint=f"GRANT SELECT ({', '.join(closed)}) ON public.{TABLE} TO the role,"
                " and USAGE ON SCHEMA public; docs/lamassu-grants.sql does it all.",
                columns=closed,
            )

    @property
    def fixed_fee(self) -> bool:
        return self._can_read(TABLE, (FIXED_FEE,))

    @property
    def customers(self) -> bool:
        return all(self._can_read(t, OPTIONAL_COLUMNS[t]) for t in (TABLE, "customers"))

    @property
    def devices(self) -> bool:
        return self._can_read("devices", OPTIONAL_COLUMNS["devices"])

    @property
    def unpaired_devices(self) -> bool:
        table = "unpaired_devices"
        return self._can_read(table, OPTIONAL_COLUMNS[table])

    def _can_read(self, table: str, columns: Iterable[str]) -> bool:
        return set(columns) <= self.readable.get(table, frozenset())


def hour_of(created_us: int) -> int:
    """The hour of a look that a row of this moment is in; all that is far off is in one."""
    return FAR_HOUR_US if created_us >= FAR_HOUR_US else created_us // HOUR_US * HOUR_US


def _instant(number: int) -> str:
    """Parameter of epoch microseconds as timestamptz, exactly."""
    return f"(timestamptz 'epoch' + ${number}::bigint * interval '1 microsecond')"


def _candidates(start: int) -> str:
    """Rows that may ever concern us: our coins, paid or dispensed, after the start."""
    return (
        "t.crypto_code IN ('BTC', 'LN') AND (t.confirmed_at IS NOT NULL"
        " OR t.status::text IN ('authorized', 'instant', 'confirmed') OR t.dispense)"
        f" AND COALESCE(t.confirmed_at, t.created) >= {_instant(start)}"
    )


def _time_text(column: str) -> str:
    """UTC with microseconds; outside of four-digit years PostgreSQL's own text."""
    return (
        f"CASE WHEN {column} BETWEEN timestamptz '0001-01-02 00:00:00+00'"
        f" AND timestamptz '9999-12-30 23:59:59+00' THEN to_char({column}"
        " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')"
        f" ELSE {column}::text END"
    )


def _row_columns(probes: Probes) -> str:
    """The select list of a SourceRow: every value text or NULL."""
    columns = {name: f"t.{name}::text" for name in NEEDED_COLUMNS}
    columns["error"] = f"left(t.error, {ERROR_TEXT_MAX})"
    columns["created"] = _time_text("t.created")
    columns["confirmed_at"] = _time_text("t.confirmed_at")
    columns["fixed_fee"] = "t.fixed_fee::text" if probes.fixed_fee else "NULL::text"
    columns["test_customer"] = (
        "(SELECT c.is_test_customer::text FROM public.customers c" " WHERE c.id = t.customer_id)"
        if probes.customers
        else "NULL::text"
    )
    columns["device_name"], columns["device_known"] = _device(probes)
    return ", ".join(f"{sql} AS {name}" for name, sql in columns.items())


def _device(probes: Probes) -> tuple[str, str]:
    """Name and 'true'/'false'/NULL (cannot look), by sub-select: no row is doubled.

    Unpairing a machine deletes its row in `devices`, so its last name is found in
    `unpaired_devices`.
    """
    names, found = [], []
    if probes.devices:
        source = "public.devices d WHERE d.device_id = t.device_id"
        names.append(f"(SELECT d.name FROM {source} LIMIT 1)")
        found.append(f"EXISTS (SELECT 1 FROM {source})")
    if probes.unpaired_devices:
        source = "public.unpaired_devices u WHERE u.device_id = t.device_id"
        names.append(f"(SELECT u.name FROM {source} ORDER BY u.unpaired DESC LIMIT 1)")
        found.append(f"EXISTS (SELECT 1 FROM {source})")
    if not names:
        return "NULL::text", "NULL::text"
    both = probes.devices and probes.unpaired_devices
    otherwise = "'false'" if both else "NULL::text"
    known = f"CASE WHEN {' OR '.join(found)} THEN 'true' ELSE {otherwise} END"
    return f"COALESCE({', '.join(names)})", known


def look(probes: Probes) -> str:
    """$1 created from, $2 start (epoch us): clock, and count and digest per hour.

    The digest is the sum of two 60-bit pieces of each row's md5: independent of order,
    different when any selected value differs. Always at least one row, for the clock.
    """
    optional = [
        *(["t.fixed_fee"] if probes.fixed_fee else []),
        *(["t.customer_id"] if probes.customers else []),
    ]
    values = ", ".join([*(f"t.{name}" for name in NEEDED_COLUMNS), *optional])
    far = _us_text(FAR_HOUR_US)
    return f"""
SELECT clock.started_us,
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS ended_us,
       hours.hour_us, hours.row_count, hours.digest
FROM (SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint
             AS started_us) clock
LEFT JOIN (
    SELECT hour_us, count(*) AS row_count,
           sum(('x' || substr(hash, 1, 15))::bit(60)::bigint)::text || ':' ||
           sum(('x' || substr(hash, 16, 15))::bit(60)::bigint)::text AS digest
    FROM (
        SELECT CASE WHEN t.created < {far}
                    THEN extract(epoch FROM date_trunc(
                             'hour', t.created AT TIME ZONE 'UTC'))::bigint * 1000000
                    ELSE {FAR_HOUR_US} END AS hour_us,
               md5(ROW({values})::text) AS hash
        FROM public.{TABLE} t
        WHERE t.created >= {_instant(1)} AND {_candidates(2)}
    ) hashed
    GROUP BY hour_us
) hours ON true
ORDER BY hours.hour_us
"""


def rows_in_hour(probes: Probes) -> str:
    """$1 from, $2 until (epoch us, NULL = no end), $3 start, $4 $5 cursor, $6 limit."""
    return f"""
SELECT {_row_columns(probes)}
FROM public.{TABLE} t
WHERE t.created >= {_instant(1)}
  AND ($2::bigint IS NULL OR t.created < {_instant(2)})
  AND {_candidates(3)}
  AND (t.created, t.id) > ($4::text::timestamptz, $5::text::uuid)
ORDER BY t.created, t.id
LIMIT $6::bigint
"""


def rows_by_id(probes: Probes) -> str:
    """$1 uuids as text. No filter at all: the caller wants to see what became of them."""
    return f"""
SELECT {_row_columns(probes)}
FROM public.{TABLE} t
WHERE t.id = ANY ($1::text[]::uuid[])
ORDER BY t.created, t.id
"""


def newest_rows(probes: Probes) -> str:
    """$1 start, $2 limit: the last candidates, newest first."""
    return f"""
SELECT {_row_columns(probes)}
FROM public.{TABLE} t
WHERE {_candidates(1)}
ORDER BY COALESCE(t.confirmed_at, t.created) DESC, t.id DESC
LIMIT $2::bigint
"""


def count_since(_probes: Probes) -> str:
    """$1 start, $2 until (epoch us, NULL = no end): candidates and their atoms."""
    return f"""
SELECT count(*) AS row_count,
       COALESCE(sum(t.crypto_atoms) FILTER (WHERE t.crypto_atoms <> 'NaN'), 0)::text
       AS sats
FROM public.{TABLE} t
WHERE {_candidates(1)}
  AND ($2::bigint IS NULL OR COALESCE(t.confirmed_at, t.created) < {_instant(2)})
"""


def _us_text(instant_us: int) -> str:
    """A constant instant; only called with numbers of this file."""
    return f"(timestamptz 'epoch' + {instant_us // HOUR_US} * interval '1 hour')"
