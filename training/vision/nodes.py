"""The layers of a detector as ONNX nodes. One function a layer, in the order of the PyTorch modules they repeat."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18  # the first whose Resize can filter before it shrinks (antialias)
_IR_VERSION = 9  # of that time, so that older runtimes on devices load it


class GraphWriter:
    """Collects nodes, constants, inputs and outputs; names are unique and stable, so equal models give equal bytes."""

    prefix = ""  # of the names that it makes

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.add_many(kind, inputs, 1, **attributes)[0]

    def add_many(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        names = [f"{self.prefix}{kind.lower()}_{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def constant(self, value: npt.ArrayLike, dtype: type = np.int64) -> str:
        array: npt.NDArray[np.generic] = np.asarray(value, dtype)
        name = f"constant_{array.dtype}_{'x'.join(map(str, array.shape))}_{'_'.join(map(str, array.ravel()))}"
        return self.weight(name, array)

    def weight(self, name: str, array: npt.NDArray[np.generic]) -> str:
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.array(array, order="C"), name)
        return name

    def fix(self, weights: Mapping[str, npt.NDArray[np.floating]]) -> None:
        """Weights that nodes will name."""
        for name in sorted(weights):
            self.weight(name, np.asarray(weights[name], np.float32))

    def take(self, name: str, kind: int, shape: Sequence[str | int]) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def give(self, value: str, name: str, kind: int, shape: Sequence[str | int]) -> None:
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def body(self, prefix: str) -> "BodyWriter":
        """For the graph inside a node; it may name all that is known here."""
        return BodyWriter(self, prefix)

    def build(self, name: str, metadata: dict[str, str]) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, name, self.inputs, self.outputs, list(self.initializers.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="myriad")
        model.ir_version = _IR_VERSION
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        return model


class BodyWriter(GraphWriter):
    """A graph inside a node of another. Its constants are the other's; its names, which may not be, begin otherwise."""

    def __init__(self, outer: GraphWriter, prefix: str) -> None:
        super().__init__()
        self.prefix = prefix
        self._outer = outer

    def weight(self, name: str, array: npt.NDArray[np.generic]) -> str:
        return self._outer.weight(name, array)

    def build_body(self, name: str) -> onnx.GraphProto:
        return helper.make_graph(self.nodes, name, self.inputs, self.outputs)


def write_preprocessing(writer: GraphWriter, image: str, size: str, mean: float, scale: float) -> str:
    """uint8 (H, W, 3) and int64 (2,) -> float (1, 3, h, w). Resized as uint8: a float copy of a photograph is huge."""
    planes = writer.add("Unsqueeze", writer.add("Transpose", image, perm=[2, 0, 1]), writer.constant([0]))
    sizes = writer.add("Concat", writer.constant([1, 3]), size, axis=0)
    small = writer.add("Resize", planes, "", "", sizes, mode="linear", antialias=1)
    floats = writer.add("Cast", small, to=TensorProto.FLOAT)
    centred = writer.add("Sub", floats, writer.constant(mean, np.float32))
    return writer.add("Mul", centred, writer.constant(scale, np.float32))


def write_conv(
    writer: GraphWriter,
    x: str,
    weight: str,
    bias: str = "",
    *,
    pads: Sequence[int] = (0, 0, 0, 0),
    stride: int = 1,
    groups: int = 1,
) -> str:
    """`pads` as ONNX orders them: top, left, bottom, right."""
    inputs = [x, weight, bias] if bias else [x, weight]
    return writer.add("Conv", *inputs, pads=list(pads), strides=[stride, stride], group=groups)


def write_group_norm(writer: GraphWriter, x: str, scale: str, bias: str, groups: int) -> str:
    """Group norm as instance norm over (N, groups, rest): runtimes older than opset 21 have that one."""
    grouped = writer.add("Reshape", x, writer.constant([0, groups, -1]))
    ones, zeros = writer.constant(np.ones(groups), np.float32), writer.constant(np.zeros(groups), np.float32)
    normal = writer.add("InstanceNormalization", grouped, ones, zeros, epsilon=1e-5)
    restored = writer.add("Reshape", normal, writer.add("Shape", x))
    axes = writer.constant([1, 2])
    scaled = writer.add("Mul", restored, writer.add("Unsqueeze", scale, axes))
    return writer.add("Add", scaled, writer.add("Unsqueeze", bias, axes))


def write_double(writer: GraphWriter, x: str) -> str:
    """Nearest-neighbour upsampling by two, as the pyramid's."""
    scales = writer.constant([1, 1, 2, 2], np.float32)
    return writer.add(
        "Resize", x, "", scales, mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric"
    )


def write_shape(writer: GraphWriter, x: str, start: int, end: int) -> str:
    return writer.add("Shape", x, start=start, end=end)


def write_scalar(writer: GraphWriter, vector: str, index: int) -> str:
    return writer.add("Gather", vector, writer.constant(index), axis=0)
