"""A checked model at work: pixels in, an answer out."""

from __future__ import annotations

from typing import Any, Final

import numpy.typing as npt
import onnxruntime

from myriad_edge.bundle import Bundle
from myriad_edge.decoding import Pixels, decode
from myriad_edge.errors import BadImage, BadInput
from myriad_edge.kinds import kind_of
from myriad_edge.kinds.interface import Answer, Arrays
from myriad_edge.manifest import ParityImage

_INPUT: Final = "image"
_LOUDEST: Final = 4  # onnxruntime says nothing but what is fatal: errors are told by us, once
_AGAIN: Final = "Update myriad-edge, or export the model again."


class Inspector:
    """A bundle's model, ready to answer. Raises BadInput where it does not load, or not answer as evaluated."""

    def __init__(self, bundle: Bundle, *, threads: int, threshold: float | None) -> None:
        self.kind = kind_of(bundle.manifest, threshold)
        self._session = _open_session(bundle.graph, threads)
        self._check_signature()
        for number, image in enumerate(bundle.manifest.parity, start=1):
            self._check_parity(image, f"{number} of {len(bundle.manifest.parity)}")

    def answer(self, pixels: Pixels) -> Answer:
        """Raises BadImage where the graph fails on these pixels."""
        return self.kind.answer(self._compute(pixels))

    def _compute(self, pixels: Pixels) -> Arrays:
        try:
            arrays: list[npt.NDArray[Any]] = self._session.run(list(self.kind.outputs), {_INPUT: pixels})
        except Exception as error:  # onnxruntime's exceptions have no name that it promises
            raise BadImage(
                "not_computed", f"cannot be computed: {str(error)[:200]}", "Look whether the memory suffices."
            ) from error
        return dict(zip(self.kind.outputs, arrays, strict=True))

    def _check_signature(self) -> None:
        inputs = [(node.name, node.type, len(node.shape)) for node in self._session.get_inputs()]
        if inputs != [(_INPUT, "tensor(uint8)", 3)]:
            raise BadInput(f"The model takes {inputs}, not one image.", _AGAIN)
        missing = set(self.kind.outputs) - {node.name for node in self._session.get_outputs()}
        if missing:
            raise BadInput(f"The model does not give {', '.join(sorted(missing))}, as one of its kind does.", _AGAIN)

    def _check_parity(self, image: ParityImage, which: str) -> None:
        """Compute a parity image as any other, from its file on; raises BadInput unless that gives what is expected."""
        try:
            arrays = self._compute(decode(image.png))
            self.kind.answer(arrays)
        except BadImage as error:
            raise BadInput(f"Parity image {which} {error.message}.", _AGAIN) from error
        if not self.kind.agrees(arrays, image.expected):
            raise BadInput(
                f"The model does not answer as it was evaluated: parity image {which} gives something else on this"
                " device.",
                "Nothing was inspected, since nothing that it says here can be relied on. Install the versions of"
                " onnxruntime, numpy and Pillow that the README names, or export the model again.",
            )


def _open_session(graph: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # the arena never shrinks: one large image would stay for good
    options.log_severity_level = _LOUDEST
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no name that it promises
        raise BadInput(f"The model cannot be loaded: {str(error)[:300]}", _AGAIN) from error
