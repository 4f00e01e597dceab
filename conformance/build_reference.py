"""One architecture of keras.applications with settled random weights: its files and its own outputs. For reference.ts.

Writes into --out: model.keras and model.h5, input.npy (the very tensor that the model was given, so that preprocessing is
no part of the comparison), layer-N.npy with Keras' float32 outputs, and reference.json. With --float64 it reads what an
earlier call wrote, and adds how far Keras' own float32 lies from float64.
"""

import argparse
import importlib
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image

from reference_weights import flat_layers, initialise, settle_statistics

STATISTICS_PHOTOS = 8
COMPARED_PHOTOS = 4
SEED = 20_240
DEFAULT_SIZE = 224
ALIKE = 0.97
HEAD_LAYERS = 5
# Draws of weights in turn: the mean gamma of batch normalisations. The smaller the gamma, the closer a network
# stays to a linear one. And what a draw may make of a change of the input by 1e-6 of its largest value.
DRAWS = (1.0, 0.3, 0.1)
INPUT_CHANGE = 1e-6
LARGEST_AMPLIFICATION = 100
# Beyond this the float64 model is no measure of rounding.
LARGEST_OWN = 0.05


def architectures(keras):
    """All of them, from the module itself."""
    names = [name for name in dir(keras.applications) if name[0].isupper()]
    return [name for name in names if callable(getattr(keras.applications, name))]


def build(keras, name):
    return getattr(keras.applications, name)(weights=None)


def load_photos(paths, size):
    photos = [Image.open(path).convert("RGB").resize(size, Image.Resampling.BILINEAR) for path in paths]
    return np.stack([np.asarray(photo, "float32") for photo in photos])


def preprocess(keras, name, pixels):
    """An architecture whose graph prepares its input has a function that changes nothing."""
    module = sys.modules[getattr(keras.applications, name).__module__]
    return np.ascontiguousarray(module.preprocess_input(pixels.copy()), "float32")


def compared_layers(keras, model):
    """Early, middle and last spatial layers of different classes, what goes into the head, and the predictions."""
    spatial = [layer for layer in model.layers if is_spatial(layer)]
    chosen = []
    for place in (0.12, 0.35, 0.6, 0.85):
        chosen.append(nearest_of_new_class(spatial, place, chosen))
    chosen.append(spatial[-1])
    # What the head's dense layers make of the image: the last layer before the softmax stands among them.
    flat = [layer for layer in model.layers[model.layers.index(spatial[-1]) + 1 :] if rank(layer) in (2, 4)]
    chosen += [layer for layer in flat if type(layer).__name__ != "Dropout"][-HEAD_LAYERS:]
    unique = {layer.name: layer for layer in chosen}
    return sorted(unique.values(), key=model.layers.index)


def nearest_of_new_class(layers, place, chosen):
    target = place * (len(layers) - 1)
    seen = {type(layer).__name__ for layer in chosen} | {"Dropout", "ZeroPadding2D", "StochasticDepth"}
    window = max(4, len(layers) // 12)
    near = [i for i in range(len(layers)) if abs(i - target) <= window and type(layers[i]).__name__ not in seen]
    return layers[min(near or [round(target)], key=lambda i: abs(i - target))]


def is_spatial(layer):
    return type(layer).__name__ != "InputLayer" and rank(layer) == 4 and 1 not in layer.output.shape[1:3]


def rank(layer):
    return len(layer.output.shape) if hasattr(layer.output, "shape") else 0


def outputs_of(keras, model, layers, inputs):
    tensors = [output_of(keras, layer) for layer in layers]
    outputs = keras.Model(model.inputs, tensors).predict(inputs, batch_size=2, verbose=0)
    return outputs if isinstance(outputs, list) else [outputs]


def output_of(keras, layer):
    """For a nested model that of its call in the outer model: `output` is the one of its own graph in tf_keras."""
    if not isinstance(layer, keras.Model):
        return layer.output
    nodes = layer._inbound_nodes
    outputs = nodes[-1].output_tensors if hasattr(nodes[-1], "output_tensors") else nodes[-1].outputs
    return outputs[0] if isinstance(outputs, (list, tuple)) else outputs


def nested_outputs(keras, model, inputs):
    """The first inner layer of the first nested model: (path, values), or nothing."""
    nested = next((layer for layer in model.layers if isinstance(layer, keras.Model)), None)
    if nested is None:
        return []
    before = model.layers[model.layers.index(nested) - 1]
    values = inputs if type(before).__name__ == "InputLayer" else outputs_of(keras, model, [before], inputs)[0]
    inner = next(layer for layer in nested.layers if layer.weights)
    given = keras.Input(values.shape[1:])
    outer = given
    for layer in nested.layers:
        outer = outer if type(layer).__name__ == "InputLayer" else layer(outer)
        if layer is inner:
            break
    return [(f"{nested.name}/{inner.name}", keras.Model(given, outer).predict(values, batch_size=2, verbose=0))]


def least_cosine(values):
    """Of all pairs of photos: 1 where the layer ignores the image."""
    rows = values.reshape(len(values), -1).astype("float64")
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return float((rows @ rows.T).min())


def steadiest_draw(tf, keras, model, settling, layers, compared):
    """Gives the model the first weights of DRAWS under which it does not amplify rounding, else the best of them.

    Some random networks are chaotic: a change of the input by 1e-6 moves their last layer by 1e-2, and so does any other
    order of additions, Keras' own included. No engine is asked before the choice is made.
    """
    best, weights = None, None
    for gamma in DRAWS:
        draw = try_draw(tf, keras, model, settling, layers, compared, gamma)
        # Networks of ReLUs alone are as they are, whatever the gamma.
        has_helped = best is None or draw["amplification"] < best["amplification"] / 2
        if best is None or draw["amplification"] < best["amplification"]:
            best, weights = draw, model.get_weights()
        if draw["amplification"] <= LARGEST_AMPLIFICATION or not has_helped:
            break
    model.set_weights(weights)
    return best


def try_draw(tf, keras, model, settling, layers, compared, gamma):
    initialise(keras, model, SEED, gamma)
    settle_statistics(tf, keras, model, settling)
    outputs = outputs_of(keras, model, layers, compared)
    change = np.random.default_rng(SEED).uniform(-INPUT_CHANGE, INPUT_CHANGE, compared.shape) * np.abs(compared).max()
    moved = outputs_of(keras, model, layers, (compared + change).astype("float32"))
    amplification = max(distance(after, before)["relative"] for after, before in zip(moved, outputs)) / INPUT_CHANGE
    # The last ones may be predictions, which count only where they differ.
    is_blind = any(least_cosine(value) >= ALIKE for value in outputs[:-1])
    amplification = float(amplification) if np.isfinite(amplification) and not is_blind else 1e30
    print(f"gamma {gamma}: amplifies {amplification:.0f} times", file=sys.stderr)
    return {"gamma": gamma, "outputs": outputs, "amplification": amplification}


def write_reference(given, tf, keras):
    with open(given.photos, encoding="utf8") as file:
        photos = json.load(file)
    keras.utils.set_random_seed(SEED)
    model = build(keras, given.architecture)
    # MobileNetV3 leaves its input size open: one more thing to read right.
    size = (model.input_shape[2] or DEFAULT_SIZE, model.input_shape[1] or DEFAULT_SIZE)
    inputs = preprocess(keras, given.architecture, load_photos(photos, size))
    compared = inputs[STATISTICS_PHOTOS : STATISTICS_PHOTOS + COMPARED_PHOTOS]
    layers = compared_layers(keras, model)
    draw = steadiest_draw(tf, keras, model, inputs[:STATISTICS_PHOTOS], layers, compared)
    outputs = list(zip((layer.name for layer in layers), draw["outputs"]))
    # A softmax over large logits (VGG has no normalisation) is 0 or 1 for every photo and would prove nothing.
    if least_cosine(outputs[-1][1]) >= ALIKE and len(outputs) > 3:
        outputs.pop()
    outputs = nested_outputs(keras, model, compared) + outputs
    classes = {layer.name: type(layer).__name__ for layer in flat_layers(keras, model)}
    np.save(os.path.join(given.out, "input.npy"), compared)
    rows = []
    for index, (name, values) in enumerate(outputs):
        np.save(os.path.join(given.out, f"layer-{index}.npy"), np.ascontiguousarray(values))
        rows.append(
            {
                "name": name,
                "className": classes.get(name) or classes.get(name.split("/")[-1], "Model"),
                "file": f"layer-{index}.npy",
                "finite": bool(np.isfinite(values).all()),
                "leastCosine": least_cosine(values),
            }
        )
    for suffix in filter(None, given.formats.split(",")):
        model.save(os.path.join(given.out, f"model.{suffix}"))
    reference = {
        "architecture": given.architecture,
        "keras": given.keras,
        "parameters": int(model.count_params()),
        "gamma": draw["gamma"],
        "amplification": draw["amplification"],
        "inputShape": list(compared.shape[1:]),
        "layers": rows,
        "versions": {given.keras: keras.__version__, "tensorflow": tf.__version__, "numpy": np.__version__},
    }
    with open(os.path.join(given.out, "reference.json"), "w", encoding="utf8") as file:
        json.dump(reference, file, indent=1)
    print(json.dumps(reference))


def write_float64(given, keras):
    """The same weights, image and code in float64: per layer the largest relative difference and the least cosine."""
    path = os.path.join(given.out, "reference.json")
    with open(path, encoding="utf8") as file:
        reference = json.load(file)
    saved = next(name for name in ("model.keras", "model.h5") if os.path.exists(os.path.join(given.out, name)))
    weights = keras.models.load_model(os.path.join(given.out, saved), compile=False).get_weights()
    keras.backend.clear_session()  # Layers without a name are numbered from the start again.
    keras.backend.set_floatx("float64")
    keras.mixed_precision.set_global_policy("float64")
    model = build(keras, given.architecture)
    model.set_weights(weights)
    for layer in flat_layers(keras, model):
        # Keras 3 divides by a value that only this derives from the weights.
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    inputs = np.load(os.path.join(given.out, "input.npy")).astype("float64")
    # The others stand in a nested model; a slash alone does not tell (`expanded_conv/project` of tf_keras).
    known = {layer.name for layer in model.layers}
    names = [row["name"] for row in reference["layers"] if row["name"] in known]
    exact = dict(nested_outputs(keras, model, inputs))
    exact.update(zip(names, outputs_of(keras, model, [model.get_layer(name) for name in names], inputs)))
    for row in reference["layers"]:
        values = np.load(os.path.join(given.out, row["file"]))
        assert exact[row["name"]].dtype == np.float64, "Expected Keras to compute in float64"
        row["float64"] = distance(values, exact[row["name"]])
        if row["float64"]["relative"] > LARGEST_OWN:
            raise ValueError(f"{row['name']} is {row['float64']['relative']:.1e} away in float64: that is another model")
    with open(path, "w", encoding="utf8") as file:
        json.dump(reference, file, indent=1)
    print(json.dumps(reference))


def distance(values, exact):
    rows, others = (array.reshape(len(array), -1).astype("float64") for array in (values, exact))
    cosines = (rows * others).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(others, axis=1)
    return {"relative": float(np.abs(rows - others).max() / np.abs(others).max()), "cosine": float(cosines.min())}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keras", choices=("keras", "tf_keras"), required=True)
    parser.add_argument("--list", action="store_true", help="print the architectures as JSON and end")
    parser.add_argument("--architecture")
    parser.add_argument("--photos", help="JSON list of at least 12 image files")
    parser.add_argument("--out", help="an existing folder")
    parser.add_argument("--formats", default="keras,h5")
    parser.add_argument("--float64", action="store_true")
    given = parser.parse_args()
    keras = importlib.import_module(given.keras)
    if given.list:
        print(json.dumps(architectures(keras)))
    elif given.float64:
        write_float64(given, keras)
    else:
        import tensorflow as tf

        write_reference(given, tf, keras)


if __name__ == "__main__":
    main()
