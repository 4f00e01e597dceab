"""MobileNetV2 and ResNet50 as Keras builds them, with seeded random weights: the same work as with trained ones. For models.ts.

  python make_models.py FOLDER
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

keras.utils.set_random_seed(1)
for name in ("MobileNetV2", "ResNet50"):
    model = getattr(keras.applications, name)(weights=None)
    model.save(os.path.join(sys.argv[1], f"{name}.keras"))
