"""Inner tensors of real TensorFlow.js graph models by TensorFlow in Python: writes graph-models.json beside this script.

An own small interpreter of the node list, so that neither TensorFlow.js nor its converter has a part in the numbers.
Run with TensorFlow 2.21: python3 make_graph_model_goldens.py DATA_FOLDER
"""
import base64, json, os, sys
import numpy as np
import tensorflow as tf

MODELS = {
    "tfjs-graph-nsfw-mobilenet-v2-mid/model.json": [
        "hub_input/Sub", "MobilenetV2/Conv/Relu6", "expanded_conv_5/add", "expanded_conv_12/depthwise/depthwise",
        "Conv_1/Relu6", "SpatialSqueeze", "dense/BiasAdd", "Identity"],
    "tfjs-graph-emotion/emotion.json": [
        "block1_conv1_act/Relu", "separable_conv2d_2/separable_conv2d/depthwise", "max_pooling2d_1/MaxPool", "add_2/add",
        "global_average_pooling2d_1/Mean", "Identity"],
}
SAMPLES = 96


def weights_of(folder, manifest):
    values = {}
    for group in manifest:
        data = b"".join(open(os.path.join(folder, path), "rb").read() for path in group["paths"])
        at = 0
        for spec in group["weights"]:
            quantization = spec.get("quantization")
            dtype = np.dtype(quantization["dtype"] if quantization else spec["dtype"])
            count = int(np.prod(spec["shape"], dtype=np.int64))
            stored = np.frombuffer(data, dtype, count, at)
            at += count * dtype.itemsize
            if quantization:
                stored = (stored * np.float64(quantization["scale"]) + quantization["min"]).astype(np.float32)
            values[spec["name"]] = tf.constant(stored.reshape(spec["shape"]))
    return values


def text(attr, name):
    return base64.b64decode(attr[name]["s"]).decode()


def ints(attr, name):
    return [int(value) for value in attr[name]["list"]["i"]]


def fused(value, attr, extra):
    for op in [base64.b64decode(op).decode() for op in attr.get("fused_ops", {}).get("list", {}).get("s", [])]:
        if op == "BiasAdd": value = value + extra.pop(0)
        elif op == "Relu": value = tf.nn.relu(value)
        elif op == "Relu6": value = tf.nn.relu6(value)
        else: raise ValueError(op)
    return value


def compute(node, values):
    op, attr = node["op"], node.get("attr", {})
    a = [values[name.split(":")[0]] for name in node.get("input", []) if not name.startswith("^")]
    if op == "Identity": return a[0]
    if op == "Mul": return a[0] * a[1]
    if op == "Sub": return a[0] - a[1]
    if op == "AddV2": return a[0] + a[1]
    if op == "Relu": return tf.nn.relu(a[0])
    if op == "Softmax": return tf.nn.softmax(a[0])
    if op == "Mean": return tf.reduce_mean(a[0], a[1], keepdims=bool(attr.get("keep_dims", {}).get("b")))
    if op == "Squeeze": return tf.squeeze(a[0], ints(attr, "squeeze_dims"))
    if op == "MaxPool": return tf.nn.max_pool2d(a[0], ints(attr, "ksize"), ints(attr, "strides"), text(attr, "padding"))
    if op == "AvgPool": return tf.nn.avg_pool2d(a[0], ints(attr, "ksize"), ints(attr, "strides"), text(attr, "padding"))
    if op == "_FusedMatMul": return fused(tf.matmul(a[0], a[1]), attr, a[2:])
    if op in ("_FusedConv2D", "Conv2D"):
        return fused(tf.nn.conv2d(a[0], a[1], ints(attr, "strides"), text(attr, "padding")), attr, a[2:])
    if op in ("FusedDepthwiseConv2dNative", "DepthwiseConv2dNative"):
        return fused(tf.nn.depthwise_conv2d(a[0], a[1], ints(attr, "strides"), text(attr, "padding")), attr, a[2:])
    raise ValueError(op)


def main(data):
    goldens = {}
    for file, endings in MODELS.items():
        path = os.path.join(data, "models", file)
        model = json.load(open(path))
        values = weights_of(os.path.dirname(path), model["weightsManifest"])
        nodes = model["modelTopology"]["node"]
        image = next(node for node in nodes if node["op"] == "Placeholder")
        shape = [int(dim["size"]) for dim in image["attr"]["shape"]["shape"]["dim"]][1:]
        # The test makes the same input: whole numbers, so that both are exact.
        count = 2 * int(np.prod(shape))
        values[image["name"]] = tf.constant((np.arange(count) * 7919 % 65521 % 256 / 255).astype(np.float32).reshape([2, *shape]))
        pending = [node for node in nodes if node["name"] not in values]
        while pending:
            ready = [n for n in pending if all(i.split(":")[0] in values for i in n.get("input", []) if not i.startswith("^"))]
            for node in ready: values[node["name"]] = compute(node, values)
            pending = [node for node in pending if node["name"] not in values]
        layers = {}
        for ending in endings:
            name = next(node["name"] for node in nodes if node["name"].endswith(ending))
            value = values[name].numpy()
            flat = value.reshape(-1).astype(np.float64)
            step = max(1, len(flat) // SAMPLES)
            layers[name] = {"shape": list(value.shape), "norm": float(np.linalg.norm(flat)), "step": step,
                           "samples": [float(f"{x:.8g}") for x in flat[::step]]}
        goldens[file] = layers
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "graph-models.json")
    json.dump({"tensorflow": tf.__version__, "models": goldens}, open(target, "w"), indent=1)
    open(target, "a").write("\n")


main(sys.argv[1])
