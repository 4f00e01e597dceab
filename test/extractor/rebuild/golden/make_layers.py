"""Writes the goldens of test/extractor/rebuild: for every layer class a tiny model with random weights, an input and
what Keras computes. Run with Keras 3 and tf_keras installed: python3 make_layers.py
"""
import base64
import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras as keras3
import numpy as np
import tensorflow as tf
import tf_keras as keras2

HERE = pathlib.Path(__file__).parent
IMAGE = (5, 6, 3)


def encode(array):
    array = np.asarray(array, dtype="float32")
    return {"shape": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


def plain(value):
    if isinstance(value, (np.integer, np.floating)):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)


class Golden:
    """Cases of one family, for one Keras."""

    def __init__(self, keras, name):
        self.keras, self.name, self.cases = keras, name, {}

    def add(self, name, build, *shapes, low=-2.0, high=2.0, open_axes=False):
        self.keras.backend.clear_session()
        seed = sum(name.encode()) + len(self.cases)
        rng = np.random.default_rng(seed)
        shapes = shapes or (IMAGE,)
        names = [f"input_{i}" for i in range(len(shapes))]
        declared = [tuple([None, None, *s[2:]]) if open_axes and len(s) == 3 else s for s in shapes]
        inputs = [self.keras.Input(s, name=n) for s, n in zip(declared, names)]
        made = build(*inputs)
        outputs = made if isinstance(made, (list, tuple)) else [made]
        model = self.keras.Model(inputs, list(outputs), name="case")
        weights = {}
        for layer in model.layers:
            values = []
            for weight in layer.weights:
                shape = tuple(weight.shape)
                positive = "variance" in weight.name or "count" in weight.name
                value = rng.uniform(0.5, 1.5, shape) if positive else rng.uniform(-1, 1, shape)
                values.append(value.astype("float32"))
            if not values:
                continue
            layer.set_weights(values)
            if hasattr(layer, "finalize_state"):
                layer.finalize_state()
            weights[layer.name] = [
                {"name": w.name.split("/")[-1].split(":")[0], **encode(v)} for w, v in zip(layer.weights, values)
            ]
        data = [rng.uniform(low, high, (2, *s)).astype("float32") for s in shapes]
        results = [np.asarray(r) for r in self.keras.Model(inputs, list(outputs))(data if len(data) > 1 else data[0], training=False)] if len(outputs) > 1 else [np.asarray(model(data if len(data) > 1 else data[0], training=False))]
        config = json.loads(json.dumps({"class_name": "Functional", "config": model.get_config()}, default=plain))
        self.cases[name] = {
            "model": config,
            "weights": weights,
            "inputs": [encode(d) for d in data],
            "outputs": [encode(r) for r in results],
        }

    def write(self):
        version = self.keras.__version__
        text = ",\n".join(f"{json.dumps(k)}:{json.dumps(v, separators=(',', ':'))}" for k, v in self.cases.items())
        (HERE / f"{self.name}.json").write_text('{"keras":"%s","cases":{\n%s\n}}\n' % (version, text))


def convolution(keras, name):
    L = keras.layers
    g = Golden(keras, name)
    g.add("Conv2D same strides", lambda x: L.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x))
    g.add("Conv2D valid dilated without bias", lambda x: L.Conv2D(4, (2, 3), dilation_rate=2, use_bias=False)(x))
    g.add("Conv2D groups", lambda x: L.Conv2D(6, 3, groups=2, padding="same", activation="tanh")(x), (5, 6, 4))
    g.add("Conv2D groups strided", lambda x: L.Conv2D(8, 3, groups=4, strides=2, use_bias=False)(x), (7, 7, 8))
    g.add("Conv2D open axes", lambda x: L.Conv2D(4, 3, padding="same")(x), open_axes=True)
    g.add("Conv1D causal", lambda x: L.Conv1D(4, 3, padding="causal", dilation_rate=2)(x), (8, 3))
    g.add("Conv1D same", lambda x: L.Conv1D(4, 3, padding="same", strides=2, activation="sigmoid")(x), (8, 3))
    g.add("Conv3D", lambda x: L.Conv3D(3, 2, padding="same")(x), (4, 5, 4, 2))
    g.add("Conv2DTranspose same", lambda x: L.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu")(x))
    g.add("Conv2DTranspose valid", lambda x: L.Conv2DTranspose(4, (2, 3), strides=(3, 2))(x))
    g.add("Conv2DTranspose output padding", lambda x: L.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=1)(x))
    g.add("Conv2DTranspose output padding valid", lambda x: L.Conv2DTranspose(2, 3, strides=2, output_padding=1)(x))
    g.add("Conv1DTranspose", lambda x: L.Conv1DTranspose(3, 3, strides=2, padding="same")(x), (6, 2))
    g.add("DepthwiseConv2D", lambda x: L.DepthwiseConv2D(3, strides=2, padding="same")(x))
    g.add("DepthwiseConv2D multiplier", lambda x: L.DepthwiseConv2D(3, depth_multiplier=2, activation="relu6" if keras is keras3 else "relu")(x))
    g.add("DepthwiseConv2D dilated", lambda x: L.DepthwiseConv2D(2, dilation_rate=2, padding="same", depth_multiplier=2)(x))
    g.add("DepthwiseConv1D", lambda x: L.DepthwiseConv1D(3, padding="same", depth_multiplier=2)(x), (7, 3))
    g.add("SeparableConv2D", lambda x: L.SeparableConv2D(4, 3, padding="same", strides=2, depth_multiplier=2, activation="relu")(x))
    g.add("SeparableConv2D without bias", lambda x: L.SeparableConv2D(4, (3, 2), use_bias=False)(x))
    g.add("SeparableConv1D", lambda x: L.SeparableConv1D(4, 3, padding="same")(x), (7, 3))
    g.add("Dense", lambda x: L.Dense(4, activation="softmax")(x), (6,))
    g.add("Dense on an image", lambda x: L.Dense(4, activation="relu")(x))
    g.add("Dense without bias", lambda x: L.Dense(4, use_bias=False)(x), (3, 5))
    g.add("EinsumDense", lambda x: L.EinsumDense("abc,cde->abde", output_shape=(None, 2, 4), bias_axes="de", activation="relu")(x), (3, 5))
    g.add("EinsumDense ellipsis", lambda x: L.EinsumDense("...x,xy->...y", output_shape=(4,), bias_axes="y")(x), (3, 5))
    g.add("EinsumDense contracted", lambda x: L.EinsumDense("abde,dec->abc", output_shape=(None, 6), bias_axes="c")(x), (3, 2, 4))
    g.add("Embedding", lambda x: L.Embedding(7, 4)(x), (5,), low=0, high=6.99)
    g.add("shared layer", lambda x, y: (lambda conv: [conv(x), conv(y), L.Add()([conv(x), conv(y)])])(L.Conv2D(3, 3, padding="same", name="shared")), IMAGE, IMAGE)
    g.write()


ACTIVATIONS_2 = ["linear", "relu", "elu", "selu", "gelu", "swish", "sigmoid", "hard_sigmoid", "softmax", "softplus", "softsign", "tanh", "exponential", "mish"]
ACTIVATIONS_3 = ACTIVATIONS_2 + ["relu6", "leaky_relu", "celu", "silu", "hard_silu", "log_sigmoid", "log_softmax", "soft_shrink", "hard_shrink", "tanh_shrink", "hard_tanh", "threshold", "squareplus", "sparse_plus", "sparse_sigmoid", "glu", "sparsemax"]


def activations(keras, name):
    L = keras.layers
    g = Golden(keras, name)
    for activation in ACTIVATIONS_3 if keras is keras3 else ACTIVATIONS_2:
        if activation not in ("glu", "sparsemax", "threshold"):
            g.add(f"Activation {activation}", lambda x: L.Activation(activation)(x), (3, 4), low=-4, high=4)
    for activation in ["gelu", "swish", "hard_sigmoid", "elu", "exponential"]:
        g.add(f"Conv2D with {activation}", lambda x: L.Conv2D(3, 2, activation=activation)(x))
        g.add(f"Dense with {activation}", lambda x: L.Dense(3, activation=activation)(x), (4,))
    slope = {"negative_slope": 0.1}
    g.add("ReLU", lambda x: L.ReLU()(x))
    g.add("ReLU max", lambda x: L.ReLU(max_value=1.5)(x))
    g.add("ReLU six", lambda x: L.ReLU(6.0)(x), low=-8, high=8)
    g.add("ReLU slope threshold max", lambda x: L.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.5)(x))
    g.add("ReLU threshold", lambda x: L.ReLU(threshold=0.7)(x))
    g.add("LeakyReLU", lambda x: (L.LeakyReLU(**slope) if keras is keras3 else L.LeakyReLU(alpha=0.1))(x))
    g.add("LeakyReLU default", lambda x: L.LeakyReLU()(x))
    g.add("PReLU", lambda x: L.PReLU()(x))
    g.add("PReLU shared", lambda x: L.PReLU(shared_axes=[1, 2])(x))
    g.add("PReLU shared open", lambda x: L.PReLU(shared_axes=[1, 2])(x), open_axes=True)
    g.add("ELU", lambda x: L.ELU(alpha=0.7)(x))
    g.add("ELU default", lambda x: L.ELU()(x))
    g.add("Softmax", lambda x: L.Softmax()(x))
    g.add("Softmax axis", lambda x: L.Softmax(axis=1)(x))
    g.add("Softmax axes", lambda x: L.Softmax(axis=[1, 2])(x))
    if keras is keras2:
        g.add("ThresholdedReLU", lambda x: L.ThresholdedReLU(theta=0.6)(x))
        g.add("Activation relu6 function", lambda x: L.Activation(tf.nn.relu6)(x), low=-8, high=8)
        g.add("Activation silu function", lambda x: L.Activation(tf.nn.silu)(x))
    else:
        g.add("activation layer inside", lambda x: L.Dense(3, activation=L.LeakyReLU(negative_slope=0.3))(x), (4,))
    g.write()


def normalization(keras, name):
    L = keras.layers
    g = Golden(keras, name)
    g.add("BatchNormalization", lambda x: L.BatchNormalization()(x))
    g.add("BatchNormalization without scale", lambda x: L.BatchNormalization(scale=False, epsilon=1e-5)(x))
    g.add("BatchNormalization without centre", lambda x: L.BatchNormalization(center=False)(x), (6,))
    g.add("BatchNormalization axis 1", lambda x: L.BatchNormalization(axis=1)(x))
    g.add("BatchNormalization rank 5", lambda x: L.BatchNormalization()(x), (2, 3, 2, 3))
    g.add("LayerNormalization", lambda x: L.LayerNormalization(epsilon=1e-6)(x))
    g.add("LayerNormalization axes", lambda x: L.LayerNormalization(axis=[1, 2])(x))
    g.add("LayerNormalization first axis", lambda x: L.LayerNormalization(axis=1, center=False)(x))
    g.add("LayerNormalization without scale", lambda x: L.LayerNormalization(scale=False)(x), (4, 6))
    g.add("GroupNormalization", lambda x: L.GroupNormalization(groups=2)(x), (4, 5, 6))
    g.add("GroupNormalization instance", lambda x: L.GroupNormalization(groups=-1)(x))
    g.add("GroupNormalization axis", lambda x: L.GroupNormalization(groups=3, axis=2, scale=False)(x))
    g.add("UnitNormalization", lambda x: L.UnitNormalization()(x))
    g.add("UnitNormalization axis", lambda x: L.UnitNormalization(axis=1)(x))
    g.add("Normalization adapted", lambda x: L.Normalization()(x))
    g.add("Normalization adapted two axes", lambda x: L.Normalization(axis=[1, -1])(x))
    g.add("Normalization adapted to one mean", lambda x: L.Normalization(axis=None)(x))
    g.add("Normalization given", lambda x: L.Normalization(mean=[0.1, 0.2, 0.3], variance=[0.5, 1.0, 2.0])(x))
    g.add("Normalization given scalar", lambda x: L.Normalization(mean=0.5, variance=4.0, axis=None)(x))
    g.add("Normalization inverted", lambda x: L.Normalization(mean=[0.1, 0.2, 0.3], variance=[0.5, 1.0, 2.0], invert=True)(x))
    g.add("Rescaling", lambda x: L.Rescaling(1 / 127.5, offset=-1)(x), high=255)
    g.add("Rescaling per channel", lambda x: L.Rescaling([0.1, 0.2, 0.3], offset=[1.0, 2.0, 3.0])(x))
    if keras is keras3:
        g.add("LayerNormalization rms", lambda x: L.LayerNormalization(rms_scaling=True)(x))
        g.add("RMSNormalization", lambda x: L.RMSNormalization()(x))
        from keras.src.applications.convnext import LayerScale, StochasticDepth
    else:
        from tf_keras.src.applications.convnext import LayerScale, StochasticDepth
    g.add("LayerScale and StochasticDepth", lambda x: StochasticDepth(0.1)(LayerScale(1e-6, 3)(x)))
    g.write()


if __name__ == "__main__":
    for version, keras in (("keras3", keras3), ("keras2", keras2)):
        for family in (convolution, activations, normalization):
            family(keras, f"{version}-{family.__name__}")
