"""Does a request cost more when there are more tenants? And how many a second pass?

Two stacks run side by side, one with few tenants, one with many; blocks of the same requests alternate between them,
so that the machine's drift meets both. Usage: python -m tests.benchmarks.api_scale [--tenants 1000] [--json]
"""

import argparse
import hashlib
import json
import random
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from tests.benchmarks.load import Measured, Request, drive
from tests.benchmarks.population import Resident, analyze, populate
from tests.benchmarks.stack import Stack, running_stack

FEW, ROUNDS, BLOCK = 10, 8, 50
THREADS = 4
# Of DESIGN §9.
WANT_RATIO, WANT_LIST, WANT_CREATE, WANT_REGISTER = 1.2, 150, 120, 5000
REGISTER_ROWS, REGISTER_CALLS = 5000, 4


def lists(resident: Resident) -> dict[str, str]:
    """The list requests that are measured: name → path."""
    project = f"/api/v1/projects/{resident.project}"
    return {
        "projects": "/api/v1/projects?limit=20",
        "images": f"{project}/images?limit=20",
        "images by status": f"{project}/images?limit=20&status=READY&split=TRAIN",
        "images by metadata": f"{project}/images?limit=20&meta.camera=3",
        "classes": f"{project}/classes?limit=20",
        "jobs": "/api/v1/jobs?limit=20",
        "audit": "/api/v1/audit?limit=20",
        "members": "/api/v1/members?limit=20",
        "keys": "/api/v1/keys?limit=20",
    }


def block(name: str, residents: Sequence[Resident], chance: random.Random) -> list[Request]:
    """One block of one list's requests, each by a tenant drawn by chance."""
    drawn = chance.choices(residents, k=BLOCK)
    return [Request("GET", lists(resident)[name], resident.key) for resident in drawn]


def compare_lists(stacks: dict[int, tuple[Stack, list[Resident]]]) -> dict[str, dict[int, Measured]]:
    """Latency of each list at each number of tenants, blocks in turn, one request at a time."""
    chance = random.Random(0)
    names = list(lists(Resident("", "", "")))
    took: dict[str, dict[int, list[float]]] = {name: {count: [] for count in stacks} for name in names}
    for turn in range(ROUNDS + 1):
        for name in names:
            for count, (stack, residents) in stacks.items():
                measured = drive(stack.url, requests=block(name, residents, chance), threads=1)
                if turn > 0:  # the first round warms caches and connections
                    took[name][count] += measured.seconds
    return {
        name: {count: Measured(seconds, rate=0) for count, seconds in by_count.items()}
        for name, by_count in took.items()
    }


def rate_of_lists(stack: Stack, residents: Sequence[Resident]) -> float:
    chance = random.Random(1)
    requests = [request for _ in range(16) for request in block("images", residents, chance)]
    return drive(stack.url, requests=requests, threads=THREADS).rate


def rate_of_creates(stack: Stack, residents: Sequence[Resident]) -> float:
    chance = random.Random(2)
    requests = [
        Request(
            "POST",
            "/api/v1/projects",
            resident.key,
            json.dumps({"name": f"New {number}", "kind": "DETECTION"}).encode(),
            expect=(201,),
        )
        for number, resident in enumerate(chance.choices(residents, k=600))
    ]
    return drive(stack.url, requests=requests, threads=THREADS).rate


def rate_of_registering(stack: Stack, residents: Sequence[Resident]) -> float:
    """Rows a second through bulk registration, key, scope, quota and audit included."""
    requests = [
        Request(
            "POST",
            f"/api/v1/projects/{resident.project}/images/register",
            resident.key,
            json.dumps({"files": [_file(call, row) for row in range(REGISTER_ROWS)]}).encode(),
        )
        for call, resident in enumerate(residents[:REGISTER_CALLS])
    ]
    return drive(stack.url, requests=requests, threads=2).rate * REGISTER_ROWS


def _file(call: int, row: int) -> dict[str, object]:
    return {
        "filename": f"bulk_{call}_{row}.jpg",
        "size": 200_000,
        "sha256": hashlib.sha256(f"{call} {row}".encode()).hexdigest(),
        "content_type": "image/jpeg",
        "metadata": {"camera": row % 5, "shift": "night"},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--images", type=int, default=100, help="images a tenant")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with ExitStack() as running:
        stacks = {}
        for count in (FEW, options.tenants):
            stack = running.enter_context(running_stack())
            started = time.perf_counter()
            residents = populate(stack.env["DATABASE_MAINT_URL"], first=1, last=count, images=options.images)
            analyze(stack.env["DATABASE_OWNER_URL"])
            print(f"{count} tenants × {options.images} images loaded in {time.perf_counter() - started:.1f} s")
            stacks[count] = (stack, residents)
        measured = compare_lists(stacks)
        rates = {
            "list_per_s": rate_of_lists(*stacks[options.tenants]),
            "create_per_s": rate_of_creates(*stacks[options.tenants]),
            "register_rows_per_s": rate_of_registering(*stacks[options.tenants]),
        }
    return report(measured, rates, few=FEW, many=options.tenants, as_json=options.json)


def report(
    measured: dict[str, dict[int, Measured]], rates: dict[str, float], *, few: int, many: int, as_json: bool
) -> int:
    """Prints the table; 1 when a wanted figure is missed."""
    print(f"{'list of 20':22}{'p50 ms':>16}{'p95 ms':>16}{'p99 ms':>16}   p95 ratio")
    ratios = {}
    for name, by_count in measured.items():
        cells = [[by_count[count].percentile(share) for count in (few, many)] for share in (0.5, 0.95, 0.99)]
        ratios[name] = cells[1][1] / cells[1][0]
        shown = "".join(f"{at_few:>8.1f}{at_many:>8.1f}" for at_few, at_many in cells)
        print(f"{name:22}{shown}   {ratios[name]:.2f}")
    print(f"(each pair: {few} and {many} tenants)")
    wanted = {"list_per_s": WANT_LIST, "create_per_s": WANT_CREATE, "register_rows_per_s": WANT_REGISTER}
    for name, rate in rates.items():
        print(f"{name}: {rate:.0f} (want ≥ {wanted[name]})")
    worst = max(ratios.values())
    well = worst <= WANT_RATIO and all(rates[name] >= least for name, least in wanted.items())
    print(f"largest p95 ratio: {worst:.2f} (want ≤ {WANT_RATIO}); {'well' if well else 'MISSED'}")
    if as_json:
        against = f"p95 of the same list at {few} tenants"
        print(json.dumps({"ratio": round(worst, 3), "against": against, "tenants": many, **rates}))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
