"""Every error this product raises, each with what the caller should do about it (design 8).

The message is for a person, the hint is the next step, the code is stable for scripts. Only the
tick catches broadly; everything else raises one of these and lets it travel.

    SatMachineError
    ├── SourceError                 something between us and Lamassu's database
    │   ├── SourceUnreachable       RETRY  host down, refused, name unknown
    │   ├── SourceTimeout           RETRY  it answered too late or not at all
    │   ├── SourceConnectionLost    RETRY  cut while we were talking
    │   ├── SourceBusy              RETRY  a lock or too many connections at the far end
    │   ├── TunnelRefused           HOLD   SSH works, its server forbids the forward
    │   ├── HostKeyUnknown          HOLD   nobody has accepted this server's key yet
    │   ├── HostKeyChanged          HOLD   the server shows another key than the accepted one
    │   ├── SshKeyUnusable          HOLD   the private key does not parse
    │   ├── SshPassphraseWrong      HOLD   the private key is locked
    │   ├── SshLoginRefused         HOLD   key or password not accepted
    │   ├── SourceLoginRefused      HOLD   PostgreSQL refused role or password
    │   ├── SourceDatabaseMissing   HOLD   no such database
    │   ├── SourceTableMissing      HOLD   no cash_out_txs there
    │   ├── SourceColumnMissing     HOLD   a column we need is not there
    │   ├── SourceGrantMissing      HOLD   the role may not read it
    │   └── SourceAnswerUnusable    HOLD   the database said something we cannot read
    ├── DependencyMissing           HOLD   a Python package LNbits does not bring
    ├── NotConfigured               HOLD   no connection saved yet
    ├── SecretUnreadable            HOLD   LNbits' auth secret changed since it was stored
    ├── NotReady                    HOLD   a start-up check failed
    ├── Halted                      HOLD   a halt is in the way: of everything, or of what it names
    ├── WaitsForHalt                HOLD   a halted machine or client has a part in this one
    ├── PollingDisabled             HOLD   the operator switched money work off
    ├── FundingUnusable             HOLD   the source wallet is gone or is no plain lightning wallet
    ├── FundingShort                HOLD   prefunded wallet has less than the settlement needs
    ├── OutgoingBlocked             HOLD   LNbits is in incoming-only mode
    ├── StillFailed                 HOLD   a retried wallet still cannot take its sats
    ├── DatabaseBusy                RETRY  another writer holds LNbits' or our database
    ├── DatabaseFailed              RETRY  LNbits' or our database does not work: gone, full
    ├── PollRunning                 RETRY  another poll holds the lease
    ├── InvariantViolation          HALT   a sum, a constraint or a proof does not hold
    ├── WalletRowCollision          HALT   a wallet row exists that only a settled cash-out may have
    ├── BadInput                    HOLD   refused before anything changed
    ├── NotFound                    HOLD   no such thing
    ├── StateConflict               HOLD   it is no longer in the state this action needs
    ├── PreviewOutdated             HOLD   what was shown is no longer what would happen
    ├── IdempotencyConflict         HOLD   same key, other content
    ├── ApiTokenRefused             HOLD   a scoped API token may not move money
    ├── DeliveryFailed              RETRY  nobody took an alert's message
    └── AddressRefused              HOLD   a channel leads to a private or local address
"""

from __future__ import annotations

from enum import Enum
from typing import Any


class Disposition(str, Enum):
    """What happens after the error."""

    RETRY = "RETRY"  # passing trouble: the next tick tries again by itself
    HOLD = "HOLD"  # this row, setting or request waits for a person
    HALT = "HALT"  # an invariant broke: money work stops until a person resumes it


class SatMachineError(Exception):
    """Base of all our errors.

    `message` says what and why in one sentence, `hint` the next step. Neither may carry a secret:
    both reach the page, the API and the log.
    """

    code = "INTERNAL"
    disposition = Disposition.HOLD
    http_status = 500
    default_hint = ""

    def __init__(self, message: str, *, hint: str | None = None, **facts: Any):
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint
        self.facts = facts

    def answer(self) -> dict[str, Any]:
        """The HTTP body of design.md 7: a sentence, a stable code, the next step."""
        return {"detail": self.message, "code": self.code, "hint": self.hint, **self.facts}


class SourceError(SatMachineError):
    """Something between this LNbits and Lamassu's database."""

    code = "SOURCE_ERROR"
    http_status = 502


class SourceUnreachable(SourceError):
    code = "SOURCE_UNREACHABLE"
    disposition = Disposition.RETRY
    default_hint = "Check that the ATM server is on and that host and port are right."


class SourceTimeout(SourceError):
    code = "SOURCE_TIMEOUT"
    disposition = Disposition.RETRY
    http_status = 504
    default_hint = "Check the network and a firewall that swallows packets; it is tried again."


class SourceConnectionLost(SourceError):
    code = "SOURCE_CONNECTION_LOST"
    disposition = Disposition.RETRY
    default_hint = "Nothing was lost; it is tried again by itself."


class SourceBusy(SourceError):
    code = "SOURCE_BUSY"
    disposition = Disposition.RETRY
    http_status = 503
    default_hint = "The ATM's database is locked or full; it is tried again by itself."


class TunnelRefused(SourceError):
    code = "TUNNEL_REFUSED"
    default_hint = "Allow the forward in the server's authorized_keys (permitopen) and sshd_config."


class HostKeyUnknown(SourceError):
    code = "HOST_KEY_UNKNOWN"
    http_status = 409
    default_hint = "Compare the fingerprint with the server's own and accept it."


class HostKeyChanged(SourceError):
    code = "HOST_KEY_CHANGED"
    http_status = 409
    default_hint = (
        "Do not accept it before you know why: the server was reinstalled, or somebody is in"
        " between."
    )


class SshKeyUnusable(SourceError):
    code = "SSH_KEY_UNUSABLE"
    http_status = 422
    default_hint = "Paste the whole private key file, from BEGIN to END, in OpenSSH or PEM format."


class SshPassphraseWrong(SourceError):
    code = "SSH_PASSPHRASE_WRONG"
    http_status = 422
    default_hint = "Enter the passphrase that protects this private key."


class SshLoginRefused(SourceError):
    code = "SSH_LOGIN_REFUSED"
    default_hint = "Check the SSH user and that its authorized_keys holds this key."


class SourceLoginRefused(SourceError):
    code = "SOURCE_LOGIN_REFUSED"
    default_hint = "Check the PostgreSQL role and its password."


class SourceDatabaseMissing(SourceError):
    code = "SOURCE_DATABASE_MISSING"
    default_hint = "Check the database name; Lamassu's own default is lamassu."


class SourceTableMissing(SourceError):
    code = "SOURCE_TABLE_MISSING"
    default_hint = "Check that this is Lamassu's database: it has a table cash_out_txs."


class SourceColumnMissing(SourceError):
    code = "SOURCE_COLUMN_MISSING"
    default_hint = "This Lamassu version is not supported; see the README for the columns needed."


class SourceGrantMissing(SourceError):
    code = "SOURCE_GRANT_MISSING"
    default_hint = "Give the role SELECT on the columns listed in the README."


class SourceAnswerUnusable(SourceError):
    code = "SOURCE_ANSWER_UNUSABLE"
    default_hint = "Look at the named value in Lamassu's database."


class DependencyMissing(SatMachineError):
    code = "DEPENDENCY_MISSING"
    http_status = 503
    default_hint = "Install the package into LNbits' environment and restart LNbits."


class NotConfigured(SatMachineError):
    code = "NOT_CONFIGURED"
    http_status = 503
    default_hint = "Save the connection to the Lamassu database first."


class SecretUnreadable(SatMachineError):
    code = "SECRET_UNREADABLE"
    http_status = 409
    default_hint = "Enter the stored passwords and keys again."


class NotReady(SatMachineError):
    code = "NOT_READY"
    http_status = 503
    default_hint = "Open the page: the readiness list says what to do."


class Halted(NotReady):
    code = "HALTED"
    http_status = 409
    default_hint = "Look at the reason, and lift the halt when it is gone."


class WaitsForHalt(Halted):
    """Only this cash-out or share waits; others go on. `halt_id`: until that one is lifted."""

    code = "WAITS_FOR_HALT"

    def __init__(self, message: str, *, halt_id: str = "", hint: str | None = None):
        super().__init__(message, hint=hint, **({"halt_id": halt_id} if halt_id else {}))
        self.halt_id = halt_id


class PollingDisabled(SatMachineError):
    code = "POLLING_DISABLED"
    http_status = 409
    default_hint = "Switch automatic work on again when you are ready."


class FundingUnusable(SatMachineError):
    code = "FUNDING_UNUSABLE"
    http_status = 409
    default_hint = "Choose a source wallet that exists and is a plain lightning wallet."


class FundingShort(SatMachineError):
    code = "FUNDING_SHORT"
    http_status = 409
    default_hint = "Add sats to the source wallet; settlement goes on by itself."


class OutgoingBlocked(SatMachineError):
    code = "OUTGOING_BLOCKED"
    http_status = 409
    default_hint = "LNbits allows incoming payments only; change that in LNbits' settings."


class StillFailed(SatMachineError):
    code = "STILL_FAILED"
    http_status = 409
    default_hint = "Mend or change the wallet, then try again."


class DatabaseBusy(SatMachineError):
    code = "DATABASE_BUSY"
    disposition = Disposition.RETRY
    http_status = 503
    default_hint = "Nothing was changed; it is tried again by itself."


class DatabaseFailed(SatMachineError):
    code = "DATABASE_FAILED"
    disposition = Disposition.RETRY
    http_status = 503
    default_hint = (
        "Look at the disk and at LNbits' log. Nothing was half done; it is tried again by itself."
    )


class PollRunning(SatMachineError):
    code = "POLL_RUNNING"
    disposition = Disposition.RETRY
    http_status = 409
    default_hint = "Wait until it has finished; its result appears on the page."


class InvariantViolation(SatMachineError):
    code = "INVARIANT_VIOLATION"
    disposition = Disposition.HALT
    default_hint = (
        "Money work has stopped. Keep the databases as they are and look at the named item."
    )


class WalletRowCollision(InvariantViolation):
    code = "WALLET_ROW_COLLISION"
    default_hint = (
        "The wallets hold a payment that this ledger does not know: an old backup of the ledger"
        " was put back. Compare before you resume."
    )


class BadInput(SatMachineError):
    code = "BAD_INPUT"
    http_status = 422
    default_hint = "Correct what is named and send it again; nothing was changed."


class NotFound(SatMachineError):
    code = "NOT_FOUND"
    http_status = 404
    default_hint = "Check the id, or reload the page: it may have been removed."


class StateConflict(SatMachineError):
    code = "STATE_CONFLICT"
    http_status = 409
    default_hint = "Reload the page: somebody or something was faster."


class PreviewOutdated(SatMachineError):
    code = "PREVIEW_OUTDATED"
    http_status = 409
    default_hint = "Nothing was changed by it. Look again, and decide on what is shown then."


class IdempotencyConflict(SatMachineError):
    code = "IDEMPOTENCY_CONFLICT"
    http_status = 409
    default_hint = "Use a new Idempotency-Key for a new request."


class ApiTokenRefused(SatMachineError):
    code = "API_TOKEN_REFUSED"
    http_status = 403
    default_hint = "Log in as the superuser, or allow API tokens to move money in the settings."


class DeliveryFailed(SatMachineError):
    """An alert's message was not taken; the watch tries again (services/deliver.py)."""

    code = "DELIVERY_FAILED"
    disposition = Disposition.RETRY
    http_status = 502
    default_hint = "Check the channel's address and secret, then send a test."


class AddressRefused(SatMachineError):
    code = "ADDRESS_REFUSED"
    http_status = 422
    default_hint = "Use an address on the internet with https, or allow private addresses."


def ensure(condition: bool, message: str, **facts: Any) -> None:
    """Prove an invariant where it is made; raise InvariantViolation (HALT) if it does not hold.

    Not `assert`: LNbits turns AssertionError into an HTTP 400, and -O removes it (style.md 1.4).
    """
    if not condition:
        raise InvariantViolation(message, **facts)
