"""Who imports whom (DESIGN §2): the contracts hold, and a violation of each is seen."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import EVERYWHERE, ROOT, SERVER, files, imports, tree, within

# A line put into a module, and the contract that it breaks.
VIOLATIONS = {
    "tenants/domain/keys.py": ("import projects.domain.projects", "Imports go one way"),
    "projects/models/images.py": ("from config import env", "Imports go one way"),
    "tenants/models/users.py": ("import tenants.domain.keys", "Inside an app: doors → domain → models"),
    "projects/domain/classes.py": ("import projects.api.serializers", "Inside an app: doors → domain → models"),
    "workers/api/jobs.py": ("import workers.tasks", "Inside an app: doors → domain → models"),
    "tenants/audit.py": ("import boto3", "S3 has one door"),
    "projects/domain/uploads.py": ("from botocore import session", "S3 has one door"),
    "workers/domain/execution.py": ("import torch.nn", "Neither web nor a worker's parent imports torch"),
    "training/domain/runs.py": ("import training.vision.train", "What computes stays in its child"),
    "training/api/runs.py": ("def later():\n    import torch", "What computes stays in its child"),
    "config/health.py": ("def later():\n    import torch", "Neither web nor a worker's parent imports torch"),
    "projects/domain/items.py": ("from myriad.client import Client", "The server does not know its clients"),
    "tenants/storage.py": ("from deploy.local import s3", "The server does not know how it is shipped"),
}


def lint(root: Path) -> tuple[int, str]:
    """The exit status of import-linter over the packages in `root`, and what it said."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--config", ROOT / "pyproject.toml", "--no-cache"],
        cwd=root,
        env={"PATH": os.environ["PATH"], "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_contracts_hold() -> None:
    status, said = lint(ROOT)

    assert status == 0, said


@pytest.fixture(scope="module")
def violated(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a copy of the packages with every violation in it."""
    root = tmp_path_factory.mktemp("packages")
    for package in (*SERVER, "deploy"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for path, (line, _) in VIOLATIONS.items():
        with (root / path).open("a", encoding="utf-8") as module:
            module.write(f"\n{line}\n")
    status, said = lint(root)
    assert status == 1
    return said


@pytest.mark.parametrize("path", VIOLATIONS)
def test_a_violation_is_seen(path: str, violated: str) -> None:
    line, contract = VIOLATIONS[path]
    importer = path.removesuffix(".py").replace("/", ".")
    imported = line.split("import ")[-1] if "from " not in line else line.split()[1]

    assert f"{contract} BROKEN" in violated
    # Chains are listed with line numbers, from the importer to the imported.
    words = imported.split(".")[0] if within(imported, "torch", "boto3", "botocore", "myriad") else imported
    said = [text for text in violated.splitlines() if f"{importer} -> {words}" in text]
    assert said, violated


def importers(*packages: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in files(*SERVER)
        if any(within(name, *packages) for name in imports(tree(path)))
    }


def test_s3_is_spoken_to_through_one_door() -> None:
    assert importers("boto3", "botocore", "aiobotocore", "s3transfer") == {"tenants/s3.py"}
    assert importers("tenants.s3") == {"tenants/storage.py", "tenants/cors.py"}


def test_clients_import_nothing_of_the_server() -> None:
    server = (*SERVER, "deploy", "tests", "django", "rest_framework")
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in files("clients")
        for name in imports(tree(path))
        if within(name, *server)
    }

    assert found == set()


@pytest.mark.parametrize(
    ("entry", "absent"),
    [
        # Addresses, and so views, are imported with the first request.
        ("config.wsgi, config.urls", ["torch", "numpy", "PIL", "celery"]),
        ("config.celery", ["torch", "numpy", "PIL"]),
    ],
)
def test_heavy_libraries_stay_out_of(entry: str, absent: list[str]) -> None:
    program = f"import json, sys, {entry}; print(json.dumps([name for name in {absent} if name in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "MYRIAD_LOCAL_DIR": "/nonexistent", "SECRET_KEY": "x"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout) == []


def test_nothing_imports_pickle() -> None:
    banned = ("pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle")
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in files(*EVERYWHERE)
        for name in imports(tree(path))
        if within(name, *banned)
    }

    assert found == set()
