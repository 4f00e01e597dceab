"""Small SavedModels of three kinds with inner outputs by Keras or TensorFlow itself: writes saved-models/ and saved-models.json.

Run with TensorFlow 2.21, Keras 3.15 and tf_keras 2.21: python3 make_saved_models.py
"""
import json, os, shutil, sys
import keras
import numpy as np
import tensorflow as tf
import tf_keras

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "saved-models")
SHAPE = [12, 10, 3]


def images():
    # The test makes the same input: whole numbers, so that both are exact.
    count = 2 * int(np.prod(SHAPE))
    return (np.arange(count) * 7919 % 65521 % 256).astype(np.float32).reshape([2, *SHAPE])


def build(lib):
    """The same small network in Keras 3 and Keras 2; layers that give several outputs or while loops in the graph included."""
    layers = lib.layers
    image = x = lib.Input(SHAPE, name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(x)
    x = layers.Conv2D(6, 3, padding="same", name="stem")(x)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = stem = layers.Activation("relu", name="stem_relu")(x)
    inner = lib.Sequential([lib.Input([12, 10, 6]), layers.DepthwiseConv2D(3, padding="same", name="dw"),
                            layers.Conv2D(6, 1, name="pw")], name="block")
    x = layers.Add(name="add")([stem, inner(x)])
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(3, activation="softmax", name="scores")(x)
    model = lib.Model(image, x, name="tiny")
    rng = np.random.default_rng(7)
    model.set_weights([rng.uniform(0.5, 1.5, w.shape).astype(np.float32) if "gamma" in v.name or "variance" in v.name
                       else rng.normal(0, 0.3, w.shape).astype(np.float32)
                       for v, w in zip(model.weights, model.get_weights())])
    names = ["rescale", "stem", "stem_bn", "stem_relu", "add", "pool", "scores"]
    taps = lib.Model(image, [model.get_layer(name).output for name in names])
    return model, dict(zip(names, [np.asarray(value) for value in taps(images(), training=False)]))


def keras3(folder):
    model, values = build(keras)
    model.export(folder, verbose=False)
    return values


def keras2(folder):
    model, values = build(tf_keras)
    model.export(folder)
    return values


def old_style(folder):
    """TensorFlow 1: variables by reference, no functions, an old While loop and a further input."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, [None, *SHAPE], name="image")
        scale = v1.placeholder(tf.float32, [], name="scale")
        rng = np.random.default_rng(8)
        kernel = v1.get_variable("conv/kernel", initializer=tf.constant(rng.normal(0, 0.3, [3, 3, 3, 4]).astype(np.float32)), use_resource=False)
        conv = tf.nn.conv2d(image / 255.0, kernel, 2, "SAME", name="conv/Conv2D")
        left, right = tf.split(conv, 2, axis=3, name="halves")
        relu = tf.nn.relu(left - right, name="relu")
        v1.disable_control_flow_v2()
        _, doubled = v1.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2.0), [0, relu], name="loop")
        pooled = tf.reduce_mean(doubled, [1, 2], name="pooled")
        tf.multiply(pooled, scale, name="scaled")
        half = tf.cast(pooled, tf.float16, name="half")
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, folder, {"image": image}, {"pooled": pooled, "half": half})
        names = ["conv/Conv2D", "halves", "halves#1", "relu", "pooled", "half"]
        return dict(zip(names, session.run([conv, left, right, relu, pooled, half], {image: images()})))


def branches(folder):
    """TensorFlow 2 functions that call others, with an If and a While inside, and an image of whole numbers."""
    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.bias = tf.Variable([0.5, -0.25, 1.0], name="bias")

        @tf.function
        def body(self, x):
            return tf.nn.relu(x - self.bias, name="inner_relu")

        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="image")])
        def serve(self, image):
            x = tf.cast(image, tf.float32, name="as_float") / 255.0
            x = self.body(x)
            x = tf.cond(tf.reduce_mean(x) > 100.0, lambda: x + 1.0, lambda: x * 3.0)
            _, x = tf.while_loop(lambda i, x: i < 4, lambda i, x: (i + 1, x * 0.5), [0, x])
            return {"mean": tf.reduce_mean(x, [1, 2], name="mean")}

    module = Module()
    tf.saved_model.save(module, folder, signatures=module.serve)
    x = tf.constant(images() / 255.0)
    inner = tf.nn.relu(x - module.bias)
    return {"inner_relu": inner.numpy(), "mean": tf.reduce_mean(inner * 3.0 / 16.0, [1, 2]).numpy()}


goldens = {}
for name, make in {"keras3": keras3, "keras2": keras2, "old-style": old_style, "branches": branches}.items():
    folder = os.path.join(FOLDER, name)
    shutil.rmtree(folder, ignore_errors=True)
    values = make(folder)
    for extra in ["fingerprint.pb", "keras_metadata.pb"]:
        if os.path.exists(os.path.join(folder, extra)): os.remove(os.path.join(folder, extra))
    if os.path.isdir(os.path.join(folder, "assets")) and not os.listdir(os.path.join(folder, "assets")): os.rmdir(os.path.join(folder, "assets"))
    goldens[name] = {}
    for layer, value in values.items():
        flat = value.reshape(-1).astype(np.float64)
        step = max(1, len(flat) // 48)
        goldens[name][layer] = {"shape": list(value.shape), "norm": float(np.linalg.norm(flat)), "step": step,
                                "samples": [float(f"{x:.8g}") for x in flat[::step]]}
versions = {"tensorflow": tf.__version__, "keras": keras.__version__, "tf_keras": tf_keras.__version__}
with open(os.path.join(HERE, "saved-models.json"), "w") as file:
    json.dump({"versions": versions, "models": goldens}, file, indent=1)
    file.write("\n")
