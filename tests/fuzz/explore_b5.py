"""holds a server for exploration"""
import json, time, os
from pathlib import Path
from tests.fuzz.conftest import *
from dataclasses import asdict
def test_hold(url, world):
    out = Path("/tmp/w/b5_hold.json")
    out.write_text(json.dumps({"url": url, "charlie": asdict(charlie(world)), "alice": asdict(alice(world))}))
    stop = Path("/tmp/w/b5_stop")
    while not stop.exists(): time.sleep(1)
    stop.unlink()
