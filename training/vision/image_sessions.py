"""Models that judge a whole image at work: numpy and onnxruntime only, as `sessions` is for detectors."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.vision.sessions import FeatureSession, network_size, open_session
from training.vision.weights import Floats


class ImageHeadSession:
    """A shared head graph of a kind; weights come with each call, as float32."""

    def __init__(self, graph: bytes, threads: int = 1) -> None:
        self._session = open_session(graph, threads)
        self._taken = {node.name for node in self._session.get_inputs()}
        self._given = [node.name for node in self._session.get_outputs()]

    def answer(self, features: Mapping[str, Floats], weights: Mapping[str, Floats]) -> dict[str, Floats]:
        """`probabilities` (K,), or `score` (1,) and `heat` (h, w); `features` are what a FeatureSession extracts."""
        inputs = {name: feature for name, feature in features.items() if name in self._taken}
        return dict(zip(self._given, self._session.run(None, {**inputs, **weights}), strict=True))


@dataclass(frozen=True)
class PairedJudge:
    """Backbone and head as one; thousands of models share both sessions."""

    features: FeatureSession
    heads: ImageHeadSession

    def judge(self, pixels: npt.NDArray[np.uint8], weights: Mapping[str, Floats], long_side: int) -> dict[str, Floats]:
        """What the model says of an image (H, W, 3) of RGB, as ImageHeadSession.answer."""
        height, width = pixels.shape[:2]
        return self.heads.answer(self.features.extract(pixels, network_size(height, width, long_side)), weights)
