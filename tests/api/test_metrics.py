"""The metrics say what is in the books, and the monitor's files name only metrics that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from satmachineadmin import crud
from satmachineadmin.dev import sample_rows
from support.environment import CHECKOUT
from support.machine import fetch
from support.operator import Operator, ago

METRICS = "/satmachineadmin/api/v1/metrics"
MONITORING = CHECKOUT / "monitoring"
LABELS = {"state", "result", "reason", "account", "link", "wallet", "severity", "scope", "check"}
LABELS |= {"version", "schema", "lnbits"}
SCOPES = ("intake", "settlement", "machine", "client", "everything")
NAME = re.compile(r"\bsatmachine_\w+")

Found = dict[tuple[str, tuple[str, ...]], float]


async def scrape(operator: Operator) -> Found:
    """Every sample by its name and its labels' values, as Prometheus' own parser reads it."""
    answer = await operator.http.get(METRICS)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found: Found = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.name.startswith("satmachine_")
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert set(sample.labels) <= LABELS, sample
            assert (family.type == "counter") is sample.name.endswith("_total")
            key = (sample.name, tuple(sample.labels.values()))
            assert key not in found
            found[key] = sample.value
    return found


def one(found: Found, name: str, *labels: str) -> float:
    return found[f"satmachine_{name}", labels]


async def test_they_say_what_is_in_the_books(operator: Operator) -> None:
    client = await operator.add_client("5000")
    before = await scrape(operator)
    assert one(before, "oldest_open_cash_out_age_seconds", "held") == 0
    sales = [sample_rows.sale(confirmed_at=ago(hours=2)), sample_rows.sale()]
    await operator.lamassu.insert([*sales, sample_rows.partly_dispensed(confirmed_at=ago(hours=3))])
    await operator.poll()
    found = await scrape(operator)

    assert one(found, "cash_outs", "completed") == 2
    assert one(found, "cash_outs", "held") == 1
    assert one(found, "shares", "confirmed") == 2
    assert 10_700 < one(found, "oldest_open_cash_out_age_seconds", "held") < 11_000
    for name, more in (("polls_total", 1), ("poll_rows_read_total", 3), ("poll_settled_total", 2)):
        labels = ("ok",) if name == "polls_total" else ()
        assert one(found, name, *labels) - one(before, name, *labels) == more, name
    assert one(found, "poll_duration_seconds_total") > one(before, "poll_duration_seconds_total")
    last = await operator.api("GET", "status")
    assert one(found, "poll_last_success_timestamp_seconds") > 1_700_000_000
    assert last["last_poll"]["result"] == "ok"

    wallets = await operator.balances()
    assert one(found, "ledger_sats", "paid") == wallets[client]
    assert one(found, "ledger_sats", "commission") == wallets["commission"]
    assert one(found, "wallet_sats", "source") == wallets["source"]
    assert one(found, "wallet_sats", "commission") == wallets["commission"]
    ledger = [value for (name, _), value in found.items() if name == "satmachine_ledger_sats"]
    assert sum(ledger) == 0
    assert one(found, "ledger_sats", "sold") < 0
    assert client not in str(found)


async def test_a_failed_poll_and_a_stop_are_seen(operator: Operator) -> None:
    from satmachineadmin.errors import InvariantViolation
    from satmachineadmin.services import gates

    before = await scrape(operator)
    await operator.api("POST", "config", json=operator.connection(ssh_host="127.0.0.1", ssh_port=1))
    await operator.http.post("/satmachineadmin/api/v1/dca/manual-poll")
    await operator.api("PUT", "polling", json={"enabled": False})
    await gates.halt(InvariantViolation("made up"))
    try:
        found = await scrape(operator)
    finally:
        await crud.delete_meta(gates.HALT)
    rows = await fetch("SELECT result FROM satoshimachine.polls")
    failed = [one(each, "polls_total", "failed") for each in (before, found)]
    assert failed[1] - failed[0] == len([row for row in rows if row["result"] == "failed"]) > 0
    assert [one(found, "halted", reason) for reason in gates.GATES] == [1, 0, 0]
    assert one(found, "automatic_work_enabled") == 0
    assert one(found, "alerts_open", "critical") >= 1
    assert one(await scrape(operator), "halted", "halt") == 0


async def test_a_drift_is_seen_and_goes_away(operator: Operator) -> None:
    from satmachineadmin import crud
    from satmachineadmin.models_reconciliation import Scope
    from satmachineadmin.services import reconcile

    before = await scrape(operator)
    await operator.add_client()
    await operator.lamassu.insert(sample_rows.sale())
    await operator.poll()
    balance = "UPDATE satoshimachine.ledger_balances SET balance = balance"
    await crud.db.execute(f"{balance} + 7 WHERE account = 'commission'")
    await reconcile.run_now(Scope())
    found = await scrape(operator)
    await crud.db.execute(f"{balance} - 7 WHERE account = 'commission'")
    assert one(found, "reconciliation_drift_sats", "balances") == 7
    assert one(found, "findings", "open") >= 1
    assert one(found, "reconciliation_last_mismatches") >= 1
    name = "reconciliation_mismatches_total"
    assert one(found, name, "balances") > one(before, name, "balances")
    await reconcile.run_now(Scope())
    after = await scrape(operator)
    assert one(after, "reconciliation_drift_sats", "balances") == 0
    runs = [one(each, "reconciliation_runs_total", "done") for each in (found, after)]
    assert runs[1] == runs[0] + 1


async def test_without_the_package_it_says_what_to_install(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = await operator.http.get(METRICS)
    assert answer.status_code == 503
    assert answer.json()["code"] == "DEPENDENCY_MISSING"
    assert "pip install 'prometheus-client" in answer.json()["hint"]


# -- the monitor's own files ----------------------------------------


def expressions(node: Any) -> Iterator[str]:
    """Every query of a dashboard."""
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield node["expr"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from expressions(child)


async def test_dashboard_rules_and_docs_name_metrics_that_exist(operator: Operator) -> None:
    await operator.add_client()
    await operator.api("PUT", "settings", json={"funding_btc": "prefunded"})
    await operator.lamassu.insert(sample_rows.sale())
    from satmachineadmin.models_reconciliation import Scope
    from satmachineadmin.services import reconcile

    await operator.http.post("/satmachineadmin/api/v1/dca/manual-poll")
    await reconcile.run_now(Scope())
    await operator.api("POST", "health/check")
    there = {name for name, _ in await scrape(operator)}
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    asked = list(expressions(dashboard))
    assert len(asked) >= 12
    rules = (MONITORING / "alert-rules.yml").read_text()
    named = set(NAME.findall(" ".join(asked))) | set(NAME.findall(rules))
    docs = set(NAME.findall((CHECKOUT / "docs" / "metrics.md").read_text()))
    assert named <= there | {"satmachine_source_wallet_runway_seconds"}
    assert docs == there | {"satmachine_source_wallet_runway_seconds"}, "docs/metrics.md"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian: prometheus)")
@pytest.mark.parametrize("what", [["check", "rules"], ["test", "rules"]])
def test_promtool_accepts_the_rules(what: list[str]) -> None:
    file = "alert-rules.yml" if what[0] == "check" else "alert-rules-test.yml"
    done = subprocess.run(
        ["promtool", *what, file], cwd=MONITORING, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def test_halts_by_scope_and_what_health_said(operator: Operator) -> None:
    """Stored checks only: a scrape looks at nothing itself, and the worst is the maximum."""
    before = await scrape(operator)
    assert not [key for key in before if key[0].startswith("satmachine_health_")]
    assert {one(before, "halts", scope) for scope in SCOPES} == {0}
    await operator.add_client()
    await operator.poll()
    body = {"scope": "settlement", "reason": "look first"}
    await operator.api("POST", "halts", json=body)
    await operator.api("POST", "halts", json={**body, "scope": "intake"})
    await operator.api("POST", "health/check")
    found = await scrape(operator)
    assert [one(found, "halts", scope) for scope in SCOPES] == [1, 1, 0, 0, 0]
    assert (one(found, "health_check_state", "halts"), one(found, "health_state")) == (3, 3)
    assert one(found, "health_check_state", "ssh") == 0
    assert one(found, "health_looked_timestamp_seconds") > 0
    shown = (await operator.api("GET", "health"))["checks"]
    assert {key[1][0] for key in found if key[0] == "satmachine_health_check_state"} == {
        check["name"] for check in shown
    }
    assert one(found, "resuming") == 0
