"""What the schema allows and forbids, sent with both tenants' keys: no 5xx, no breach of the schema, no foreign data.

Bounded here; `python -m tests.fuzz` goes on for as long as it is told.
"""

import pytest

from tests.fuzz import askers, budget, campaign
from tests.isolation.schema import operations
from tests.isolation.world import World, state_of

# Of the operations, how many must have done what was asked at least once: else too little was tried.
ACCEPTED = 0.6
EXAMPLES = 3


@pytest.mark.timeout(900 + 2 * (budget.seconds() and budget.seconds() + campaign.GRACE_SECONDS))
def test_both_keys_find_nothing(world: World, url: str) -> None:
    """One after the other, so that what one tenant's requests do to the other's rows shows."""
    # Marks are of what was furnished: campaigns of one seed draw the same hashes for both tenants' own files.
    for asker, others in ((askers.charlie(world), world.acme), (askers.alice(world), world.bolt)):
        before = state_of(others.tenant)
        outcome = campaign.run(
            url,
            asker,
            seed=budget.seed(),
            examples=200 if budget.seconds() else EXAMPLES,
            seconds=budget.seconds(),
            # The coverage phase takes half a minute; the long run has it.
            phases="" if budget.seconds() else "fuzzing,stateful",
        )
        print(outcome.said)  # noqa: T201 - pytest shows it when the test failed
        print(f"{outcome.requests} requests; {len(outcome.accepted)} of {len(outcome.answers)} operations accepted one")  # noqa: T201
        assert outcome.passed, outcome.said
        assert state_of(others.tenant) == before
        assert len(outcome.accepted) >= ACCEPTED * len(outcome.answers) > 0


def test_every_parameter_of_an_address_has_a_thing_for_it() -> None:
    """Else the campaigns would name nothing there that exists; a new one needs a line in `askers`."""
    named = {name for names in askers.NAMES.values() for name in names}
    parameters = {
        parameter["name"]
        for _, _, operation in operations()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path"
    }
    assert parameters <= named
