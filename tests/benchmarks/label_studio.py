"""stub"""
from pathlib import Path
from tests.benchmarks.stack import Stack
def rates(venv: Path, stack: Stack) -> dict[str, float]:
    return {}
