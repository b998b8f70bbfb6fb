"""LNbits' own notifications: what its administrator set up, or what a user set up for themselves.

Core sends in the background and only logs what fails; here each way is called by itself, so that a
delivery says what became of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
from lnbits.core.crud.users import get_user
from lnbits.core.services.notifications import (
    send_email,
    send_nostr_notifications,
    send_telegram_notification,
)
from lnbits.settings import settings

from ..errors import DeliveryFailed

SUBJECT = "Satoshi Machine"
TIMEOUT_S = 30  # a way; core gives a mail server and a relay as long as they like
TELEGRAM_MARKS = str.maketrans({mark: f"\\{mark}" for mark in "_*[`"})  # LNbits sends markdown


@dataclass(frozen=True)
class Ways:
    """Where somebody is reached; empty: not that way."""

    telegram: str = ""
    nostr: tuple[str, ...] = ()
    email: tuple[str, ...] = ()

    def usable(self) -> list[str]:
        """The ways that are set up on both ends."""
        found = []
        if self.telegram and settings.is_telegram_notifications_configured():
            found.append("telegram")
        if self.nostr and settings.is_nostr_notifications_configured():
            found.append("nostr")
        if self.email and settings.lnbits_email_notifications_enabled:
            found.append("email")
        return found


def administrator() -> Ways:
    """As LNbits' settings say."""
    return Ways(
        settings.lnbits_telegram_notifications_chat_id or "",
        tuple(settings.lnbits_nostr_notifications_identifiers),
        tuple(settings.lnbits_email_notifications_to_emails),
    )


async def ways_of(user_id: str) -> Ways:
    """As a user set up for themselves."""
    user = await get_user(user_id)
    if user is None:
        return Ways()
    chosen = user.extra.notifications
    return Ways(
        chosen.telegram_chat_id or "",
        (chosen.nostr_identifier,) if chosen.nostr_identifier else (),
        (chosen.email_address,) if chosen.email_address else (),
    )


async def notify(ways: Ways, text: str) -> str:
    """Send by every way that is set up; which ones took it. Raises DeliveryFailed when none did."""
    usable = ways.usable()
    if not usable:
        raise DeliveryFailed(
            "LNbits has no notifications set up for this",
            hint="LNbits, Settings, Notifications: e-mail, Telegram or Nostr.",
        )
    send: dict[str, Callable[[], Awaitable[object]]] = {
        "telegram": lambda: send_telegram_notification(
            ways.telegram, text.translate(TELEGRAM_MARKS)
        ),
        "nostr": lambda: _nostr(ways, text),
        "email": lambda: _email(ways, text),
    }
    took, failed = [], []
    for way in usable:
        try:
            await asyncio.wait_for(send[way](), TIMEOUT_S)
            took.append(way)
        except (asyncio.TimeoutError, DeliveryFailed, httpx.HTTPError, OSError, ValueError) as exc:
            failed.append(f"{way}: {type(exc).__name__}")  # its text may hold a bot's token
    if not took:
        raise DeliveryFailed(f"LNbits could not send it ({', '.join(failed)})")
    return ", ".join([*took, *failed])


async def _nostr(ways: Ways, text: str) -> None:
    if not await send_nostr_notifications(list(ways.nostr), text):
        raise DeliveryFailed("no Nostr relay took it")


async def _email(ways: Ways, text: str) -> None:
    """Core's own wrapper answers "ok" for an e-mail that was not sent."""
    sent = await send_email(
        settings.lnbits_email_notifications_server,
        settings.lnbits_email_notifications_port,
        settings.lnbits_email_notifications_username,
        settings.lnbits_email_notifications_password,
        settings.lnbits_email_notifications_email,
        list(ways.email),
        SUBJECT,
        text,
    )
    if not sent:
        raise DeliveryFailed("the mail server did not take it")
