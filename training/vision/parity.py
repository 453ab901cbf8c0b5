"""Parity images: encoded files with the answers expected, by which a device proves that it computes what was judged."""

import base64
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.vision.artifacts import Trained
from training.vision.examples import Example, Pixels
from training.vision.few_shot import Workbench
from training.vision.graph import merge_graphs
from training.vision.predictions import Prediction
from training.vision.sessions import open_session

PARITY = "parity.json"
COUNT = 3  # images
LARGEST_SIDE = 640  # pixels; larger ones are shrunk by a whole factor
BOX_TOLERANCE, SCORE_TOLERANCE = 0.1, 1e-3  # pixels; runtimes add in other orders
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class ParityBroken(AssertionError):
    """The merged graph does not answer what is expected of it."""


@dataclass(frozen=True)
class ParityImage:
    png: bytes
    expected: Prediction


@dataclass(frozen=True)
class Parity:
    images: list[ParityImage]

    def to_json(self) -> dict[str, object]:
        """What parity.json holds; boxes are x1, y1, x2, y2 in pixels of the picture."""
        return {
            "format": 1,
            "tolerance": {"boxes": BOX_TOLERANCE, "scores": SCORE_TOLERANCE},
            "images": [
                {
                    "png_base64": base64.b64encode(image.png).decode(),
                    "boxes": image.expected.boxes.round(3).tolist(),
                    "scores": image.expected.scores.round(5).tolist(),
                    "classes": image.expected.classes.tolist(),
                }
                for image in self.images
            ],
        }

    def to_bytes(self) -> bytes:
        return json.dumps(self.to_json(), sort_keys=True).encode()


def read_parity(data: bytes) -> Parity:
    """Inverse of to_bytes; raises ValueError, KeyError or TypeError for anything else."""
    images = []
    for image in json.loads(data)["images"]:
        boxes = np.array(image["boxes"], np.float32).reshape(-1, 4)
        scores, classes = np.array(image["scores"], np.float32), np.array(image["classes"], np.int64)
        images.append(
            ParityImage(base64.b64decode(image["png_base64"], validate=True), Prediction(boxes, scores, classes))
        )
    return Parity(images)


def make_parity(trained: Trained, examples: Sequence[Example], workbench: Workbench) -> Parity:
    """Ask the merged graph about the first examples by hash, whole or shrunk."""
    graph = merge_graphs(
        workbench.backbone, trained.heads, trained.weights,
        long_side=trained.long_side, classes=trained.classes, tiling=trained.tiling,
    )  # fmt: skip
    session = open_session(graph.SerializeToString())
    chosen = {example.sha256: example for example in sorted(examples, key=lambda e: e.sha256)}
    images = []
    for example in list(chosen.values())[:COUNT]:
        pixels = shrink(example.pixels(), LARGEST_SIDE)
        images.append(ParityImage(write_png(pixels), Prediction(*session.run(None, {"image": pixels}))))
    return Parity(images)


def check_parity(graph: bytes, parity: Parity) -> None:
    """Raise ParityBroken unless the merged graph answers as expected."""
    session = open_session(graph)
    for number, image in enumerate(parity.images):
        found = Prediction(*session.run(None, {"image": read_png(image.png)}))
        if not agrees(found, image.expected):
            raise ParityBroken(f"parity image {number}: the graph answers otherwise")


def agrees(found: Prediction, expected: Prediction) -> bool:
    """Whether two answers are the same within the tolerances. Boxes of scores that close may change places."""
    if len(found.scores) != len(expected.scores):
        return False
    same = found.classes[:, None] == expected.classes[None]
    same &= np.abs(found.scores[:, None] - expected.scores[None]) <= SCORE_TOLERANCE
    same &= np.abs(found.boxes[:, None] - expected.boxes[None]).max(axis=-1) <= BOX_TOLERANCE
    return bool(same.any(axis=0).all() and same.any(axis=1).all())


def shrink(pixels: Pixels, largest: int) -> Pixels:
    """Average whole blocks of pixels until neither side is longer than `largest`."""
    factor = -(-max(pixels.shape[:2]) // largest)
    if factor == 1:
        return np.ascontiguousarray(pixels)
    height, width = (max(side // factor, 1) for side in pixels.shape[:2])
    rows = min(factor, pixels.shape[0] // height)
    columns = min(factor, pixels.shape[1] // width)
    cut = pixels[: height * rows, : width * columns]
    blocks: Pixels = cut.reshape(height, rows, width, columns, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    return blocks


def write_png(pixels: Pixels) -> bytes:
    """8-bit RGB, each row filtered by the one above."""
    height, width = pixels.shape[:2]
    above = np.zeros_like(pixels)
    above[1:] = pixels[:-1]
    rows = np.full((height, 1 + 3 * width), 2, np.uint8)
    rows[:, 1:] = (pixels - above).reshape(height, -1)
    header = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def read_png(data: bytes) -> npt.NDArray[np.uint8]:
    """Only what write_png writes; raises ValueError for anything else."""
    if data[:8] != _SIGNATURE or data[12:16] != b"IHDR" or data[37:41] != b"IDAT":
        raise ValueError("not a PNG of ours")
    width, height = struct.unpack("!II", data[16:24])
    length = struct.unpack("!I", data[33:37])[0]
    rows = np.frombuffer(zlib.decompress(data[41 : 41 + length]), np.uint8).reshape(height, 1 + 3 * width)
    if not (rows[:, 0] == 2).all():
        raise ValueError("not a PNG of ours")
    pixels: Pixels = np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8).reshape(height, width, 3)
    return pixels


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))
