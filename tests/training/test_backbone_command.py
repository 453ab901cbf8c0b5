"""`manage.py backbone`: what is missing is made, what is there is left alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.architecture.source import ROOT
from tests.heads import shared_graphs


def test_what_is_missing_is_made_and_the_rest_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "backbones"
    shutil.copytree(shared_graphs(), folder)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    graph = folder / "efficientnet_lite0.onnx"
    whole = graph.read_bytes()
    graph.unlink()

    environment = {"PATH": os.environ["PATH"], "MYRIAD_LOCAL_DIR": str(tmp_path), "BACKBONE_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", "backbone"],
        env=environment | {"SECRET_KEY": "x"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert str(graph) in done.stdout
    assert graph.read_bytes() == whole
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {graph.name}
