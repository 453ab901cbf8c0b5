"""The matrix's four runs: with both guards, with either alone (nothing leaks), and with none (everything does)."""

import pytest

from tests.isolation.guards import Guards
from tests.isolation.observing import judge
from tests.isolation.rows import ROWS, Row
from tests.isolation.world import World


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_nobody_but_its_members_reaches_what_is_acmes(row: Row, guards: Guards, guarded_world: World) -> None:
    faults = judge(row, guarded_world)
    if guards is not Guards.NONE:
        assert not faults.by_person, f"{row}\n{faults}"
    elif row.holds:
        assert "Charlie" not in faults.by_person, f"{row}: {row.holds}? It leaks:\n{faults}"
    else:
        assert "Charlie" in faults.by_person, f"{row} would not have caught a leak"
        assert faults.broke == bool(row.breaks), f"{row}: {row.breaks or 'leaks'}? Now it does otherwise:\n{faults}"
