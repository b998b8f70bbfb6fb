"""One alert per client whose wallet cannot take what is theirs, whatever the number of shares."""

from __future__ import annotations

from .. import clock
from ..database import BooksConnection
from ..domain.alert_said import said
from .alerts import raise_alert, resolve_alerts


async def show_owed(conn: BooksConnection, client_id: str, problem: str) -> None:
    """Raise, renew or resolve the alert about a client's failed shares, as the books say now."""
    key = f"owed:{client_id}"
    row = await conn.row(
        "SELECT COUNT(*) AS shares, COALESCE(SUM(amount_sats), 0) AS sats"
        " FROM satoshimachine.dca_payments"
        " WHERE client_id = :client AND status = 'failed' AND origin = 'observed'",
        {"client": client_id},
    )
    if row is None or not row["shares"]:
        await resolve_alerts(conn, key, clock.now_us())
        return
    client = await conn.row(
        "SELECT username FROM satoshimachine.dca_clients WHERE id = :id", {"id": client_id}
    )
    name = (client["username"] if client else None) or client_id
    await raise_alert(
        conn,
        key,
        "share_failed",
        "critical",
        said("share_failed", sats=int(row["sats"]), n=row["shares"], name=name, problem=problem),
        client_id,
    )
