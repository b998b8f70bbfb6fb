"""Secrets at rest: sealed with a key that derives from LNbits' auth secret.

LNbits' own helper corrupts some lengths and does not authenticate (lnbits.md 0.9); this is Fernet
from `cryptography`, which LNbits brings. A changed auth secret makes them unreadable, and says so.
"""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from lnbits.settings import settings

from ..errors import SecretUnreadable

PREFIX = "sealed:1:"  # the way it was sealed, so that a later way can tell them apart


def _box() -> Fernet:
    key = HKDF(SHA256(), 32, salt=None, info=b"satmachineadmin secrets 1").derive(
        settings.auth_secret_key.encode()
    )
    return Fernet(base64.urlsafe_b64encode(key))


def seal(secret: str | None) -> str | None:
    """A secret as it may be stored; nothing stays nothing."""
    return PREFIX + _box().encrypt(secret.encode()).decode() if secret else None


def unseal(stored: str | None) -> str | None:
    """The secret again. Raises SecretUnreadable when LNbits' auth secret is another one now.

    A value without our prefix was stored in the clear by an earlier extension and is read as it is.
    """
    if not stored:
        return None
    if not stored.startswith(PREFIX):
        return stored
    try:
        return _box().decrypt(stored[len(PREFIX) :].encode()).decode()
    except InvalidToken as exc:
        raise SecretUnreadable(
            "A stored password or key cannot be read: LNbits' auth secret changed"
        ) from exc
