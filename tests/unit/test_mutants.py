"""The lists of mutants are about the code as it is, and taking a guard away really takes it away.

The mutants themselves run in `make prove` (prove/mutants.py).
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from satmachineadmin.domain.split import Split
from satmachineadmin.errors import InvariantViolation
from satmachineadmin.prove.mutant_kinds import Mutant, everyone
from satmachineadmin.prove.mutant_swap import Unfit, mutated, swapped

CHECKOUT = Path(__file__).resolve().parents[2]
MUTANTS = list(everyone())
SPLIT = next(m for m in MUTANTS if m.name == "domain/split.py: base + commission = total")


def test_there_are_mutants_of_every_room_that_moves_money() -> None:
    """And no two of one name."""
    names = [mutant.name for mutant in MUTANTS]
    assert len(names) == len(set(names)) > 250
    rooms = {mutant.file.split("/")[0] for mutant in MUTANTS}
    assert {"domain", "adapters", "services", "database.py", "transaction_processor.py"} <= rooms


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_about_the_code_as_it_is(mutant: Mutant) -> None:
    """Its guard stands once, the file without it is Python, and the tests it names exist."""
    _, after = mutated(CHECKOUT / mutant.file, mutant.old, mutant.new)
    ast.parse(after)
    assert mutant.equivalent or mutant.tests
    for test in mutant.tests:
        file, _, function = test.partition("::")
        text = (CHECKOUT / "tests" / file).read_text()
        assert f"def {function.split('[')[0]}" in text


def test_a_guard_is_gone_and_comes_back() -> None:
    with swapped(CHECKOUT, SPLIT.file, SPLIT.old, SPLIT.new):
        assert Split(100, 97, 2).total_sats == 100
    with pytest.raises(InvariantViolation):
        Split(100, 97, 2)


def test_a_text_that_is_not_there_is_no_mutant() -> None:
    with pytest.raises(Unfit), swapped(CHECKOUT, SPLIT.file, "nowhere to be found", "x"):
        pass
