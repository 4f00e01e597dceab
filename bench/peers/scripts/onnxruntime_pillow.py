"""ONNX Runtime and Pillow, one batch after the other: the plain script."""

from common import arguments, done, paths_of

given = arguments()

import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession(given.model, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
paths = paths_of(given.folder)
features = []
for start in range(0, len(paths), given.batch):
    images = []
    for path in paths[start : start + given.batch]:
        image = Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
        images.append(np.asarray(image, np.float32) / 127.5 - 1.0)
    (output,) = session.run(None, {name: np.stack(images)})
    features.append(output.mean((1, 2)) if given.pool == "mean" else output)
features = np.concatenate(features)
np.save(given.out, features)
done(len(features), {"onnxruntime": onnxruntime.__version__})
