"""The kill loop, in its short form. The long one: `python -m tests.chaos.kill_loop --kills 1000`."""

import json
import subprocess
import sys

from deploy.local.services import ROOT

KILLS = 150


def test_workers_killed_at_random_points_lose_and_double_nothing() -> None:
    command = [sys.executable, "-m", "tests.chaos.kill_loop", "--kills", str(KILLS), "--json"]
    ran = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=110)
    assert ran.stdout, ran.stderr
    outcome = json.loads(ran.stdout.splitlines()[-1])

    zero = {name: outcome[name] for name in ("lost", "doubled", "unfenced", "drifted", "crashed")}
    assert zero == dict.fromkeys(zero, 0), ran.stderr
    assert ran.returncode == 0
    assert outcome["kills"] == KILLS
    assert outcome["fenced"] > 0, "a worker that was thought dead came back, and was refused"
