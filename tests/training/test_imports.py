"""What computes is loaded by children only: neither the web process nor a worker's parent pays for it."""

import json
import os
import subprocess
import sys

import pytest

from tests.architecture.source import ROOT


@pytest.mark.parametrize(
    "module", ["training.api.urls", "training.web.urls", "training.runner", "training.exporter", "training.tasks"]
)
def test_heavy_libraries_stay_out_of(module: str) -> None:
    program = (
        "import json, os, sys, django, importlib\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings'\n"
        f"django.setup(); importlib.import_module({module!r})\n"
        "heavy = ('torch', 'onnx', 'onnxruntime', 'numpy', 'safetensors', 'PIL')\n"
        "print(json.dumps([name for name in heavy if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "MYRIAD_LOCAL_DIR": "/nonexistent", "SECRET_KEY": "x"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == []
