"""Makes the small ONNX files of onnx/ and the numbers of onnx.json: what ONNX Runtime's own Python package gives for them,
and for the real models of ../shared/data, layer by layer.

pip install onnx==1.23.2 onnxruntime==1.30.0 && python3 make_onnx_goldens.py [FOLDER OF REAL MODELS]
"""

import json
import os
import pathlib
import sys

# ONNX Runtime reads it when it is imported, and reports its sessions to its makers without it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
OUT = HERE / "onnx"
SAMPLES = 24


def pixels(shape):
    """Whole numbers from 0 to 255 that differ along every axis; onnx-golden.test.ts makes the same ones."""
    index = np.arange(int(np.prod(shape)), dtype=np.int64)
    return ((index * 7919 + (index // 7) * 31) % 256).reshape(shape)


def weight(name, *shape, dtype=np.float32, seed=[0]):
    seed[0] += 1
    values = np.random.default_rng(seed[0]).normal(0, 0.4, shape).astype(dtype)
    return numpy_helper.from_array(values, name)


def int64(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def save(name, nodes, weights, inputs, outputs, opset, graph="main_graph"):
    model = helper.make_model(
        helper.make_graph(nodes, graph, inputs, outputs, weights),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8 if opset < 19 else 10,
    )
    onnx.checker.check_model(model, full_check=True)
    path = OUT / f"{name}.onnx"
    onnx.save(model, path)
    return model


def torch_style(opset):
    """Names, operators and open batch as torch.onnx.export writes them; with tokens where LayerNormalization exists."""
    conv = "/features/features.0/Conv_output_0"
    relu = "/features/features.1/Relu_output_0"
    mean = "/ReduceMean_output_0"
    nodes = [
        helper.make_node("Conv", ["pixel.values", "features.0.weight", "features.0.bias"], [conv],
                         name="/features/features.0/Conv", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", [conv], [relu], name=""),
        helper.make_node("Split", [relu, "half"], ["/Split_output_0", "/Split_output_1"], axis=1),
        helper.make_node("Mul", ["/Split_output_0", "/Split_output_1"], ["/größe/Mul output:0"]),
    ]
    weights = [weight("features.0.weight", 8, 3, 3, 3), weight("features.0.bias", 8), int64("half", 4, 4)]
    if opset < 18:
        nodes.append(helper.make_node("ReduceMean", ["/größe/Mul output:0"], [mean], axes=[2, 3], keepdims=0))
    else:
        nodes.append(helper.make_node("ReduceMean", ["/größe/Mul output:0", "axes"], [mean], keepdims=0))
        weights.append(int64("axes", 2, 3))
    nodes.append(helper.make_node("Gemm", [mean, "classifier.weight", "classifier.bias"], ["logits"], transB=1))
    weights += [weight("classifier.weight", 5, 4), weight("classifier.bias", 5)]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", 5])]
    if opset >= 17:
        nodes += [
            helper.make_node("Shape", [relu], ["/Shape_output_0"], start=0, end=1),
            helper.make_node("Concat", ["/Shape_output_0", "rest"], ["/Concat_output_0"], axis=0),
            helper.make_node("Reshape", [relu, "/Concat_output_0"], ["/Reshape_output_0"]),
            helper.make_node("Transpose", ["/Reshape_output_0"], ["/tokens"], perm=[0, 2, 1]),
            helper.make_node("LayerNormalization", ["/tokens", "norm.weight", "norm.bias"], ["/norm/LayerNormalization_output_0"]),
            helper.make_node("MatMul", ["/norm/LayerNormalization_output_0", "query"], ["/attn/MatMul_output_0"]),
            helper.make_node("Add", ["/tokens", "/attn/MatMul_output_0"], ["/blocks.0/Add_output_0"]),
        ]
        weights += [int64("rest", 8, -1), weight("norm.weight", 8), weight("norm.bias", 8), weight("query", 8, 8)]
        outputs.append(helper.make_tensor_value_info("/blocks.0/Add_output_0", TensorProto.FLOAT, ["batch_size", "tokens", 8]))
    image = helper.make_tensor_value_info("pixel.values", TensorProto.FLOAT, ["batch_size", 3, 16, 12])
    return save(f"torch-opset{opset}", nodes, weights, [image], outputs, opset)


def branches():
    """An If whose branches take a tensor and a weight from outside, and hold tensors of their own."""
    def branch(name, op, inner):
        nodes = [helper.make_node(op, ["conv", "outer"], [inner]), helper.make_node("Relu", [inner], [f"{name}_out"])]
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, None)])
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["conv"]),
        helper.make_node("ReduceMax", ["conv"], ["largest"], keepdims=0),
        helper.make_node("Greater", ["largest", "zero"], ["is positive"]),
        helper.make_node("If", ["is positive"], ["chosen"],
                         then_branch=branch("then", "Mul", "inner then"), else_branch=branch("else", "Add", "inner else")),
        helper.make_node("GlobalAveragePool", ["chosen"], ["pool"]),
    ]
    weights = [weight("kernel", 4, 3, 3, 3), weight("outer", 4, 1, 1), numpy_helper.from_array(np.float32(0), "zero")]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 8, 6])
    save("branches", nodes, weights, [image], [helper.make_tensor_value_info("pool", TensorProto.FLOAT, ["N", 4, 1, 1])], 17)


def half():
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["conv"]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("GlobalAveragePool", ["relu"], ["pool"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT16, ["N", 3, 8, 6])
    pool = helper.make_tensor_value_info("pool", TensorProto.FLOAT16, ["N", 4, 1, 1])
    save("half", nodes, [weight("kernel", 4, 3, 3, 3, dtype=np.float16)], [image], [pool], 17)


def whole_numbers():
    """As exporters of mobile models write it: bytes, channels last, size and channels open, preprocessing in the graph."""
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["float", "mean"], ["centred"]),
        helper.make_node("Constant", [], ["std"], value=numpy_helper.from_array(np.float32([58.4, 57.1, 57.4]), "std")),
        helper.make_node("Div", ["centred", "std"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["turned"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["turned", "kernel"], ["conv"], strides=[2, 2]),
    ]
    mean = numpy_helper.from_array(np.float32([123.675, 116.28, 103.53]), "mean")
    image = helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", "height", "width", "channels"])
    conv = helper.make_tensor_value_info("conv", TensorProto.FLOAT, ["N", 4, None, None])
    save("whole-numbers", nodes, [mean, weight("kernel", 4, 3, 3, 3)], [image], [conv], 13, graph="mobile_v7")


def external(model):
    """The same model with its weights in two files, one of them in a folder."""
    for index, tensor in enumerate(model.graph.initializer):
        if tensor.data_type == TensorProto.INT64:
            continue
        location = "parts/first.bin" if index % 2 == 0 else "second.bin"
        path = OUT / location
        path.parent.mkdir(exist_ok=True)
        offset = path.stat().st_size if path.exists() else 0
        raw = numpy_helper.to_array(tensor).tobytes()
        with open(path, "ab") as file:
            file.write(raw)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", offset), ("length", len(raw))):
            tensor.external_data.add(key=key, value=str(value))
    (OUT / "external.onnx").write_bytes(model.SerializeToString())


def run(path, shape, scale, layers, nhwc=False):
    """What each layer gives for the images of `pixels`, channels last."""
    model = onnx.load(path)
    image = model.graph.input[0]
    wanted = set(layers) - {output.name for output in model.graph.output}
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in sorted(wanted))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    values = pixels(shape) * scale
    types = {TensorProto.FLOAT: np.float32, TensorProto.FLOAT16: np.float16, TensorProto.UINT8: np.uint8}
    values = values.astype(np.float32).astype(types[image.type.tensor_type.elem_type])
    feed = values if nhwc else values.transpose(0, 3, 1, 2)
    results = session.run(layers, {image.name: np.ascontiguousarray(feed)})
    return {name: describe(result, name) for name, result in zip(layers, results)}


# Nobody knows where an If has its channels, so features lie as the model gives them.
UNKNOWN = {"chosen"}


def describe(result, name):
    result = result.astype(np.float64)
    last = result.transpose(0, 2, 3, 1) if result.ndim == 4 and name not in UNKNOWN else result
    flat = last.reshape(-1)
    step = max(1, flat.size // SAMPLES)
    return {
        "shape": list(last.shape),
        "sum": float(flat.sum()),
        "largest": float(np.abs(flat).max()),
        "step": step,
        "samples": [float(f"{value:.9g}") for value in flat[::step][:SAMPLES]],
    }


def main():
    OUT.mkdir(exist_ok=True)
    for stale in OUT.rglob("*.bin"):
        stale.unlink()
    golden = {"onnxruntime": onnxruntime.__version__, "models": {}}
    small = [2, 16, 12, 3]
    for opset in (13, 17, 18, 21):
        model = torch_style(opset)
        layers = ["/features/features.0/Conv_output_0", "/Split_output_1", "/größe/Mul output:0", "logits"]
        if opset >= 17:
            layers += ["/tokens", "/norm/LayerNormalization_output_0", "/blocks.0/Add_output_0"]
        name = f"torch-opset{opset}.onnx"
        golden["models"][name] = {"input": small, "scale": 1 / 255, "layers": run(OUT / name, small, 1 / 255, layers)}
    external(model)
    branches()
    half()
    whole_numbers()
    for name, shape, scale, layers, nhwc in (
        ("branches.onnx", [2, 8, 6, 3], 1 / 255, ["conv", "chosen", "pool"], False),
        ("half.onnx", [2, 8, 6, 3], 1 / 255, ["conv", "pool"], False),
        ("whole-numbers.onnx", [2, 9, 7, 3], 1, ["turned", "conv"], True),
    ):
        golden["models"][name] = {"input": shape, "scale": scale, "layers": run(OUT / name, shape, scale, layers, nhwc)}
    real = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None
    for name, shape, scale, layers in (
        ("version-RFB-320.onnx", [1, 240, 320, 3], 1 / 128, ["245", "247", "264", "374", "scores", "boxes"]),
        ("ch_ppocr_mobile_v2.0_cls_infer.onnx", [2, 48, 192, 3], 1 / 255,
         ["conv2d_53.tmp_0", "hardswish_0.tmp_0", "depthwise_conv2d_0.tmp_0", "batch_norm_1.tmp_2", "softmax_0.tmp_0"]),
    ):
        if real is not None:
            golden["models"][f"real/{name}"] = {"input": shape, "scale": scale, "layers": run(real / name, shape, scale, layers)}
    text = json.dumps(golden, indent=1, ensure_ascii=False)
    (HERE / "onnx.json").write_text(text + "\n")


main()
