"""How long a fuzzing run is: short and bounded in `make test`, as long as is asked for by `python -m tests.fuzz`."""

import os

SECONDS = "MYRIAD_FUZZ_SECONDS"
SEED = "MYRIAD_FUZZ_SEED"


def seconds() -> int:
    """Seconds for each tenant's campaign; 0: so many examples, and no more."""
    return int(os.environ.get(SECONDS, "0"))


def seed() -> int:
    return int(os.environ.get(SEED, "4"))
