"""Weights under which every layer of a random model depends on its image, for both Keras 3 and tf_keras.

With plain random weights the last layers of many architectures ignore the image, and a broken reader passes. So: He-normal
kernels by the true fan-in (Keras' own initialiser counts a depthwise kernel's channels as inputs), gammas from U(0.5, 1.5),
betas and biases from U(-0.1, 0.1), and the batch statistics of one training-mode pass. `gamma` is a factor on the gammas and betas of
batch normalisations.
"""

import numpy as np


def initialise(keras, model, seed, gamma=1.0):
    """Sets every weight from one generator, in the order of the model."""
    generator = np.random.default_rng(seed)
    for layer in flat_layers(keras, model):
        for variable in layer.weights:
            # ConvNeXt's LayerScale leaves its only weight without a name.
            name = "gamma" if type(layer).__name__ == "LayerScale" else variable_name(variable)
            value = initial_value(name, tuple(variable.shape), generator)
            if value is not None and isinstance(layer, keras.layers.BatchNormalization):
                # The betas too: beside a small gamma they would make all images alike.
                value = value * gamma
            if value is not None:
                variable.assign(value)


def initial_value(name, shape, generator):
    """None leaves Keras' own value: moving statistics, counters, seeds."""
    if name.endswith(("kernel", "embeddings")):
        return generator.standard_normal(shape) * np.sqrt(2 / fan_in(name, shape))
    if name.endswith("gamma"):
        return generator.uniform(0.5, 1.5, shape)
    if name.endswith(("beta", "bias")):
        return generator.uniform(-0.1, 0.1, shape)
    return None


def fan_in(name, shape):
    """Values that one output sums over."""
    if name.endswith("embeddings"):
        return shape[-1]
    if name.endswith("depthwise_kernel"):
        return shape[0] * shape[1]
    # MultiHeadAttention: [width, heads, size per head], and [heads, size per head, width] for its output.
    if len(shape) == 3:
        return shape[0] * shape[1] if "attention_output" in name else shape[0]
    return int(np.prod(shape[:-1]))


def variable_name(variable):
    """The path without TensorFlow's number: `conv1/kernel`."""
    return getattr(variable, "path", variable.name).split(":")[0]


def settle_statistics(tf, keras, model, images):
    """Batch statistics by one training-mode pass with momentum 0; dropout keeps everything, so that the pass is repeatable."""
    layers = list(flat_layers(keras, model))
    for layer in layers:
        if isinstance(layer, keras.layers.Normalization):
            adapt_normalization(keras, model, layer, images)
    normalizations = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not normalizations:
        return
    momenta = [layer.momentum for layer in normalizations]
    dropouts = [layer for layer in layers if isinstance(layer, keras.layers.Dropout)]
    rates = [layer.rate for layer in dropouts]
    for layer in normalizations:
        layer.momentum = 0.0
    for layer in dropouts:
        layer.rate = 0.0
    # A graph frees each activation after its last use; eager calls hold them all (8 images of 600 pixels: many GB).
    tf.function(lambda batch: model(batch, training=True), autograph=False)(tf.constant(images))
    for layer, momentum in zip(normalizations, momenta):
        layer.momentum = momentum
    for layer, rate in zip(dropouts, rates):
        layer.rate = rate


def adapt_normalization(keras, model, layer, images):
    """The mean and variance of what the layer receives; ConvNeXt's and EfficientNetV2's are constants and stay."""
    if layer.input_mean is None:
        layer.adapt(keras.Model(model.input, layer.input).predict(images, verbose=0))


def flat_layers(keras, model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from flat_layers(keras, layer)
        else:
            yield layer
