"""A small TensorFlow.js graph model with control flow, and its values by TensorFlow: writes small-graph-model/ and small-graph-model.json.

Weights of one group lie in three shards and cross from one into the next; one is quantised to uint8.
Run with TensorFlow 2.21: python3 make_small_graph_model.py
"""
import json, os
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "small-graph-model")
SHAPE = [12, 10, 3]
rng = np.random.default_rng(9)
scale, low = np.float32(0.01), np.float32(-1.2)
stored = rng.integers(0, 256, [3, 3, 3, 4]).astype(np.uint8)
KERNEL = (stored * np.float64(scale) + low).astype(np.float32)


@tf.function(input_signature=[tf.TensorSpec([None, *SHAPE], tf.float32, name="image")], autograph=False)
def serve(image):
    x = tf.subtract(tf.multiply(image, 2.0, name="scale"), 1.0, name="shift")
    x = tf.nn.conv2d(x, tf.constant(KERNEL, name="kernel"), 2, "SAME", name="conv")
    left, right = tf.split(x, 2, axis=3, name="halves")
    x = tf.nn.relu(left - right, name="relu")
    x = tf.cond(tf.reduce_mean(x) > 100.0, lambda: x + 1.0, lambda: x * 3.0)
    _, x = tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 0.5), [0, x])
    x = tf.reduce_mean(x, [1, 2], name="pooled")
    return tf.identity(x, name="features"), tf.argmax(x, 1, output_type=tf.int32, name="best")


def take_constants(nodes, prefix, weights):
    """Constants leave the graph for the shards, as TensorFlow.js wants it; in functions under a name of their own."""
    renamed = {}
    for node in nodes:
        if node.op != "Const":
            continue
        if prefix:
            renamed[node.name] = prefix + node.name
            node.name = renamed[node.name]
        value = tf.make_ndarray(node.attr["value"].tensor)
        weights.append((node.name, value))
        node.attr["value"].tensor.ClearField("tensor_content")
        for field in ["float_val", "int_val"]: node.attr["value"].tensor.ClearField(field)
    for node in nodes:
        for i, name in enumerate(node.input):
            head, *rest = name.split(":")
            if head in renamed: node.input[i] = ":".join([renamed[head], *rest])


concrete = serve.get_concrete_function()
graph = convert_variables_to_constants_v2(concrete, lower_control_flow=False).graph.as_graph_def()
weights = []
take_constants(graph.node, "", weights)
for function in graph.library.function:
    take_constants(function.node_def, function.signature.name + "/", weights)
data, specs = b"", []
for name, value in weights:
    spec = {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}
    if value.shape == KERNEL.shape:
        spec["quantization"] = {"dtype": "uint8", "scale": float(scale), "min": float(low)}
        value = stored
    data += value.tobytes()
    specs.append(spec)
os.makedirs(FOLDER, exist_ok=True)
paths = [f"group1-shard{i + 1}of3.bin" for i in range(3)]
cuts = [0, 7, len(data) // 2 + 1, len(data)]
for path, start, end in zip(paths, cuts, cuts[1:]):
    open(os.path.join(FOLDER, path), "wb").write(data[start:end])
features, best = [tensor.name for tensor in concrete.outputs]
model = {
    "format": "graph-model", "generatedBy": tf.__version__, "convertedBy": "make_small_graph_model.py",
    "signature": {"inputs": {"image": {"name": "image:0", "dtype": "DT_FLOAT", "tensorShape": {
                      "dim": [{"size": "-1"}, *[{"size": str(axis)} for axis in SHAPE]]}}},
                  "outputs": {"features": {"name": features}, "best": {"name": best}}},
    "modelTopology": json_format.MessageToDict(graph),
    "weightsManifest": [{"paths": paths, "weights": specs}],
}
json.dump(model, open(os.path.join(FOLDER, "model.json"), "w"))
open(os.path.join(FOLDER, "model.json"), "a").write("\n")

# The test makes the same input: whole numbers, so that both are exact.
count = 2 * int(np.prod(SHAPE))
image = (np.arange(count) * 7919 % 65521 % 256 / 255).astype(np.float32).reshape([2, *SHAPE])
conv = tf.nn.conv2d(image * 2.0 - 1.0, KERNEL, 2, "SAME")
left, right = tf.split(conv, 2, axis=3)
relu = tf.nn.relu(left - right)
pooled = tf.reduce_mean(relu * 3.0 / 8.0, [1, 2])
values = {"shift": image * 2.0 - 1.0, "conv": conv, "halves": left, "halves#1": right, "relu": relu, "pooled": pooled,
          "best": tf.cast(tf.argmax(pooled, 1), tf.float32)[:, None]}
goldens = {}
for layer, value in values.items():
    value = np.asarray(value)
    flat = value.reshape(-1).astype(np.float64)
    step = max(1, len(flat) // 48)
    goldens[layer] = {"shape": list(value.shape), "norm": float(np.linalg.norm(flat)), "step": step,
                      "samples": [float(f"{x:.8g}") for x in flat[::step]]}
with open(os.path.join(HERE, "small-graph-model.json"), "w") as file:
    json.dump({"versions": {"tensorflow": tf.__version__}, "models": {"small-graph-model": goldens}}, file, indent=1)
    file.write("\n")
