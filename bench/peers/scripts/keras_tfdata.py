"""Keras with tf.data: parallel decode and resize, batch, prefetch, predict."""

from common import arguments, done, paths_of

given = arguments()

import keras
import numpy as np
import tensorflow as tf


def load(path):
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3, ratio=given.ratio)
    return tf.image.resize(image, (224, 224)) / 127.5 - 1.0


images = (
    tf.data.Dataset.from_tensor_slices(paths_of(given.folder))
    .map(load, num_parallel_calls=tf.data.AUTOTUNE)
    .batch(given.batch)
    .prefetch(tf.data.AUTOTUNE)
)
model = keras.models.load_model(given.model, compile=False)
output = model.get_layer(given.layer).output
if given.pool == "mean":
    output = keras.layers.GlobalAveragePooling2D()(output)
features = keras.Model(model.input, output).predict(images, verbose=0)
np.save(given.out, features)
done(len(features), {"keras": keras.__version__, "tensorflow": tf.__version__})
