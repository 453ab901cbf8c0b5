"""The long run: `python -m tests.fuzz --seconds 600 [--seed N]`, half of the time with each tenant's key.

What fails is printed with the request that shows it. A seed repeats what is drawn, though not what answers add to it.
"""

import argparse
import os
import random
import sys

import pytest

from tests.fuzz import budget


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzzes the API with two tenants' keys.")
    parser.add_argument("--seconds", type=int, default=600, help="for both campaigns together (600 unless told)")
    parser.add_argument("--seed", type=int, default=random.randrange(2**31), help="drawn unless told")
    given = parser.parse_args()
    if given.seconds < 2:
        parser.error("--seconds: two campaigns need a second each at least")
    os.environ |= {budget.SECONDS: str(given.seconds // 2), budget.SEED: str(given.seed)}
    print(f"seed {given.seed}", flush=True)  # noqa: T201 - what a command is for
    return int(pytest.main(["-q", "-rA", "--no-header", "tests/fuzz/test_service.py"]))


if __name__ == "__main__":
    sys.exit(main())
