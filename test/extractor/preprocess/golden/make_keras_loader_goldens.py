"""Writes keras-loaders.json: what Keras' own loaders make of synthetic PNGs, as values spread evenly over their output.

Run it with Keras, TensorFlow and Pillow installed:  python make_keras_loader_goldens.py
"""

import json
import pathlib
import tempfile

import keras
import numpy as np
from make_resize_goldens import synthetic
from PIL import Image

SIZES = [(470, 390), (200, 333), (31, 40)]
TARGETS = [(96, 96), (60, 80)]
SAMPLES = 40


def load_img(path: pathlib.Path, height: int, width: int, interpolation: str, crop: bool) -> np.ndarray:
    image = keras.utils.load_img(
        path, target_size=(height, width), interpolation=interpolation, keep_aspect_ratio=crop
    )
    return keras.utils.img_to_array(image)


def dataset(path: pathlib.Path, height: int, width: int, interpolation: str, crop: bool) -> np.ndarray:
    images = keras.utils.image_dataset_from_directory(
        path.parent,
        labels=None,
        image_size=(height, width),
        interpolation=interpolation,
        crop_to_aspect_ratio=crop,
        shuffle=False,
        verbose=False,
    )
    return next(iter(images))[0].numpy()


# Loader, its name of the kernel, ours.
LOADERS = [
    (load_img, "nearest", "pillow:nearest"),
    (load_img, "bilinear", "pillow:bilinear"),
    (load_img, "bicubic", "pillow:bicubic"),
    (load_img, "lanczos", "pillow:lanczos"),
    (load_img, "box", "pillow:box"),
    (dataset, "bilinear", "tf:bilinear"),
    (dataset, "nearest", "tf:nearest"),
    (dataset, "bicubic", "tf:bicubic"),
    (dataset, "area", "tf:area"),
    (dataset, "lanczos3", "tf:lanczos3"),
]


def main() -> None:
    cases = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "image.png"
            Image.frombytes("RGB", size, synthetic(*size, 3)).save(path)
            for to in TARGETS:
                for loader, interpolation, kernel in LOADERS:
                    for crop in (False, True):
                        flat = loader(path, to[1], to[0], interpolation, crop).astype(np.float32).ravel()
                        step = flat.size // SAMPLES
                        cases.append(
                            {
                                "from": size,
                                "to": to,
                                "loader": loader.__name__,
                                "kernel": kernel,
                                "crop": "aspect" if crop else "none",
                                "step": step,
                                "values": [float(str(value)) for value in flat[::step]],
                            }
                        )
    lines = ",\n".join(f"    {json.dumps(case)}" for case in cases)
    text = f'{{\n  "keras": "{keras.__version__}",\n  "cases": [\n{lines}\n  ]\n}}\n'
    pathlib.Path(__file__).with_name("keras-loaders.json").write_text(text)


if __name__ == "__main__":
    main()
