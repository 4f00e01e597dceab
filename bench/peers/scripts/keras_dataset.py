"""Keras with image_dataset_from_directory and predict."""

from common import arguments, done

given = arguments()

import keras
import numpy as np
import tensorflow as tf

images = keras.utils.image_dataset_from_directory(
    given.folder, labels=None, image_size=(224, 224), batch_size=given.batch, shuffle=False, verbose=False
)
images = images.map(lambda batch: batch / 127.5 - 1.0, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
model = keras.models.load_model(given.model, compile=False)
output = model.get_layer(given.layer).output
if given.pool == "mean":
    output = keras.layers.GlobalAveragePooling2D()(output)
features = keras.Model(model.input, output).predict(images, verbose=0)
np.save(given.out, features)
done(len(features), {"keras": keras.__version__, "tensorflow": tf.__version__})
