"""The example that customers copy: an exported model, onnxruntime, nothing of ours."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

EXAMPLE = Path(__file__).parents[3] / "clients" / "sdk" / "examples" / "predict_onnx.py"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A graph with an exported model's inputs, outputs and metadata: one box the size of the picture, one unlikely."""
    boxes = helper.make_node("Constant", [], ["base"], value=numpy_helper.from_array(np.zeros((2, 2), np.float32)))
    nodes = [
        boxes,
        helper.make_node("Shape", ["image"], ["size"], start=0, end=2),
        helper.make_node("Cast", ["size"], ["corner"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["base", "corner"], ["ends"]),
        helper.make_node("Concat", ["base", "ends"], ["boxes"], axis=1),
    ]
    for name, values in (("scores", np.array([0.875, 0.1], np.float32)), ("classes", np.array([1, 0], np.int64))):
        nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values)))
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["height", "width", 3])],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["n", 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("classes", TensorProto.INT64, ["n"]),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(made, {"classes": json.dumps(["dent", "scratch"])})
    path = tmp_path / "model.onnx"
    onnx.save(made, path)
    return path


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_example_prints_what_an_exported_model_finds(model: Path, tmp_path: Path, mode: str) -> None:
    Image.new(mode, (64, 48)).save(tmp_path / "a.png")
    command = [sys.executable, str(EXAMPLE), str(model), str(tmp_path / "a.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "scratch 0.88 from (0, 0) to (48, 64)\n"
