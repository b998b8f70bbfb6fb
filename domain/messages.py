"""What is said about an alert, and how each kind of channel wants to hear it. Pure.

A message carries no secret. It may carry a client's name, as the operator wrote it: it is the
alert's own sentence, and goes to the servers that the operator chose.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Body = Mapping[str, Any]

DISCORD_MAX, TEXT_MAX = 1_900, 3_000
NTFY_PRIORITY = {"info": "default", "warning": "high", "critical": "urgent"}
NTFY_TAGS = {"info": "information_source", "warning": "warning", "critical": "rotating_light"}
BEGINS = {
    "raised": "",
    "worse": "Worse: ",
    "escalated": "Nobody took this yet: ",
    "clear": "Over: ",
    "test": "Test: ",
    "client": "",
    "head": "",
}
SIGNATURE, TIMESTAMP, DELIVERY = "X-Satm-Signature", "X-Satm-Timestamp", "X-Satm-Delivery"


@dataclass(frozen=True)
class Request:
    """What is posted."""

    content: bytes
    headers: Mapping[str, str]


def text_of(body: Body) -> str:
    """The message as one text for a person."""
    first = f"[{str(body['severity']).upper()}] {BEGINS[body['event']]}{body['message']}"
    more = f" (and {body['count'] - 1} more of this kind)" if body["count"] > 1 else ""
    hint = "" if body["event"] == "clear" or not body["hint"] else f"\n{body['hint']}"
    return f"{first}{more}{hint}"[:TEXT_MAX]


def signature(secret: str, timestamp: str, content: bytes) -> str:
    """HMAC-SHA256 over the timestamp, a dot and the body, so that neither can be changed and an
    old message cannot be sent again as a new one.
    """
    signed = timestamp.encode() + b"." + content
    return f"sha256={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def render(
    kind: str, body: Body, *, delivery_id: str, secret: str | None, timestamp: str
) -> Request:
    """The request in a channel's own format."""
    if kind == "ntfy":
        headers = {
            "Title": f"Satoshi Machine: {body['severity']}",
            "Priority": NTFY_PRIORITY[body["severity"]],
            "Tags": "white_check_mark" if body["event"] == "clear" else NTFY_TAGS[body["severity"]],
        }
        if secret:
            headers["Authorization"] = f"Bearer {secret}"
        return Request(text_of(body).encode(), headers)
    json_headers = {"Content-Type": "application/json"}
    if kind == "slack":
        escaped = text_of(body).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return Request(_json({"text": escaped}), json_headers)
    if kind == "discord":
        said = {"content": text_of(body)[:DISCORD_MAX], "allowed_mentions": {"parse": []}}
        return Request(_json(said), json_headers)
    content = _json({"delivery_id": delivery_id, **body, "text": text_of(body)})
    headers = {**json_headers, TIMESTAMP: timestamp, DELIVERY: delivery_id}
    if secret:
        headers[SIGNATURE] = signature(secret, timestamp, content)
    return Request(content, headers)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
