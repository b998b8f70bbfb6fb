"""Sending one HTTP request to an address that a person typed in, and to no other.

The name is resolved here, every address it has is looked at, and the connection goes to the one
that was looked at: a name that changes its address in between reaches nothing (DNS rebinding).
Redirects, proxies of the environment and long answers are refused.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from ..errors import AddressRefused, BadInput, DeliveryFailed

TIMEOUT_S = 10  # of the whole, from the name to the answer
ANSWER_MAX = 2_048  # bytes of an answer that are read
SHOWN_MAX = 200  # characters of it that are kept
SCHEMES = {"http": 80, "https": 443}
# Python calls these global; behind a gateway they reach any IPv4 address.
NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Answer:
    """What came back; anything but 2xx is raised instead."""

    status: int
    text: str


def check_url(url: str) -> httpx.URL:
    """The address as a URL. Raises BadInput when it cannot be one for us."""
    try:
        parsed = httpx.URL(url)
        port = parsed.port
    except (httpx.InvalidURL, ValueError, UnicodeError) as exc:
        raise BadInput("url: this is not a web address", hint="Use https://host/path.") from exc
    if parsed.scheme not in SCHEMES or not parsed.host:
        raise BadInput("url: this is not a web address", hint="Use https://host/path.")
    if parsed.userinfo:
        raise BadInput("url: a password does not belong in an address", hint="Leave it out.")
    if port == 0:
        raise BadInput("url: there is no port 0", hint="Leave the port out.")
    return parsed


def is_public(address: Address) -> bool:
    """Reachable by anybody on the internet, also when it is an IPv4 address in disguise."""
    if isinstance(address, ipaddress.IPv6Address):
        hidden = address.ipv4_mapped or address.sixtofour
        if hidden is not None:
            return is_public(hidden)
        if address.teredo is not None or any(address in net for net in NAT64):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def resolve(host: str, port: int) -> list[Address]:
    """Every address of a host. Raises DeliveryFailed when it has none."""
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise DeliveryFailed(f"The name {host} could not be resolved") from exc
    return list(dict.fromkeys(ipaddress.ip_address(str(info[4][0])) for info in found))


async def send(
    url: str,
    *,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    allow_private: bool = False,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """POST the content, or GET when there is none.

    Raises AddressRefused for an address inside, DeliveryFailed for everything else that goes wrong.
    """
    parsed = check_url(url)
    try:
        return await asyncio.wait_for(
            _send(parsed, content, dict(headers or {}), allow_private), timeout_s
        )
    except asyncio.TimeoutError as exc:
        raise DeliveryFailed(f"{parsed.host} did not answer within {timeout_s:g} seconds") from exc


async def _send(
    url: httpx.URL, content: bytes | None, headers: dict[str, str], allow_private: bool
) -> Answer:
    addresses = await resolve(url.host, url.port or SCHEMES[url.scheme])
    if not addresses:
        raise DeliveryFailed(f"The name {url.host} has no address")
    inside = [one for one in addresses if not is_public(one)]
    if inside and not allow_private:
        raise AddressRefused(f"{url.host} is the private or local address {inside[0]}")
    if url.scheme == "http" and not inside:
        raise AddressRefused(f"{url.host} is on the internet: its address must begin with https")
    target = url.copy_with(host=str(addresses[0]))
    headers |= {"Host": url.netloc.decode("ascii"), "User-Agent": "satmachineadmin"}
    try:
        async with (
            httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=TIMEOUT_S) as client,
            client.stream(
                "GET" if content is None else "POST",
                target,
                content=content,
                headers=headers,
                extensions={"sni_hostname": url.host},
            ) as response,
        ):
            text = await _beginning(response)
    except httpx.HTTPError as exc:
        said = str(exc) or type(exc).__name__
        raise DeliveryFailed(f"{url.host} could not be reached: {said[:SHOWN_MAX]}") from exc
    if not response.is_success:
        kind = "a redirect, which is refused" if response.is_redirect else text or "nothing more"
        raise DeliveryFailed(f"{url.host} answered {response.status_code}: {kind}")
    return Answer(response.status_code, text)


async def _beginning(response: httpx.Response) -> str:
    """As much of an answer as says something; the rest is not read."""
    read = b""
    async for chunk in response.aiter_raw():
        read += chunk
        if len(read) >= ANSWER_MAX:
            break
    text = read[:ANSWER_MAX].decode("utf-8", "replace")
    return "".join(one if one.isprintable() else " " for one in text).strip()[:SHOWN_MAX]
