"""The numbers as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def render(results: dict[str, Any]) -> str:
    """All parts of all databases."""
    lines = [f"\n{results['at']}, {results['machine']}: read ratios, not milliseconds"]
    for database, found in results["databases"].items():
        if "distribute" in found:
            lines += [
                "",
                f"{database}: poll and distribute (medians)",
                *_cases(found["distribute"]),
            ]
        if "history" in found:
            lines += ["", f"{database}: the same with a history", *_history(found["history"])]
        if "empty" in found:
            lines += ["", f"{database}: an empty poll over SSH", *_empty(found["empty"])]
        if "lists" in found:
            lines += ["", f"{database}: what the page waits for", *_lists(found["lists"])]
        if "reconcile" in found:
            lines += ["", f"{database}: a reconciliation", *_reconcile(found["reconcile"])]
        if "backlog" in found:
            lines += ["", f"{database}: another user during a backlog", *_backlog(found["backlog"])]
    return "\n".join(lines)


def _backlog(found: dict[str, Any]) -> list[str]:
    names = ("requests", "median_ms", "p95_ms", "max_ms", "median_over_idle")
    rows = [
        [when, *(found[when].get(name, "") for name in names)]
        for when in ("idle", "settling", "telling")
    ]
    done = f"{found['sales']} cash-outs x {found['clients']} clients in {found['settled_s']} s"
    rate = f"{found['cash_outs_per_minute']} a minute"
    told_s = found["told_after_s"]
    told = f"wallets were told {told_s} s later" if told_s else "wallets were still being told"
    return [*_grid(("phase", *names), rows), f"{done}, {rate}; {told}"]


def _reconcile(found: dict[str, Any]) -> list[str]:
    head = ("run", "seconds", "cpu", "longest wait ms", "items", "mismatches", "errors")
    names = ("seconds", "cpu_seconds", "longest_wait_ms", "total", "mismatches", "errors")
    rows = [[run, *(found[run][name] for name in names)] for run in ("full", "daily")]
    counts = ", ".join(f"{count} {table}" for table, count in found["rows"].items())
    memory = f"memory grew by {found['memory_grown_mb']} MB"
    return [*_grid(head, rows), f"over {counts}; built in {found['built_s']} s; {memory}"]


def _lists(found: dict[str, Any]) -> list[str]:
    rows = [
        [name, f"{one['median_ms']:.1f}", f"{one['max_ms']:.1f}", one["total"] or ""]
        for name, one in found["routes"].items()
    ]
    counts = ", ".join(f"{count} {table}" for table, count in found["rows"].items())
    page = found["page"]
    return [
        *_grid(("route", "median ms", "max ms", "rows"), rows),
        f"over {counts}; built in {found['built_s']} s",
        f"slower than the target: {', '.join(found['slower_than_target']) or 'none'}",
        *([f"first load of the page: {page}"] if page else []),
    ]


def _grid(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    texts = [list(head), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in texts) for i in range(len(head))]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in texts
    ]


def _phase(case: dict[str, Any], name: str) -> str:
    found = case["phases"].get(name)
    return f"{found['median_ms']:.0f}" if found else "-"


def _cases(cases: Sequence[dict[str, Any]]) -> list[str]:
    head = (
        *("sales x clients", "transfers", "total ms", "connect", "observe", "settle"),
        *("announce", "rest", "per transfer", "LNbits", "raw each", "raw all"),
        *("LNbits/total", "total/raw each", "settle/raw each", "settle/raw all"),
    )
    return _grid(head, [_case(case) for case in cases])


def _case(case: dict[str, Any]) -> list[Any]:
    per, ratios = case["per_transfer_ms"], case["ratios"]
    return [
        f"{case['sales']} x {case['clients']}",
        case["transfers"],
        *(_phase(case, n) for n in ("total", "connect", "observe", "settle", "announce", "rest")),
        *(f"{per[n]:.2f}" for n in ("total", "lnbits", "raw_each", "raw_all")),
        ratios["lnbits_over_total"],
        ratios["total_over_raw_each"],
        ratios["settle_over_raw_each"],
        ratios["settle_over_raw_all"],
    ]


def _history(found: dict[str, Any]) -> list[str]:
    rows = ", ".join(f"{count} {table.split('.')[-1]}" for table, count in found["rows"].items())
    ratios = found["ratios"]
    return [
        *_cases([found["without"], found["with"]]),
        f"second line: after {rows}",
        f"with / without: settle {ratios['settle']}, total {ratios['total']}",
    ]


def _empty(tables: Sequence[dict[str, Any]]) -> list[str]:
    head = (
        *("rows", "days", "connect ms", "look ms", "close ms", "server ms", "tick ms"),
        *("look round trips", "on the wire", "messages", "full comparison ms", "peak kB"),
        "process grew kB",
    )
    return _grid(head, [_empty_row(table) for table in tables])


def _empty_row(table: dict[str, Any]) -> list[Any]:
    steps, memory = table["steps"], table["memory"]
    return [
        table["rows"],
        table["days"],
        *(f"{steps[name]['median_ms']:.1f}" for name in ("connect", "look", "close")),
        table["server_ms"]["month"],
        f"{table['tick']['phases']['total']['median_ms']:.0f}",
        steps["look"]["round_trips_by_distance"],
        steps["look"]["database_round_trips"],
        steps["look"]["database_messages"],
        table["tick"]["full_comparison_ms"],
        memory["peak_kb"],
        memory["resident_growth_kb"],
    ]
