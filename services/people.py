"""LNbits' users by name, for choosing one: never their keys, and only as many as fit a menu."""

from __future__ import annotations

from typing import Any

from ..crud import fetch_row, fetch_rows
from ..database import Row
from ..listing import like_text

USERS_MAX = 20

# As LNbits' own lists call a user; the id stands for one that has no name.
NAME = "COALESCE(NULLIF(a.username, ''), NULLIF(a.email, ''))"


async def find_users(search: str | None) -> list[dict[str, Any]]:
    """Users whose name, e-mail or id has this text; who is a client already says which."""
    rows = await fetch_rows(
        f"SELECT a.id, {NAME} AS name,"
        " (SELECT MIN(c.id) FROM satoshimachine.dca_clients c WHERE c.user_id = a.id) AS client_id"
        " FROM accounts a WHERE lower(COALESCE(a.username, '') || ' ' || COALESCE(a.email, '')"
        " || ' ' || a.id) LIKE :search ESCAPE '!'"
        f" ORDER BY CASE WHEN {NAME} IS NULL THEN 1 ELSE 0 END, lower({NAME}), a.id"
        f" LIMIT {USERS_MAX}",
        {"search": f"%{like_text(search or '')}%"},
    )
    return [dict(row) for row in rows]


async def names_of(user_id: str, wallet_id: str) -> Row:
    """What LNbits calls a user and a wallet; None where it knows no name."""
    row = await fetch_row(
        f"SELECT (SELECT {NAME} FROM accounts a WHERE a.id = :user) AS user_name,"
        " (SELECT w.name FROM wallets w WHERE w.id = :wallet) AS wallet_name",
        {"user": user_id, "wallet": wallet_id},
    )
    return row or {"user_name": None, "wallet_name": None}
