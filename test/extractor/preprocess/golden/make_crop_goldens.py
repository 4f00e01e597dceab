"""Writes crop.json: sha256 of cropped synthetic images, by the rules of torchvision and Hugging Face over Pillow's resize.

Run it with Pillow and NumPy installed:  python make_crop_goldens.py
The rules are those of torchvision 0.2x (transforms.Resize(int), CenterCrop on PIL images) and of transformers 4.x and 5.x
(image_transforms.get_resize_output_image_size, center_crop).
"""

import hashlib
import json
import math
import pathlib
import random

import numpy as np
import PIL
from make_resize_goldens import KERNELS, synthetic
from PIL import Image

CASES = 40


def shorter_side_to(image: Image.Image, side: int, kernel: str) -> Image.Image:
    width, height = image.size
    longer = int(side * max(width, height) / min(width, height))
    return image.resize((side, longer) if width <= height else (longer, side), KERNELS[kernel])


def torchvision(image: Image.Image, crop_width: int, crop_height: int) -> bytes:
    width, height = image.size
    left, right = max(0, crop_width - width) // 2, (max(0, crop_width - width) + 1) // 2
    top, bottom = max(0, crop_height - height) // 2, (max(0, crop_height - height) + 1) // 2
    padded = Image.new(image.mode, (width + left + right, height + top + bottom))
    padded.paste(image, (left, top))
    x = round((padded.width - crop_width) / 2.0)
    y = round((padded.height - crop_height) / 2.0)
    return padded.crop((x, y, x + crop_width, y + crop_height)).tobytes()


def hugging_face(image: Image.Image, crop_width: int, crop_height: int) -> bytes:
    pixels = np.array(image)
    height, width = pixels.shape[:2]
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    new_height, new_width = max(crop_height, height), max(crop_width, width)
    padded = np.zeros((new_height, new_width, *pixels.shape[2:]), np.uint8)
    top_pad, left_pad = math.ceil((new_height - height) / 2), math.ceil((new_width - width) / 2)
    padded[top_pad : top_pad + height, left_pad : left_pad + width] = pixels
    top, left = top + top_pad, left + left_pad
    return padded[max(0, top) : top + crop_height, max(0, left) : left + crop_width].tobytes()


def main() -> None:
    random.seed(4)
    cases = []
    for i in range(CASES):
        width, height = random.randint(1, 120), random.randint(1, 120)
        to = [random.randint(1, 60), random.randint(1, 60)]
        # Now and then the shorter side has its size already.
        side = min(width, height) if i % 8 == 0 else random.randint(1, 80)
        channels = random.choice((1, 3))
        kernel = random.choice(list(KERNELS))
        pixels = synthetic(width, height, channels)
        image = Image.frombytes("L" if channels == 1 else "RGB", (width, height), pixels)
        resized = shorter_side_to(image, side, kernel)
        for rounding, crop in (("half-even", torchvision), ("floor", hugging_face)):
            cases.append(
                {
                    "from": [width, height],
                    "to": to,
                    "shorterSide": side,
                    "rounding": rounding,
                    "channels": channels,
                    "kernel": f"pillow:{kernel}",
                    "sha256": hashlib.sha256(crop(resized, *to)).hexdigest(),
                }
            )
    lines = ",\n".join(f"    {json.dumps(case)}" for case in cases)
    text = f'{{\n  "pillow": "{PIL.__version__}",\n  "cases": [\n{lines}\n  ]\n}}\n'
    pathlib.Path(__file__).with_name("crop.json").write_text(text)


if __name__ == "__main__":
    main()
