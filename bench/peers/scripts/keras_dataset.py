"""Keras with image_dataset_from_directory and predict."""

from common import arguments

given = arguments()

import keras
import tensorflow as tf

from keras_features import write_features

images = keras.utils.image_dataset_from_directory(
    given.folder, labels=None, image_size=(224, 224), batch_size=given.batch, shuffle=False, verbose=False
)
images = images.map(lambda batch: batch / 127.5 - 1.0, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
write_features(given, images)
