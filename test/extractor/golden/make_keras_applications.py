"""Writes keras-applications.json: what Keras 3 and tf_keras (Keras 2) say about every architecture of keras.applications.

    python make_keras_applications.py FOLDER

Builds each architecture once without weights (minutes per library) and keeps the layer names of each library in
FOLDER/keras.json and FOLDER/tf_keras.json; where these exist, they are taken. Needs keras, tensorflow and tf_keras.
"""

import gc
import importlib
import inspect
import json
import re
import sys
from pathlib import Path

import numpy as np

# A few pixels that tell every mode apart: extremes, and three different channels.
PIXELS = [[0, 0, 0], [255, 255, 255], [10, 128, 250], [201, 3, 77]]

# Names that mark the end of a block or a stage; the many in between tell nothing more.
LANDMARK = re.compile(
    r"^(conv1|conv1_bn|post_bn|pool4_bn|conv_7b|top_conv|stem_conv|Conv_1|mixed\w+|conv_(dw|pw)_\d+"
    r"|(expanded_conv_?\d*.|block_\d+_)project|expanded_conv.depthwise|block\d+_(conv\d|sepconv2|1_mixed)"
    r"|conv2_block1_0_bn|conv4_block\d+_(out|concat)|\w*stage_3_block_\d_layer_scale|normal_concat_\d+|normal_conv_1_0)$"
)


def layers_of(library: str, folder: Path) -> dict:
    kept = folder / f"{library}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    keras = importlib.import_module(library)
    found = {}
    for name in sorted(dir(keras.applications)):
        build = getattr(keras.applications, name)
        if not inspect.isfunction(build):
            continue
        model = build(weights=None)
        found[name] = {
            "module": build.__module__,
            "modelName": model.name,
            "input": model.input_shape,
            "output": model.output_shape,
            "layers": [[layer.name, layer.__class__.__name__] for layer in model.layers],
        }
        del model
        keras.backend.clear_session()
        gc.collect()
    kept.write_text(json.dumps(found))
    return found


def describe(library: str, folder: Path) -> dict:
    described = {}
    for name, facts in layers_of(library, folder).items():
        preprocess = importlib.import_module(facts["module"]).preprocess_input
        described[name] = {
            "modelName": facts["modelName"],
            "size": facts["input"][1],
            "classes": facts["output"][1],
            "values": np.round(np.asarray(preprocess(np.array([PIXELS], dtype="float32"))), 6)[0].tolist(),
            "first": [class_name for _, class_name in facts["layers"][:4]],
            "landmarks": " ".join(layer for layer, _ in facts["layers"] if LANDMARK.match(layer)),
        }
    return described


folder = Path(sys.argv[1])
golden = {"pixels": PIXELS}
for library in ("keras", "tf_keras"):
    golden[library] = {
        "version": importlib.import_module(library).__version__,
        "architectures": describe(library, folder),
    }
path = Path(__file__).with_name("keras-applications.json")
path.write_text(
    json.dumps(golden)
    .replace('{"modelName"', '\n{"modelName"')
    .replace('"architectures"', '\n"architectures"')
    + "\n"
)
