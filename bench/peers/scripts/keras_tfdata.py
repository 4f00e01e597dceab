"""Keras with tf.data: parallel decode and resize, batch, prefetch, predict."""

from common import arguments, paths_of

given = arguments()

import tensorflow as tf

from keras_features import write_features


def load(path):
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3, ratio=given.ratio)
    return tf.image.resize(image, (224, 224)) / 127.5 - 1.0


images = (
    tf.data.Dataset.from_tensor_slices(paths_of(given.folder))
    .map(load, num_parallel_calls=tf.data.AUTOTUNE)
    .batch(given.batch)
    .prefetch(tf.data.AUTOTUNE)
)
write_features(given, images)
