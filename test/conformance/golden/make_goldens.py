"""Writes the small models of small_models.py and Keras' own outputs beside this file.

    PYTHONPATH=<packages of the set "keras">:../../../conformance python3 make_goldens.py keras|tf_keras [NAME …]

Per model and Keras NAME-KERAS.keras or .h5, and NAME-KERAS.json with the outputs (base64 of float32, row-major). Inputs are
drawn by draw_images, which golden.ts repeats number by number: no picture is needed.
"""

import base64
import importlib
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from build_reference import ALIKE, compared_layers, least_cosine, nested_outputs, outputs_of
from reference_weights import flat_layers, initialise, settle_statistics
from small_models import GOLDENS, SIDE

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = 7
STATISTICS_IMAGES = 8
COMPARED_IMAGES = 2
# value = pixel × SCALE + OFFSET, exact in float32; models that prepare their own input get pixels.
SCALE, OFFSET = 1 / 128, -1
OWN_PREPARATION = ("mobilenet-v3", "efficientnet", "efficientnet-v2", "convnext")
LARGEST_OUTPUT = 1536


def draw_images(count, height, width, seed):
    """Twelve rectangles on a ground, all from one linear congruential generator."""
    state = seed

    def below(limit):
        nonlocal state
        state = (state * 1664525 + 1013904223) % 2**32
        return (state >> 16) % limit

    images = np.zeros((count, height, width, 3), "uint8")
    for image in images:
        image[:] = [below(256), below(256), below(256)]
        for _ in range(12):
            top, left = below(height), below(width)
            bottom, right = top + 1 + below(height // 2), left + 1 + below(width // 2)
            image[top:bottom, left:right] = [below(256), below(256), below(256)]
    return images


def round_weights(keras, model):
    """To numbers that float16 holds: the files shrink by half in Git, and nothing else changes."""
    for variable in model.weights:
        value = np.asarray(variable)
        if value.dtype == np.float32:
            variable.assign(value.astype("float16").astype("float32"))
    for layer in flat_layers(keras, model):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # It computes with copies of its weights.


def make(keras, name, build, suffixes):
    keras.backend.clear_session()
    keras.utils.set_random_seed(SEED)
    model = build(keras)
    height, width = (axis or SIDE for axis in model.input_shape[1:3])
    scale, offset = (1, 0) if name in OWN_PREPARATION else (SCALE, OFFSET)
    pixels = draw_images(STATISTICS_IMAGES + COMPARED_IMAGES, height, width, SEED)
    images = pixels.astype("float32") * np.float32(scale) + np.float32(offset)
    initialise(keras, model, SEED)
    settle_statistics(tf, keras, model, images[:STATISTICS_IMAGES])
    round_weights(keras, model)
    compared = images[STATISTICS_IMAGES:]
    layers = [layer for layer in compared_layers(keras, model) if np.prod(one_shape(keras, model, layer, compared)) <= LARGEST_OUTPUT]
    outputs = [(layer.name, value) for layer, value in zip(layers, outputs_of(keras, model, layers, compared))]
    if least_cosine(outputs[-1][1]) >= ALIKE:  # A softmax may level everything out; what goes into it is compared.
        outputs.pop()
    if name not in ("shared", "sequential"):  # A model called twice, and one without weights, are no single layer.
        outputs = nested_outputs(keras, model, compared) + outputs
    classes = {layer.name: type(layer).__name__ for layer in flat_layers(keras, model)}
    for layer, values in outputs:
        alike = least_cosine(values)
        assert np.isfinite(values).all() and alike < ALIKE, f"{name}: {layer} gives cosine {alike}"
    assert len(outputs) >= 3
    stem = f"{name}-{keras.__name__.replace('_', '')}"
    files = [f"{stem}.{suffix}" for suffix in suffixes]
    for file in files:
        model.save(os.path.join(HERE, file))
    golden = {
        "files": files,
        "inputShape": list(compared.shape[1:]),
        "scale": scale,
        "offset": offset,
        "seed": SEED,
        "skip": STATISTICS_IMAGES,
        "rows": COMPARED_IMAGES,
        "layers": [
            {
                "name": layer,
                "className": classes.get(layer.split("/")[-1], "Model"),
                "shape": list(values.shape),
                "values": base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode(),
            }
            for layer, values in outputs
        ],
        "versions": {keras.__name__: keras.__version__, "tensorflow": tf.__version__},
    }
    with open(os.path.join(HERE, f"{stem}.json"), "w", encoding="utf8") as file:
        json.dump(golden, file, indent=1)
        file.write("\n")
    sizes = [os.path.getsize(os.path.join(HERE, file)) for file in [*files, f"{stem}.json"]]
    print(stem, model.count_params(), sizes, [(layer, classes.get(layer.split("/")[-1], "Model"), round(least_cosine(v), 3)) for layer, v in outputs])


def one_shape(keras, model, layer, images):
    return outputs_of(keras, model, [layer], images[:1])[0].shape


def main():
    package, *names = sys.argv[1:]
    keras = importlib.import_module(package)
    for name, build, formats in GOLDENS:
        if package in formats and (not names or name in names):
            make(keras, name, build, formats[package])


if __name__ == "__main__":
    main()
