"""Photos three times as wide and high, as JPEG: of these fast decoding decodes only a part. For jpeg-to-feature.ts.

  python enlarge_photos.py LIST FOLDER      LIST names one photo a line; FOLDER is where they go and prints their paths
"""

import os
import sys

from PIL import Image

with open(sys.argv[1], encoding="utf8") as file:
    for index, path in enumerate(file.read().splitlines()):
        photo = Image.open(path).convert("RGB")
        large = photo.resize((3 * photo.width, 3 * photo.height), Image.Resampling.LANCZOS)
        target = os.path.join(sys.argv[2], f"{index:03}.jpg")
        large.save(target, quality=90)
        print(target)
