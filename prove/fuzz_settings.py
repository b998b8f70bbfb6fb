"""Settings and connection under fuzz: a clear 4xx that stores nothing, or a value that is right."""

from __future__ import annotations

import unicodedata
from typing import Any

from hypothesis import strategies as st
from satmachineadmin.models import SaveConfig, UpdateSettings
from support.machine import patient
from support.operator import BASE, Operator

from .fuzz_engine import (
    MARK,
    ODD_TEXTS,
    Watch,
    any_json,
    any_number,
    any_text,
    deep,
    dumps,
    explore,
    log_lines,
    plain_answer,
)

SECRETS = ("password", "ssh_password", "ssh_private_key", "ssh_key_passphrase")
CANARY = "canary-7d1f4c"
DEPTHS = (50, 500, 5_000, 100_000)
NO_TEXT = ("Cc", "Cs", "Zl", "Zp")  # control characters, half characters, line ends
HEADERS = {"Content-Type": "application/json"}
# Half of a word, a number for a switch: near to right is more dangerous than far from it.
NEAR: dict[str, list[Any]] = {
    "host": ["-oProxyCommand=x", "a b", "/", "/run/../x", "::1", "a.b", "1.2.3.4:5", "\u0430.b"],
    "port": [0, 1, 65535, 65536, -1, 22.5, "22", True],
    "ssh_port": [0, 1, 65535, 65536, -1, "22", 1e3],
    "poll_interval_s": [59, 60, 86_400, 86_401, 60.5, "60", True],
    "watch_grace_s": [3_599, 3_600, 2_592_001],
    "max_daily_limit": [0, 1, 10**9, 10**9 + 1, 1.5],
    "time_zone": ["UTC", "utc", "../UTC", "America/Guatemala\x00", "Etc/GMT+12"],
    "currency": ["GTQ", "gtq", "XXX", "GTQ "],
    "split_rule": ["markup", "MARKUP", "ticker"],
    "start_at": ["2026-01-01T00:00:00", "2026-01-01T00:00:00Z", 0, -1, 1e20, 10**30],
}


def a_field(name: str) -> Any:
    """Anything for this field, often something near to right."""
    some = [any_text, any_number, any_json]
    if name in NEAR:
        some += [st.sampled_from(NEAR[name])] * 2
    if name in SECRETS:
        some += [any_text.map(lambda text: CANARY + text)] * 2
    return st.one_of(some)


def changes(fields: Any) -> Any:
    """Up to three fields of a right body replaced, or a field that does not exist."""
    names = [*fields, "no_such_field"]
    return st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({name: a_field(name) for name in chosen})
    )


class Saving:
    """One of the routes that store what the operator set."""

    def __init__(self, operator: Operator, watch: Watch, method: str, path: str):
        self.operator, self.watch, self.method, self.path = operator, watch, method, path
        self.http = patient(operator.http)
        self.stored, self.said = 0, 0

    async def send(self, content: bytes, given: dict[str, Any]) -> None:
        """One request and all that must hold after it."""
        with log_lines() as lines:
            answer = await self.http.request(
                self.method, f"{BASE}/{self.path}", content=content, headers=HEADERS
            )
        for where, text in (("answer", answer.text), ("log", "".join(lines))):
            assert CANARY not in text, f"a secret is in the {where}"
        if plain_answer(answer):
            self.stored += 1
            await self.watch.accepted()
            assert CANARY not in str(self.watch.before), "a secret is in a table in the clear"
            _is_what_was_given(answer.json(), given)
        else:
            self.said += 1
            await self.watch.refused()


def _is_what_was_given(answer: dict[str, Any], given: dict[str, Any]) -> None:
    """An accepted value is the one that is stored, not something that was made of it."""
    for name, value in given.items():
        if name in SECRETS or name not in answer or MARK in str(value):
            continue
        odd = [x for x in str(value) if unicodedata.category(x) in NO_TEXT]
        assert not odd, f"{name} was accepted with {odd}"
        if value in ("", " "):
            continue  # nothing: what was there stays, or goes
        if isinstance(value, str) and name == "start_at":
            assert answer[name], f"{name} was accepted as {value!r} and is not there"
        elif isinstance(value, str) and isinstance(answer[name], str):
            assert answer[name] == value.strip(), f"{name}: {value!r} became {answer[name]!r}"


async def fuzz_settings(
    operator: Operator, *, examples: int, fixed: bool = True, sweep: bool = False
) -> int:
    """The connection and the settings, some fields or the whole; `sweep`: every odd text and every
    near value in every field as well.
    """
    watch = await Watch.begin()
    right = operator.connection()
    config = Saving(operator, watch, "POST", "config")
    again = Saving(operator, watch, "PUT", f"config/{(await _config(operator))['id']}")
    settings = Saving(operator, watch, "PUT", "settings")
    ran = 0

    async def send_config(given: dict[str, Any]) -> None:
        way = again if len(given) == 1 else config
        await way.send(dumps({**right, **given}), given)

    async def send_settings(given: dict[str, Any]) -> None:
        await settings.send(dumps(given), given)

    async def send_anything(body: Any) -> None:
        for way in (config, settings):
            await way.send(dumps(body), {})

    fields = [name for name in SaveConfig.__fields__ if name != "polling_enabled"]
    if sweep:
        for names, send in (
            (fields, send_config),
            (list(UpdateSettings.__fields__), send_settings),
        ):
            for name in names:
                for value in [*ODD_TEXTS, *NEAR.get(name, [])]:
                    await send({name: value})
                    ran += 1
    ran += await explore(changes(fields), send_config, examples=examples, fixed=fixed)
    ran += await explore(
        changes(UpdateSettings.__fields__), send_settings, examples=examples, fixed=fixed
    )
    ran += 2 * await explore(any_json, send_anything, examples=examples // 4, fixed=fixed)
    for depth in DEPTHS:
        for way in (config, settings):
            await way.send(deep(depth), {})
            ran += 1
    refused = config.said + again.said + settings.said
    assert refused > ran // 4, "hardly anything was refused: the values are too tame"
    assert config.stored + again.stored + settings.stored, "nothing was ever accepted"
    watch.close()
    await operator.api("POST", "config", json=right)
    return ran


async def _config(operator: Operator) -> dict[str, Any]:
    found: dict[str, Any] = await operator.api("GET", "config")
    return found
