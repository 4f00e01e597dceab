"""Writes the goldens of test/extractor/rebuild: for every layer class a tiny model with random weights, an input and
what Keras computes. Run with Keras 3 and tf_keras installed: python3 make_layers.py [part of a file's name, …]
"""
import base64
import json
import os
import pathlib
import sys

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
        computed = model(data if len(data) > 1 else data[0], training=False)
        results = [np.asarray(result) for result in (computed if isinstance(computed, (list, tuple)) else [computed])]
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
    g.add("EinsumDense with one axis of bias", lambda x: L.EinsumDense("abc,cde->adbe", output_shape=(2, 3, 4), bias_axes="d")(x), (3, 5))
    g.add("EinsumDense ellipsis", lambda x: L.EinsumDense("...x,xy->...y", output_shape=(4,), bias_axes="y")(x), (3, 5))
    g.add("EinsumDense contracted", lambda x: L.EinsumDense("abde,dec->abc", output_shape=(None, 6), bias_axes="c")(x), (3, 2, 4))
    g.add("Embedding", lambda x: L.Embedding(7, 4)(x), (5,), low=0, high=6.99)
    g.add("TimeDistributed Conv2D", lambda x: L.TimeDistributed(L.Conv2D(3, 2, activation="relu"))(x), (3, 4, 4, 2))
    g.add("TimeDistributed LayerNormalization", lambda x: L.TimeDistributed(L.LayerNormalization())(x), (3, 4, 2))
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


def spatial(keras, name):
    L = keras.layers
    g = Golden(keras, name)
    g.add("MaxPooling2D same", lambda x: L.MaxPooling2D(3, strides=2, padding="same")(x))
    g.add("MaxPooling2D", lambda x: L.MaxPooling2D((2, 3))(x))
    g.add("AveragePooling2D same", lambda x: L.AveragePooling2D(3, strides=2, padding="same")(x))
    g.add("AveragePooling2D open axes", lambda x: L.AveragePooling2D(2)(x), open_axes=True)
    g.add("MaxPooling1D", lambda x: L.MaxPooling1D(2, padding="same")(x), (5, 3))
    g.add("AveragePooling1D", lambda x: L.AveragePooling1D(3, strides=1, padding="same")(x), (5, 3))
    g.add("MaxPooling3D", lambda x: L.MaxPooling3D(2, padding="same")(x), (3, 4, 3, 2))
    g.add("AveragePooling3D", lambda x: L.AveragePooling3D(2)(x), (4, 4, 4, 2))
    for kind in ("Average", "Max"):
        for axes in (1, 2, 3):
            layer = getattr(L, f"Global{kind}Pooling{axes}D")
            g.add(f"Global{kind}Pooling{axes}D", lambda x: layer()(x), (4, 3, 2, 3)[: axes] + (3,))
            g.add(f"Global{kind}Pooling{axes}D kept", lambda x: layer(keepdims=True)(x), (4, 3, 2, 3)[: axes] + (3,))
    g.add("ZeroPadding1D", lambda x: L.ZeroPadding1D((1, 2))(x), (4, 3))
    g.add("ZeroPadding2D", lambda x: L.ZeroPadding2D(((0, 1), (2, 1)))(x))
    g.add("ZeroPadding3D", lambda x: L.ZeroPadding3D((1, 0, 2))(x), (2, 3, 2, 2))
    g.add("Cropping1D", lambda x: L.Cropping1D((1, 2))(x), (6, 3))
    g.add("Cropping2D", lambda x: L.Cropping2D(((0, 1), (2, 1)))(x))
    g.add("Cropping2D open axes", lambda x: L.Cropping2D(1)(x), open_axes=True)
    g.add("Cropping3D", lambda x: L.Cropping3D(1)(x), (4, 3, 4, 2))
    g.add("UpSampling1D", lambda x: L.UpSampling1D(2)(x), (4, 3))
    g.add("UpSampling2D", lambda x: L.UpSampling2D((2, 3))(x))
    g.add("UpSampling2D bilinear", lambda x: L.UpSampling2D(2, interpolation="bilinear")(x))
    g.add("UpSampling2D bicubic", lambda x: L.UpSampling2D(2, interpolation="bicubic")(x))
    g.add("UpSampling2D lanczos", lambda x: L.UpSampling2D(2, interpolation="lanczos3")(x))
    g.add("UpSampling2D open axes", lambda x: L.UpSampling2D(2, interpolation="bilinear")(x), open_axes=True)
    g.add("UpSampling3D", lambda x: L.UpSampling3D((2, 1, 2))(x), (2, 3, 2, 2))
    g.add("Reshape", lambda x: L.Reshape((-1, 9))(x))
    g.add("Flatten", lambda x: L.Flatten()(x))
    g.add("Permute", lambda x: L.Permute((3, 1, 2))(x))
    g.add("RepeatVector", lambda x: L.RepeatVector(3)(x), (4,))
    for interpolation in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5") + (("area", "gaussian", "mitchellcubic") if keras is keras2 else ()):
        g.add(f"Resizing {interpolation} larger", lambda x: L.Resizing(9, 8, interpolation=interpolation)(x))
        g.add(f"Resizing {interpolation} smaller", lambda x: L.Resizing(4, 3, interpolation=interpolation)(x), (9, 8, 2))
        if keras is keras3 and interpolation != "nearest":
            g.add(f"Resizing {interpolation} antialias", lambda x: L.Resizing(4, 3, interpolation=interpolation, antialias=True)(x), (9, 8, 2))
    g.add("Resizing cropped", lambda x: L.Resizing(4, 4, crop_to_aspect_ratio=True)(x), (6, 9, 2))
    if keras is keras3:
        g.add("Resizing padded", lambda x: L.Resizing(4, 4, pad_to_aspect_ratio=True, fill_value=0.5)(x), (6, 9, 2))
        g.add("Resizing padded tall", lambda x: L.Resizing(4, 6, pad_to_aspect_ratio=True)(x), (9, 6, 2))
    g.add("CenterCrop", lambda x: L.CenterCrop(2, 3)(x))
    g.add("CenterCrop of a smaller image", lambda x: L.CenterCrop(7, 4)(x))
    g.add("RandomCrop", lambda x: L.RandomCrop(3, 4)(x))
    g.write()


def twice(layers, kind, x):
    """A layer that takes a tensor twice, and another one that takes it later."""
    y = layers.ReLU()(x)
    joined = getattr(layers, kind)()([y, y])
    return [joined, layers.Subtract()([y, layers.ELU()(joined)]) if kind != "Concatenate" else layers.Subtract()([y, x])]


def merging(keras, name):
    L = keras.layers
    g = Golden(keras, name)
    for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"):
        g.add(kind, lambda x, y: getattr(L, kind)()([x, y]), IMAGE, IMAGE)
    for kind in ("Add", "Multiply", "Average", "Concatenate"):
        g.add(f"{kind} of one tensor with itself", lambda x: twice(L, kind, x))
    g.add("Add of three", lambda x, y, z: L.Add()([x, y, z]), IMAGE, IMAGE, IMAGE)
    g.add("Multiply broadcast", lambda x, y: L.Multiply()([x, y]), IMAGE, (1, 1, 3))
    g.add("Add of different ranks", lambda x, y: L.Add()([x, y]), (4, 3), (3,))
    g.add("Concatenate axis", lambda x, y: L.Concatenate(axis=1)([x, y]), (2, 3, 2), (4, 3, 2))
    g.add("Dot", lambda x, y: L.Dot(axes=(2, 1))([x, y]), (3, 4), (4, 2))
    g.add("Dot of vectors", lambda x, y: L.Dot(axes=1, normalize=True)([x, y]), (4,), (4,))
    if keras is keras3:
        from keras.src.applications.inception_resnet_v2 import CustomScaleLayer
    else:
        from tf_keras.src.applications.inception_resnet_v2 import CustomScaleLayer
    g.add("CustomScaleLayer", lambda x, y: CustomScaleLayer(0.17)([x, y]), IMAGE, IMAGE)
    random = ["RandomFlip()", "RandomRotation(0.2)", "RandomZoom(0.2)", "RandomTranslation(0.1, 0.1)", "RandomContrast(0.2)", "RandomBrightness(0.2)"]
    random += ["RandomHue(0.2, value_range=(0, 1))", "RandomSaturation(0.2, value_range=(0, 1))", "RandomGrayscale(0.5)", "RandomErasing()", "RandomShear(0.1, 0.1)", "RandomPerspective()", "RandomSharpness(0.5, value_range=(0, 1))", "RandomGaussianBlur()", "RandomInvert(value_range=(0, 1))", "RandomPosterization(4)", "RandomColorJitter(value_range=(0, 1))", "RandomElasticTransform()"] if keras is keras3 else ["RandomHeight(0.2)", "RandomWidth(0.2)"]
    for layer in random:
        g.add(layer.split("(")[0], lambda x: eval(f"L.{layer}", {"L": L})(x), low=0, high=1)
    noise = ["Dropout(0.5)", "SpatialDropout2D(0.5)", "GaussianNoise(0.5)", "GaussianDropout(0.5)", "AlphaDropout(0.5)", "ActivityRegularization(0.1)", "Identity()"]
    for layer in noise:
        g.add(layer.split("(")[0], lambda x: eval(f"L.{layer}", {"L": L})(x))
    g.write()


def attention(keras, name):
    L = keras.layers
    g = Golden(keras, name)
    MHA = L.MultiHeadAttention
    g.add("MultiHeadAttention self", lambda x: MHA(2, 3)(x, x), (5, 6))
    g.add("MultiHeadAttention cross with value_dim", lambda x, y: MHA(2, 3, value_dim=4, output_shape=5)(x, y), (5, 6), (4, 7))
    g.add("MultiHeadAttention with a key", lambda x, y, z: MHA(2, 3)(x, y, key=z), (5, 6), (4, 7), (4, 2))
    g.add("MultiHeadAttention without bias", lambda x: MHA(3, 2, use_bias=False, dropout=0.1)(x, x), (5, 6))
    g.add("MultiHeadAttention with scores", lambda x: list(MHA(2, 3)(x, x, return_attention_scores=True)), (5, 6))
    g.add("MultiHeadAttention on an image", lambda x: MHA(2, 3)(x, x), (2, 3, 4))
    g.add("transformer block", lambda x: (lambda n: (lambda y: L.Add()([y, L.Dense(6)(L.Dense(8, activation="gelu")(L.LayerNormalization(epsilon=1e-6)(y)))]))(L.Add()([x, MHA(2, 3)(n, n)])))(L.LayerNormalization(epsilon=1e-6)(x)), (5, 6))
    if keras is keras3:
        g.add("MultiHeadAttention gated", lambda x: MHA(2, 3, use_gate=True)(x, x), (5, 6))
        g.add("GroupedQueryAttention", lambda x: L.GroupQueryAttention(3, 4, 2)(x, x), (5, 6))
        g.add("GroupedQueryAttention cross", lambda x, y: L.GroupQueryAttention(3, 4, 2, use_bias=False)(x, y), (5, 6), (4, 6))
    g.add("Attention", lambda x, y: L.Attention()([x, y]), (5, 6), (4, 6))
    g.add("Attention scaled", lambda x, y, z: L.Attention(use_scale=True)([x, y, z]), (5, 6), (4, 7), (4, 6))
    g.add("Attention concat", lambda x, y: L.Attention(use_scale=True, score_mode="concat")([x, y]), (5, 6), (4, 6))
    g.add("AdditiveAttention", lambda x, y: L.AdditiveAttention()([x, y]), (5, 6), (4, 6))
    g.write()


def operations(keras, name):
    g = Golden(keras, name)
    if keras is keras3:
        keras3_operations(g)
    else:
        tensorflow_functions(g)
    g.write()


def keras3_operations(g):
    o = keras3.ops
    add = g.add
    for one in ("abs negative sqrt rsqrt square reciprocal exp expm1 log log1p sin cos erf floor ceil sign relu relu6 sigmoid tanh silu softplus softsign elu selu hard_sigmoid hard_silu log_sigmoid leaky_relu gelu mean sum max min prod var std logsumexp argmax").split():
        add(f"ops.{one}", lambda x: getattr(o, one)(x, axis=1) if one in ("mean", "sum", "max", "min", "prod", "var", "std", "logsumexp", "argmax") else getattr(o, one)(x), low=0.2, high=2)
    for two in "add subtract multiply divide true_divide floor_divide mod power maximum minimum".split():
        add(f"ops.{two}", lambda x, y: getattr(o, two)(x, y), IMAGE, (1, 6, 1), low=0.5, high=3)
    add("ops arithmetic with constants", lambda x: (1.0 - x) * 2.0 / (x + o.convert_to_tensor([1.0, 2.0, 3.0])) ** 2, low=0, high=1)
    add("ops.round", lambda x: o.round(x))
    add("ops.clip", lambda x: o.clip(x, -0.5, 1.0))
    add("ops.where and greater", lambda x: o.where(x > 0.5, x, 0.0))
    add("ops.cast", lambda x: o.cast(o.cast(x, "int32"), "float32") + x)
    add("ops.softmax axis", lambda x: o.softmax(x, axis=1))
    add("ops.log_softmax", lambda x: o.log_softmax(x))
    add("ops.gelu exact", lambda x: o.gelu(x, approximate=False))
    add("ops.mean of axes kept", lambda x: o.mean(x, axis=(1, 2), keepdims=True))
    add("ops.normalize", lambda x: o.normalize(x, axis=-1))
    add("ops.reshape", lambda x: o.reshape(x, (-1, 30, 3)))
    add("ops.reshape open", lambda x: o.reshape(x, (-1, 6, 9)), (6, 3, 3))
    add("ops.transpose", lambda x: o.transpose(x, (0, 3, 1, 2)))
    add("ops.swapaxes", lambda x: o.swapaxes(x, 1, -1))
    add("ops.moveaxis", lambda x: o.moveaxis(x, 1, -1))
    add("ops.expand_dims and squeeze", lambda x: o.squeeze(o.expand_dims(x, (1, -1)), 1))
    add("ops.concatenate", lambda x, y: o.concatenate([x, y, x], axis=-1), IMAGE, IMAGE)
    add("ops.stack", lambda x, y: o.stack([x, y], axis=1), (3, 2), (3, 2))
    add("ops.unstack", lambda x: o.unstack(x, axis=1)[1], (3, 2))
    add("ops.split", lambda x: o.split(x, 3, axis=2)[1])
    add("ops.split at", lambda x: o.split(x, [1, 4], axis=2)[1:])
    add("ops.tile", lambda x: o.tile(x, (1, 2, 1, 3)))
    add("ops.repeat", lambda x: o.repeat(x, 2, axis=1))
    add("ops.pad", lambda x: o.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0))))
    add("ops.pad reflect", lambda x: o.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0)), mode="reflect"))
    add("ops.flip", lambda x: o.flip(x, axis=-1))
    add("ops.take", lambda x: o.take(x, [2, 0], axis=-1))
    add("ops.getitem", lambda x: x[:, 1])
    add("ops.getitem ellipsis", lambda x: x[..., 1:3])
    add("ops.getitem strided", lambda x: x[:, ::2, 1])
    add("ops.getitem reversed channels", lambda x: x[..., ::-1])
    add("ops.getitem negative and new axis", lambda x: x[:, -2:, None, -1])
    add("ops.matmul", lambda x, y: o.matmul(x, y), (3, 4), (4, 2))
    add("ops.einsum", lambda x, y: o.einsum("bij,bkj->bik", x, y), (3, 4), (5, 4))
    add("ops.einsum turned", lambda x, y: o.einsum("bij,bkj->bki", x, y), (3, 4), (5, 4))
    add("ops.einsum of one", lambda x: o.einsum("bij->bji", x), (3, 4))
    add("ops.image.resize", lambda x: o.image.resize(x, (8, 9)))
    add("ops.image.resize nearest", lambda x: o.image.resize(x, (3, 3), interpolation="nearest"))
    add("ops.max_pool", lambda x: o.max_pool(x, 2, padding="same"))
    add("ops.average_pool", lambda x: o.average_pool(x, (2, 3), strides=(1, 2)))


def tensorflow_functions(g):
    add = g.add
    t = tf
    for one in ("math.abs math.negative math.sqrt math.rsqrt math.square math.reciprocal math.exp math.log math.sin math.erf math.floor math.sign nn.relu nn.relu6 nn.elu nn.silu nn.gelu nn.leaky_relu math.sigmoid math.tanh math.softplus").split():
        module, function = one.split(".")
        add(f"tf.{one}", lambda x: getattr(getattr(t, module), function)(x), low=0.2, high=2)
    for two in "add subtract multiply divide truediv floordiv pow maximum minimum squared_difference".split():
        add(f"tf.math.{two}", lambda x, y: getattr(t.math, two)(x, y), IMAGE, (1, 6, 1), low=0.5, high=3) if two != "pow" else add("tf.math.pow", lambda x: x**2)
    for one in "mean sum max min prod variance std logsumexp".split():
        add(f"tf.math.reduce_{one}", lambda x: getattr(t.math, f"reduce_{one}")(x, axis=[1, 2], keepdims=True), low=0.5, high=2)
    add("tf arithmetic with constants", lambda x: (1.0 - x) * 2.0 / (x + t.constant([1.0, 2.0, 3.0])), low=0, high=1)
    add("tf.clip_by_value", lambda x: t.clip_by_value(x, -0.5, 1.0))
    add("tf.where", lambda x: t.where(x > 0.5, x, 0.0))
    add("tf.nn.softmax axis", lambda x: t.nn.softmax(x, axis=1))
    add("tf.nn.gelu approximate", lambda x: t.nn.gelu(x, approximate=True))
    add("tf.nn.bias_add", lambda x: t.nn.bias_add(x, [1.0, 2.0, 3.0]))
    add("tf.math.l2_normalize", lambda x: t.math.l2_normalize(x, axis=-1))
    add("tf.reshape", lambda x: t.reshape(x, (-1, 30, 3)))
    add("tf.reshape by a shape", lambda x: t.reshape(x, (t.shape(x)[0], 6, 15)))
    add("tf.transpose", lambda x: t.transpose(x, (0, 3, 1, 2)))
    add("tf.expand_dims and squeeze", lambda x: t.squeeze(t.expand_dims(x, 1), 1))
    add("tf.concat", lambda x, y: t.concat([x, y, x], axis=-1), IMAGE, IMAGE)
    add("tf.stack", lambda x, y: t.stack([x, y], axis=1), (3, 2), (3, 2))
    add("tf.split", lambda x: t.split(x, 3, axis=2)[1])
    add("tf.split sizes", lambda x: t.split(x, [1, 3, 2], axis=2)[1:])
    add("tf.tile", lambda x: t.tile(x, (1, 2, 1, 3)))
    add("tf.pad", lambda x: t.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0))))
    add("tf.pad symmetric", lambda x: t.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0)), mode="SYMMETRIC"))
    add("tf.reverse", lambda x: t.reverse(x, [-1]))
    add("tf.gather", lambda x: t.gather(x, [2, 0], axis=-1))
    add("tf getitem", lambda x: x[:, 1])
    add("tf getitem ellipsis", lambda x: x[..., 1:3])
    add("tf getitem strided", lambda x: x[:, ::2, 1])
    add("tf getitem reversed channels", lambda x: x[..., ::-1])
    add("tf.matmul", lambda x, y: t.matmul(x, y), (3, 4), (4, 2))
    add("tf.matmul transposed", lambda x, y: t.matmul(x, y, transpose_b=True), (3, 4), (2, 4))
    add("tf.image.resize", lambda x: t.image.resize(x, (8, 9)))
    add("tf.image.resize bicubic", lambda x: t.image.resize(x, (3, 3), method="bicubic"))
    add("tf.image.resize area", lambda x: t.image.resize(x, (3, 4), method="area"))
    add("tf.image.resize to a shape", lambda x: t.image.resize(x, t.shape(x)[1:3] * 2))
    add("tf.compat.v1.image.resize_bilinear", lambda x: t.compat.v1.image.resize_bilinear(x, (8, 9), align_corners=True))
    add("tf.nn.avg_pool2d", lambda x: t.nn.avg_pool2d(x, 2, 2, "SAME"))
    add("tf.nn.max_pool2d", lambda x: t.nn.max_pool2d(x, 3, 2, "VALID"))
    add("tf.nn.depth_to_space", lambda x: t.nn.depth_to_space(x, 2), (2, 3, 8))
    add("keras.backend", lambda x: keras2.backend.mean(keras2.activations.hard_sigmoid(x), axis=1))


if __name__ == "__main__":
    for version, keras in (("keras3", keras3), ("keras2", keras2)):
        for family in (convolution, activations, normalization, spatial, merging, attention, operations):
            name = f"{version}-{family.__name__}"
            if not sys.argv[1:] or any(part in name for part in sys.argv[1:]):
                family(keras, name)
