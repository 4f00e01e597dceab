"""torchvision's create_feature_extractor with a DataLoader of as many workers as there are processors."""

from common import arguments, done, paths_of

given = arguments()

import os

import numpy as np
import torch
import torchvision
from PIL import Image
from torchvision.models.feature_extraction import create_feature_extractor

prepare = torchvision.transforms.Compose(
    [
        torchvision.transforms.Resize((224, 224)),
        torchvision.transforms.ToTensor(),
        torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)


class Photos(torch.utils.data.Dataset):
    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return prepare(Image.open(self.paths[index]).convert("RGB"))


if __name__ == "__main__":
    photos = Photos(paths_of(given.folder))
    batches = torch.utils.data.DataLoader(photos, batch_size=given.batch, num_workers=os.cpu_count())
    model = torchvision.models.get_model(given.model, weights=None).eval()
    extractor = create_feature_extractor(model, {given.layer: "features"})
    features = []
    with torch.inference_mode():
        for batch in batches:
            output = extractor(batch)["features"]
            features.append((output.mean((2, 3)) if given.pool == "mean" else output).numpy())
    features = np.concatenate(features)
    np.save(given.out, features)
    done(len(features), {"torch": torch.__version__, "torchvision": torchvision.__version__})
