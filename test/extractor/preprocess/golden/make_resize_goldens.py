"""Writes resize.json: sha256 of Pillow's resized bytes for seeded synthetic images.

Run it with Pillow installed:  python make_resize_goldens.py
"""

import hashlib
import json
import pathlib

import PIL
from PIL import Image

KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

# (in width, in height, out width, out height): shrink, grow, both, one axis only, tall (Pillow 13 swaps its passes),
# and the odd ratios at which a rounding slip would show.
SIZES = [
    (37, 53, 16, 16),
    (100, 40, 224, 224),
    (5, 5, 1, 1),
    (1, 1, 7, 3),
    (640, 480, 224, 224),
    (200, 900, 224, 224),
    (470, 390, 299, 299),
    (64, 48, 64, 17),
    (64, 48, 31, 48),
    (3, 500, 200, 100),
    (333, 77, 111, 700),
    (224, 224, 224, 224),
    # Multiplying by the inverse of the scale, as Pillow does, takes other pixels into the box than dividing by it.
    (499, 6, 198, 6),
    # Several bands of rows for either order of the passes.
    (1501, 1101, 224, 224),
    (901, 2101, 225, 223),
]


def synthetic(width: int, height: int, channels: int) -> bytes:
    """Bytes of the linear congruential generator of Numerical Recipes: the top byte of each state."""
    state = width * 1000003 + height * 1009 + channels
    out = bytearray(width * height * channels)
    for i in range(len(out)):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        value = state >> 24
        # Runs of pure black and white drive the overshoot of the negative lobes into the clipping.
        out[i] = 0 if value < 40 else 255 if value > 215 else value
    return bytes(out)


def main() -> None:
    cases = []
    for width, height, out_width, out_height in SIZES:
        for channels, mode in ((1, "L"), (3, "RGB")):
            image = Image.frombytes(mode, (width, height), synthetic(width, height, channels))
            for kernel, resample in KERNELS.items():
                resized = image.resize((out_width, out_height), resample).tobytes()
                cases.append(
                    {
                        "from": [width, height],
                        "to": [out_width, out_height],
                        "channels": channels,
                        "kernel": kernel,
                        "sha256": hashlib.sha256(resized).hexdigest(),
                    }
                )
    lines = ",\n".join(f"    {json.dumps(case)}" for case in cases)
    text = f'{{\n  "pillow": "{PIL.__version__}",\n  "cases": [\n{lines}\n  ]\n}}\n'
    pathlib.Path(__file__).with_name("resize.json").write_text(text)


if __name__ == "__main__":
    main()
