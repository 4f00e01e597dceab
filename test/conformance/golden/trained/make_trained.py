"""Writes trained.json beside this file: layers of the real Keras files of ../shared/data/models, by tf_keras.

    PYTHONPATH=<packages of the set "keras">:..:../../../../conformance python3 make_trained.py <folder of the models>

The tfjs layers models are rebuilt by tf_keras from their own configuration, their quantised weights decoded here with NumPy
(value = stored * scale + min). Per layer the shape, the largest absolute value and evenly spaced samples. The images are
those of draw_images in ../make_goldens.py.
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tf_keras

from make_goldens import draw_images

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = 11
IMAGES = 2
SAMPLES = 160
# Path: layers, and value = pixel * scale + offset. A preparation of each kind; any would do to compare layers.
MODELS = {
    "keras-h5/mbnet128_0.25.h5": (["conv_dw_2", "conv_pw_6_bn", "conv_pw_13_relu", "LAST"], 1 / 127.5, -1),
    "keras-h5/pretrainedResnet.h5": (["conv2d_1", "add", "activation_6", "LAST"], 1, 0),
    "keras-h5/fer2013_mini_XCEPTION.102-0.66.hdf5": (["conv2d_1", "separable_conv2d_3", "add_3", "LAST"], 1 / 127.5, -1),
    "tfjs-layers-nsfw-mobilenet-v2/model.json": (["Conv1_relu", "block_3_expand", "block_8_add", "out_relu", "LAST"], 1 / 255, 0),
    "tfjs-layers-doodlenet/model.json": (["INDEX:1", "INDEX:4", "LAST"], 1 / 255, 0),
}


def load(path):
    if not path.endswith(".json"):
        return tf_keras.models.load_model(path, compile=False)
    with open(path, encoding="utf8") as file:
        stored = json.load(file)
    topology = stored["modelTopology"]
    model = tf_keras.models.model_from_json(json.dumps(topology.get("model_config", topology)))
    values = dict(read_weights(os.path.dirname(path), stored["weightsManifest"]))
    if not model.built:
        model.build()
    for weight in model.weights:
        weight.assign(values.pop(weight.name.split(":")[0]))
    assert not values, f"weights without a layer: {list(values)}"
    return model


def read_weights(folder, manifest):
    for group in manifest:
        data = b"".join(open(os.path.join(folder, path), "rb").read() for path in group["paths"])
        offset = 0
        for entry in group["weights"]:
            quantization = entry.get("quantization")
            dtype = np.dtype(quantization["dtype"] if quantization else entry["dtype"])
            count = int(np.prod(entry["shape"]))
            stored = np.frombuffer(data, dtype.newbyteorder("<"), count, offset).reshape(entry["shape"])
            offset += count * dtype.itemsize
            yield entry["name"], stored * np.float32(quantization["scale"]) + np.float32(quantization["min"]) if quantization else stored
        assert offset == len(data)


def resolve(model, name):
    if name == "LAST":
        return model.layers[-1].name
    return model.layers[int(name.split(":")[1])].name if name.startswith("INDEX:") else name


def describe(values):
    flat = np.ascontiguousarray(values, "float32").reshape(-1)
    step = max(1, flat.size // SAMPLES)
    return {
        "shape": list(values.shape),
        "largest": float(np.abs(flat).max()),
        "step": step,
        "samples": [float(value) for value in flat[::step]],
    }


def main():
    (folder,) = sys.argv[1:]
    models = {}
    for path, (wanted, scale, offset) in MODELS.items():
        tf_keras.backend.clear_session()
        model = load(os.path.join(folder, path))
        height, width, channels = model.input_shape[1:]
        pixels = draw_images(IMAGES, height, width, SEED)[..., :channels]
        images = pixels.astype("float32") * np.float32(scale) + np.float32(offset)
        names = [resolve(model, name) for name in wanted]
        outputs = tf_keras.Model(model.inputs, [model.get_layer(name).output for name in names]).predict(images, verbose=0)
        models[path] = {
            "inputShape": [height, width, channels],
            "scale": scale,
            "offset": offset,
            "classes": [type(layer).__name__ for layer in model.layers],
            "layers": {name: describe(values) for name, values in zip(names, outputs)},
        }
        print(path, len(model.layers), {name: (v.shape, float(np.abs(v[0] - v[1]).max()), float(np.abs(v).max())) for name, v in zip(names, outputs)})
    result = {"tf_keras": tf_keras.__version__, "seed": SEED, "images": IMAGES, "models": models}
    with open(os.path.join(HERE, "trained.json"), "w", encoding="utf8") as file:
        json.dump(result, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
