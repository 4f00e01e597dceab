"""Features of many images with Keras and tf.data: the script that the pipeline is measured against. For contestants/keras.ts.

The first part is what one would write without Layertap. The second, behind --again, repeats the prediction with everything
warm and tells its seconds, so that the benchmark can tell the steady rate and take that time off the whole.
"""

import argparse
import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--model", required=True, help=".keras file")
parser.add_argument("--layer", required=True)
parser.add_argument("--paths", required=True, help="text file, one JPEG a line")
parser.add_argument("--recipe", required=True, help="JSON: width, height, scale, mean, std")
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--out", required=True, help="the .npy file to write")
parser.add_argument("--again", action="store_true")
given = parser.parse_args()

with open(given.recipe, encoding="utf8") as file:
    recipe = json.load(file)
with open(given.paths, encoding="utf8") as file:
    paths = file.read().splitlines()


def load(path):
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
    image = tf.image.resize(image, (recipe["height"], recipe["width"]))
    return (image * recipe["scale"] - recipe["mean"]) / recipe["std"]


images = (
    tf.data.Dataset.from_tensor_slices(paths)
    .map(load, num_parallel_calls=tf.data.AUTOTUNE)
    .batch(given.batch)
    .prefetch(tf.data.AUTOTUNE)
)

model = keras.models.load_model(given.model, compile=False)
output = model.get_layer(given.layer).output
if len(output.shape) == 4:
    output = keras.layers.GlobalAveragePooling2D()(output)
extractor = keras.Model(model.input, output)

features = extractor.predict(images, verbose=0)
np.save(given.out, features)

again_seconds = 0.0
if given.again:
    started = time.perf_counter()
    extractor.predict(images, verbose=0)
    again_seconds = time.perf_counter() - started
versions = {"keras": keras.__version__, "tensorflow": tf.__version__, "numpy": np.__version__}
print(json.dumps({"rows": len(features), "againSeconds": again_seconds, "versions": versions}))
