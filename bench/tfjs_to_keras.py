"""Rebuilds a TensorFlow.js layers model in Keras, weights and all, saves it, and compares it with the engine's numbers.

For bench/keras.ts: both sides of the benchmark must run the same network. Plain layer classes, Functional or Sequential.
"""

import argparse
import json
import math
import os

import keras
import numpy as np

STORED_TYPES = {"float32": "<f4", "int32": "<i4", "bool": "?", "uint8": "u1", "uint16": "<u2", "float16": "<f2"}
# The weights come from the file, so how Keras would have made or changed them says nothing.
TRAINING_KEYS = ("_initializer", "_regularizer", "_constraint")


def build(path):
    with open(path, encoding="utf8") as file:
        stored = json.load(file)
    topology = stored["modelTopology"].get("model_config", stored["modelTopology"])
    config = topology["config"]
    if isinstance(config, list):  # Sequential before Keras 2.2.3
        config = {"name": "sequential", "layers": config}
    for index, layer in enumerate(config["layers"]):
        if "layers" in layer["config"]:
            raise SystemExit(f"Expected plain layers in {path} but received the nested model {layer['config']['name']}")
        layer["config"] = plain_config(layer, index)
    model = {"Model": keras.Model, "Functional": keras.Model, "Sequential": keras.Sequential}[
        topology["class_name"]
    ].from_config(config)
    assign_weights(model, read_weights(stored["weightsManifest"], os.path.dirname(path)))
    return model


def plain_config(layer, index):
    config = {key: value for key, value in layer["config"].items() if not key.endswith(TRAINING_KEYS)}
    shape = config.pop("batch_input_shape", None)
    if shape is not None and index == 0:
        config["batch_shape"] = shape
    if layer["class_name"] == "InputLayer":
        config.pop("sparse", None)
    return config


def read_weights(manifest, folder):
    weights = {}
    for group in manifest:
        data = b"".join(read_bytes(os.path.join(folder, path)) for path in group["paths"])
        offset = 0
        for spec in group["weights"]:
            quantization = spec.get("quantization")
            dtype = np.dtype(STORED_TYPES[(quantization or spec)["dtype"]])
            count = math.prod(spec["shape"])
            values = np.frombuffer(data, dtype, count, offset)
            offset += count * dtype.itemsize
            if quantization and "scale" in quantization:
                # In double precision and rounded once, as TensorFlow.js does it.
                values = values.astype(np.float64) * quantization["scale"] + quantization["min"]
            weights[spec["name"]] = values.reshape(spec["shape"]).astype(spec["dtype"])
    return weights


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def assign_weights(model, weights):
    """By the name of layer and variable: `Conv1/kernel`, `dense/dense/bias:0`."""
    by_name = {(name.split("/")[0], name.split("/")[-1].split(":")[0]): value for name, value in weights.items()}
    for layer in model.layers:
        for variable in layer.weights:
            # Keras 3 dropped the prefix of DepthwiseConv2D's kernel.
            keys = [(layer.name, prefix + variable.name) for prefix in ("", "depthwise_")]
            key = next((key for key in keys if key in by_name), None)
            if key is None:
                raise SystemExit(f"Expected the weight {'/'.join(keys[0])} in the file but it is not there")
            variable.assign(by_name[key])


def compare(model, layer, probe):
    """Cosine of each row and the largest difference, on the very batch that the engine took."""
    shapes = json.loads(read_bytes(os.path.join(probe, "shapes.json")))
    given, expected = (
        np.fromfile(os.path.join(probe, f"{name}.f32"), "<f4").reshape(shapes[name]) for name in ("input", "output")
    )
    received = keras.Model(model.input, model.get_layer(layer).output).predict(given, verbose=0)
    if received.ndim > 2:
        received = received.mean(axis=tuple(range(1, received.ndim - 1)), dtype=np.float64)
    norms = np.linalg.norm(received, axis=1) * np.linalg.norm(expected, axis=1)
    return {
        "rows": len(expected),
        "minimumCosine": float(((received * expected).sum(axis=1) / norms).min()),
        "maximumDifference": float(np.abs(received - expected).max()),
        "scale": float(np.abs(expected).max()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="model.json of a TensorFlow.js layers model")
    parser.add_argument("--out", required=True, help="the .keras file to write")
    parser.add_argument("--layer", required=True)
    parser.add_argument("--probe", required=True, help="folder with the engine's input and pooled output")
    given = parser.parse_args()
    model = build(given.model)
    model.save(given.out)
    print(json.dumps(compare(model, given.layer, given.probe)))


if __name__ == "__main__":
    main()
