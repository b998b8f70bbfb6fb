"""The chain of the audit trail: any change of any entry is found, at that entry."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from satmachineadmin.domain.audit_link import NUMBERS, START, TEXTS, Chain, link

words = st.text(max_size=20)


@st.composite
def trails(draw: Any) -> list[dict[str, Any]]:
    """Entries as they are written: some without a hash first, then a chain."""
    count, unchained = draw(st.integers(1, 12)), draw(st.integers(0, 3))
    before, found = START, []
    for seq in range(1, count + 1):
        entry: dict[str, Any] = {"seq": seq, "at_us": draw(st.integers(0, 2**62))}
        entry |= {name: draw(words) for name in TEXTS}
        after = link(before, entry)
        chained = seq > unchained
        found.append(
            {
                **entry,
                "prev_hash": before if chained else None,
                "entry_hash": after if chained else None,
            }
        )
        before = after
    return found


def walk(trail: list[dict[str, Any]]) -> Chain:
    chain = Chain()
    for entry in trail:
        if not chain.add(entry):
            break
    return chain


@given(trails())
@settings(max_examples=100, deadline=None)
def test_a_trail_as_it_was_written_is_right(trail: list[dict[str, Any]]) -> None:
    chain = walk(trail)
    assert (chain.why, chain.seq) == (None, len(trail))


@given(trails(), st.data())
@settings(max_examples=200, deadline=None)
def test_a_changed_field_is_found(trail: list[dict[str, Any]], data: Any) -> None:
    """In the entry itself, or, where that had no hash yet, in the first one that has."""
    spot = data.draw(st.integers(0, len(trail) - 1))
    name = data.draw(st.sampled_from([*NUMBERS[1:], *TEXTS]))
    entry = trail[spot]
    entry[name] = entry[name] + 1 if name in NUMBERS else entry[name] + "x"
    chained = [one for one in trail if one["entry_hash"] is not None]
    chain = walk(trail)
    if not chained:
        assert chain.why is None  # nothing covers them yet
        return
    assert chain.bad_seq == max(entry["seq"], chained[0]["seq"])
    assert chain.why == ("changed" if entry["entry_hash"] is not None else "other_before")


@given(trails(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_missing_or_added_entry_is_found(trail: list[dict[str, Any]], data: Any) -> None:
    spot = data.draw(st.integers(0, len(trail) - 1))
    if spot < len(trail) - 1:  # the last one is missed by whoever kept the head
        assert walk(trail[:spot] + trail[spot + 1 :]).bad_seq == spot + 1
    added = {**trail[-1], "seq": len(trail) + 1, "prev_hash": None, "entry_hash": None}
    if trail[-1]["entry_hash"] is not None:
        assert walk([*trail, added]).why == "not_chained"


@given(trails(), st.data())
@settings(max_examples=100, deadline=None)
def test_an_entry_that_was_replaced_with_its_hash_is_found(
    trail: list[dict[str, Any]], data: Any
) -> None:
    spot = data.draw(st.integers(0, len(trail) - 1))
    entry = trail[spot]
    if entry["entry_hash"] is None or spot == len(trail) - 1:
        return
    entry["subject"] += "x"
    entry["entry_hash"] = link(entry["prev_hash"], entry)
    chain = walk(trail)
    assert (chain.bad_seq, chain.why) == (spot + 2, "other_before")
