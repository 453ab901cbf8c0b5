from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from training.vision.backbones import Backbone, load_backbone, prepare_backbone
from training.vision.examples import Annotation
from training.vision.few_shot import Workbench, open_workbench
from training.vision.recipes import Recipe, find_recipe


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def weights_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    prepare_backbone("efficientnet_lite0", folder)
    return folder


@pytest.fixture(scope="session")
def backbone(weights_folder: Path) -> Backbone:
    return load_backbone("efficientnet_lite0", weights_folder)


@pytest.fixture
def workbench(weights_folder: Path, tmp_path: Path) -> Workbench:
    return open_workbench("efficientnet_lite0", weights_folder, tmp_path / "cache", cache_bytes=64 << 20)


@pytest.fixture
def tiny() -> Recipe:
    """Seconds of training: one view, a narrow pyramid."""
    return find_recipe(
        "fast", long_side=128, finest_stride=8, views=1, pyramid_channels=16, tower_depth=1,
        steps=6, fine_steps=0, batch_images=2, checkpoint_steps=2, folds=2,
    )  # fmt: skip


@pytest.fixture
def slight() -> Recipe:
    """Seconds of training of recipe `full`."""
    return find_recipe(
        "full", long_side=128, finest_stride=8, pyramid_channels=16, tower_depth=1, steps=4, batch_images=2,
        checkpoint_steps=2, folds=2,
    )  # fmt: skip


def draw_image(seed: int, box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Grey noise of 100 × 120 pixels with one coloured rectangle."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(90, 130, (100, 120, 3)).astype(np.uint8)
    x1, y1, x2, y2 = box
    pixels[y1:y2, x1:x2] = colour
    return pixels


@pytest.fixture
def pair() -> tuple[list[npt.NDArray[np.uint8]], list[Annotation]]:
    """Two images, a red box of class 0 and a blue one of class 1."""
    boxes = [(20, 30, 60, 70), (60, 20, 100, 60)]
    images = [draw_image(1, boxes[0], (220, 30, 30)), draw_image(2, boxes[1], (30, 30, 220))]
    annotations = [Annotation(np.array([box], np.float32), np.array([number])) for number, box in enumerate(boxes)]
    return images, annotations
