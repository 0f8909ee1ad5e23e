"""Which outputs of an ONNX graph are layers, and the graph with other weights.

``tap``
    a tensor of the graph that is read as a layer: the output of a convolution, of a matrix
    product with weights (with its bias, where one is added), or of an addition of two computed
    tensors (a residual connection). Products of two computed tensors (attention) and additions
    of constants inside normalisations are none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.audio.networks.weights import permute
from bidsapp.errors import InputInvalidError, ResourceUnavailableError

_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
_PRODUCTS = frozenset({"Gemm", "MatMul"})


@dataclass(frozen=True, slots=True)
class Tap:
    """One tensor of the graph that is a layer.

    Attributes
    ----------
    name
        Of the tensor.
    kind
        ``conv``, ``dense`` or ``add``.
    channels_last
        Whether the last axis holds the channels; otherwise the one after the batch.
    """

    name: str
    kind: str
    channels_last: bool


def load_graph(path: Path) -> Any:
    """Read an ONNX model as `onnx.ModelProto`; nothing in it is run.

    Raises
    ------
    ResourceUnavailableError
        The package onnx is not installed.
    InputInvalidError
        The file is no ONNX model.
    """
    try:
        import onnx
    except ImportError as error:
        msg = (
            f"{path}: ONNX models need the packages onnx and onnxruntime: "
            f"pip install musicotopy[onnx]"
        )
        raise ResourceUnavailableError(msg) from error
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        msg = f"{path}: is no ONNX model that can be read ({reason}); export it again"
        raise InputInvalidError(msg) from error
    return model


def find_taps(model: Any) -> list[Tap]:
    """List the taps of a graph in the order in which they are computed.

    Parameters
    ----------
    model
        `onnx.ModelProto`.
    """
    graph = model.graph
    constants = _constants(graph)
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    taps: list[Tap] = []
    channels_last: dict[str, bool] = {item.name: False for item in graph.input}
    dense: set[str] = set()
    for node in graph.node:
        computed = [name for name in node.input if name and name not in constants]
        inherited = next((channels_last[name] for name in computed if name in channels_last), True)
        for name in node.output:
            channels_last[name] = inherited
        if not computed or not node.output:
            continue
        output = node.output[0]
        if node.op_type in _CONVOLUTIONS:
            channels_last[output] = False
            taps.append(Tap(output, "conv", channels_last=False))
        elif node.op_type in _PRODUCTS and len(computed) == 1:
            channels_last[output] = True
            dense.add(output)
            if not _is_bias_of(output, readers, constants):
                taps.append(Tap(output, "dense", channels_last=True))
        elif node.op_type == "Add" and len(computed) == 1 and computed[0] in dense:
            taps.append(Tap(output, "dense", channels_last=True))
        elif node.op_type == "Add" and len(computed) == 2:
            taps.append(Tap(output, "add", channels_last=inherited))
    return taps


def tensor_shapes(model: Any) -> dict[str, tuple[int | str, ...]]:
    """Return the shapes that the graph itself states: sizes, or names of open dimensions."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model).graph
    return {
        item.name: tuple(
            size.dim_value or size.dim_param or "?" for size in item.type.tensor_type.shape.dim
        )
        for item in (*graph.input, *graph.value_info, *graph.output)
    }


def with_outputs(model: Any, names: Sequence[str]) -> bytes:
    """Serialise a model whose outputs are the named tensors."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    serialised: bytes = copy.SerializeToString()
    return serialised


def permute_graph(model: Any, seed: int, fixed: Sequence[str]) -> None:
    """Permute the values within each kernel, in place (see `permute_kernels`).

    Parameters
    ----------
    model
        `onnx.ModelProto`.
    seed
        Of the permutations.
    fixed
        Names of kernels that stay, such as those of a spectrogram inside the graph.
    """
    for index, tensor, values in _kernels(model, fixed):
        kernel = torch.from_numpy(np.array(values))
        _set(tensor, permute(kernel, seed, index).numpy())


def randomise_graph(model: Any, seed: int, fixed: Sequence[str]) -> None:
    """Draw each kernel anew from a normal distribution of variance 2 / fan-in, in place.

    Biases and the parameters of normalisations stay.

    Parameters
    ----------
    model, seed, fixed
        As `permute_graph` takes them.

    Source: He et al. 2015, Delving deep into rectifiers, §2.2.
    """
    outputs_first = {
        node.input[1]
        for node in model.graph.node
        if node.op_type == "Conv" or (node.op_type == "Gemm" and _attribute(node, "transB"))
    }
    for index, tensor, values in _kernels(model, fixed):
        n_outputs = values.shape[0 if tensor.name in outputs_first else -1]
        generator = np.random.Generator(np.random.Philox(key=[seed, index]))
        drawn = generator.standard_normal(values.shape, dtype=np.float32)
        drawn *= np.float32(np.sqrt(2.0 * n_outputs / values.size))
        _set(tensor, drawn.astype(values.dtype))


def _constants(graph: Any) -> set[str]:
    """Names of tensors that do not depend on the input."""
    constants = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if all(name in constants for name in node.input if name):
            constants.update(node.output)
    return constants


def _is_bias_of(name: str, readers: dict[str, list[Any]], constants: set[str]) -> bool:
    """Whether the only thing that reads a product adds a constant to it."""
    nodes = readers.get(name, [])
    return (
        len(nodes) == 1
        and nodes[0].op_type == "Add"
        and any(other in constants for other in nodes[0].input)
    )


def _kernels(
    model: Any, fixed: Sequence[str]
) -> Iterator[tuple[int, Any, npt.NDArray[np.floating[Any]]]]:
    """Yield rank, tensor and values of every kernel that may change."""
    from onnx import numpy_helper

    used = {
        name
        for node in model.graph.node
        if node.op_type in _CONVOLUTIONS | _PRODUCTS
        for name in node.input
    }
    for index, tensor in enumerate(sorted(model.graph.initializer, key=lambda item: item.name)):
        if tensor.name in fixed or tensor.name not in used:
            continue
        values = numpy_helper.to_array(tensor)
        if values.ndim > 1 and values.dtype.kind == "f":
            yield index, tensor, values


def _set(tensor: Any, values: npt.NDArray[Any]) -> None:
    from onnx import numpy_helper

    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _attribute(node: Any, name: str) -> int:
    return next((int(item.i) for item in node.attribute if item.name == name), 0)
