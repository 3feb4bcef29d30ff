"""No kernel takes more instructions than its budget."""

from __future__ import annotations

import json

import budget
import pytest


@pytest.mark.parametrize("which", budget.SETS)
def test_kernels_keep_their_budgets(which: str) -> None:
    budgets = json.loads(budget.BUDGETS.read_text())
    try:
        if budget.compiler() != budgets["compiler"]:
            pytest.skip(f"budgets are of {budgets['compiler']}, kernels of {budget.compiler()}")
        counts = budget.count(which)
    except budget.CannotCount as error:
        pytest.skip(str(error))
    over = budget.over_budget(counts, budgets[which])
    assert not over, f"{over}; if it is worth it: python tests/bench/budget.py --write"


def test_more_instructions_are_noticed() -> None:
    assert budget.over_budget({"gate": 106}, {"gate": 100})
    assert budget.over_budget({"gate": 100}, {"gate": 100, "product": 100})
    assert budget.over_budget({"gate": 100, "product": 100}, {"gate": 100})
    assert not budget.over_budget({"gate": 105}, {"gate": 100})
