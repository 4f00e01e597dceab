"""Writes tf-resize.json: values of tf.image.resize, spread evenly over its output, for seeded synthetic images.

Run it with TensorFlow and Pillow installed:  python make_tf_resize_goldens.py
"""

import json
import pathlib

import numpy as np
import tensorflow as tf
from make_resize_goldens import synthetic

# Shrink, grow, both, to a point, from a point, far (float32 positions get coarse), and the size kept.
SIZES = [
    (37, 53, 16, 16),
    (100, 40, 224, 224),
    (5, 5, 1, 1),
    (1, 1, 7, 3),
    (470, 390, 224, 224),
    (333, 77, 111, 700),
    (4001, 30, 224, 20),
    (24, 24, 24, 24),
    # Every position of bicubic lies between two steps of its table.
    (3, 5, 1024, 8),
]
METHODS = ["nearest", "area", "bilinear", "bicubic", "lanczos3"]
SAMPLES = 20


def main() -> None:
    cases = []
    for width, height, out_width, out_height in SIZES:
        for channels in (1, 3):
            pixels = np.frombuffer(synthetic(width, height, channels), np.uint8).reshape(height, width, channels)
            for method in METHODS:
                for antialias in [False] if method in ("nearest", "area") else [False, True]:
                    resized = tf.image.resize(pixels, (out_height, out_width), method=method, antialias=antialias)
                    flat = resized.numpy().astype(np.float32).ravel()
                    step = max(1, flat.size // SAMPLES)
                    cases.append(
                        {
                            "from": [width, height],
                            "to": [out_width, out_height],
                            "channels": channels,
                            "kernel": f"tf:{method}" + ("+antialias" if antialias else ""),
                            "step": step,
                            "values": [float(str(value)) for value in flat[::step]],
                        }
                    )
    lines = ",\n".join(f"    {json.dumps(case)}" for case in cases)
    text = f'{{\n  "tensorflow": "{tf.__version__}",\n  "cases": [\n{lines}\n  ]\n}}\n'
    pathlib.Path(__file__).with_name("tf-resize.json").write_text(text)


if __name__ == "__main__":
    main()
