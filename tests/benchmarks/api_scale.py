"""Does a request cost more when there are ten thousand tenants? How many a second pass? How long is a migration?

Two stacks run side by side, one with ten tenants, one with many; the same requests go to both in turns
(`latency`). Then the larger one alone: requests a second, and a column added to its image table while others read and
write (`migrating`). The same operations on Label Studio, where its virtual environment is named (`label_studio`).
Usage: python -m tests.benchmarks.api_scale [--tenants 10000] [--label-studio VENV] [--json]
"""

import argparse
import functools
import json
import os
import random
import statistics
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks import label_studio
from tests.benchmarks.latency import Compared, Side, compare, prove
from tests.benchmarks.load import drive
from tests.benchmarks.main_requests import MAIN, Make, drawn, register
from tests.benchmarks.migrating import Added, add_columns
from tests.benchmarks.population import analyze, populate
from tests.benchmarks.stack import Stack, running_stack

FEW, PROJECTS = 10, 25
THREADS, ROUNDS = 4, 3
REGISTER_ROWS, REGISTER_CALLS = 5000, 4
# Of DESIGN §9.
WANT_RATIO, WANT_ADD_SECONDS, WANT_LOCK_SECONDS = 1.2, 5.0, 1.0
WANTED_RATES = {"list_per_s": 150, "create_per_s": 120, "register_rows_per_s": 5000}


def rates(side: Side) -> dict[str, float]:
    """Requests or rows a second, medians of rounds, with all that a request costs (key, limits, scope, audit)."""
    whole = functools.partial(register, files=REGISTER_ROWS)
    one: dict[str, tuple[Make, int, int, int]] = {
        # what is sent, how often, from how many threads, and rows of each
        "list_per_s": (MAIN["images"], 400, THREADS, 1),
        "create_per_s": (MAIN["create project"], 300, THREADS, 1),
        "register_rows_per_s": (whole, REGISTER_CALLS, 2, REGISTER_ROWS),
    }
    chance = random.Random(1)
    measured: dict[str, list[float]] = {name: [] for name in one}
    for _ in range(ROUNDS):
        for name, (make, count, threads, rows) in one.items():
            requests = drawn(make, side.residents, count=count, chance=chance)
            measured[name].append(rows * drive(side.stack.url, requests=requests, threads=threads).rate)
    return {name: statistics.median(found) for name, found in measured.items()}


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with ExitStack() as running:
        many = loaded(running.enter_context(running_stack()), tenants=options.tenants, images=options.images)
        with running_stack() as beside:
            few = loaded(beside, tenants=FEW, images=options.images)
            tell_load()
            compared = compare(few, many, requests=options.requests)
        report_latency(compared, many=options.tenants)
        found: dict[str, Any] = {"compared": compared, "rates": rates(many), "peer": None}
        if options.label_studio:
            found["peer"] = label_studio.rates(options.label_studio, many.stack)
        report_rates(found["rates"], found["peer"])
        found["added"] = add_columns(many.stack, many.residents[0])
        report_added(found["added"])
        tell_load()
        return found


def loaded(stack: Stack, *, tenants: int, images: int) -> Side:
    """The stack with so many tenants, each kind of request proven there."""
    began = time.perf_counter()
    residents = populate(stack.env["DATABASE_MAINT_URL"], first=1, last=tenants, images=images, projects=PROJECTS)
    analyze(stack.env["DATABASE_OWNER_URL"])
    print(f"{tenants} tenants × {images} images loaded in {time.perf_counter() - began:.0f} s", flush=True)
    side = Side(stack, residents)
    prove(side)
    return side


def tell_load() -> None:
    """On an idle machine the first is about 1: it is this benchmark's own."""
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)


def report_latency(compared: dict[str, Compared], *, many: int) -> None:
    title = f"ms (each pair: {FEW}, {many} tenants)"
    print(f"{title:36}{'p50':>15}{'p95':>15}{'p99':>15}   p95 ratio")
    for name, one in compared.items():
        cells = "".join("{:>8.1f}{:>7.1f}".format(*one.percentiles(share)) for share in (0.5, 0.95, 0.99))
        low, high = one.interval(0.95)
        print(f"{name:36}{cells}   {one.ratio(0.95):.2f} ({low:.2f} to {high:.2f})", flush=True)


def report_rates(found: dict[str, float], peer: dict[str, float] | None) -> None:
    for name, rate in found.items():
        beside = f"; Label Studio {peer[name]:.0f}, we {rate / peer[name]:.1f} times that" if peer else ""
        print(f"{name}: {rate:.0f} (want ≥ {WANTED_RATES[name]}){beside}", flush=True)


def report_added(added: dict[str, Added]) -> None:
    for name, one in added.items():
        print(
            f"adding a column ({name}): {one.add_seconds:.2f} s (want < {WANT_ADD_SECONDS:.0f}), away again "
            f"{one.drop_seconds:.2f} s; longest turn of another session {one.longest_wait:.2f} s "
            f"(want < {WANT_LOCK_SECONDS:.0f}), before it {one.longest_before:.2f} s"
        )


def verdict(found: dict[str, Any], *, tenants: int) -> dict[str, Any]:
    """The JSON answer; its `ratio` is the worst p95 ratio."""
    compared: dict[str, Compared] = found["compared"]
    added: dict[str, Added] = found["added"]
    worst = max(compared, key=lambda name: compared[name].ratio(0.95))
    low, high = compared[worst].interval(0.95)
    return {
        "ratio": round(compared[worst].ratio(0.95), 3),
        "against": f"p95 of the same request at {FEW} tenants",
        "ratio_low": round(low, 3),
        "ratio_high": round(high, 3),
        "worst": worst,
        "median_ratio": round(statistics.median(one.ratio(0.95) for one in compared.values()), 3),
        "tenants": tenants,
        **{name: round(rate, 1) for name, rate in found["rates"].items()},
        "add_column_seconds": round(max(one.add_seconds for one in added.values()), 3),
        "lock_seconds": round(max(one.longest_wait for one in added.values()), 3),
        "requests": {
            name: {
                f"{word}_p{round(100 * share)}_ms": round(milliseconds, 2)
                for share in (0.5, 0.95, 0.99)
                for word, milliseconds in zip(("few", "many"), one.percentiles(share), strict=True)
            }
            for name, one in compared.items()
        },
        "label_studio": found["peer"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=10_000)
    parser.add_argument("--images", type=int, default=100, help="images a tenant, at least 80")
    parser.add_argument("--requests", type=int, default=300, help="of each kind at each number of tenants")
    parser.add_argument(
        "--label-studio",
        type=Path,
        default=os.environ.get("LABEL_STUDIO") or None,
        metavar="VENV",
        help="a virtual environment with label-studio and gunicorn (LABEL_STUDIO)",
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options)
    answer = verdict(found, tenants=options.tenants)
    well = (
        answer["ratio"] <= WANT_RATIO
        and all(answer[name] >= least for name, least in WANTED_RATES.items())
        and answer["add_column_seconds"] < WANT_ADD_SECONDS
        and answer["lock_seconds"] < WANT_LOCK_SECONDS
    )
    told = "{worst}, {ratio:.2f} ({ratio_low:.2f} to {ratio_high:.2f}); median {median_ratio:.2f}".format(**answer)
    print(f"largest p95 ratio: {told} (want ≤ {WANT_RATIO}); {'well' if well else 'MISSED'}")
    if options.json:
        print(json.dumps(answer))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
