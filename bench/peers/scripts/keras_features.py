"""The half that both Keras scripts share: the extractor, predict, and the features in a file."""

import keras
import numpy as np
import tensorflow as tf

from common import done


def write_features(given, images):
    model = keras.models.load_model(given.model, compile=False)
    output = model.get_layer(given.layer).output
    if given.pool == "mean":
        output = keras.layers.GlobalAveragePooling2D()(output)
    features = keras.Model(model.input, output).predict(images, verbose=0)
    np.save(given.out, features)
    done(len(features), {"keras": keras.__version__, "tensorflow": tf.__version__})
