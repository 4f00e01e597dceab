"""thingsvision, as its documentation shows it."""

from common import arguments, done

given = arguments()

import os

import numpy as np
import torch
import thingsvision
from thingsvision import get_extractor
from thingsvision.utils.data import DataLoader, ImageDataset
from thingsvision.utils.storing import save_features

if __name__ == "__main__":
    extractor = get_extractor(model_name=given.model, source="torchvision", device="cpu", pretrained=False)
    dataset = ImageDataset(
        root=given.folder,
        out_path=given.out,
        backend=extractor.get_backend(),
        transforms=extractor.get_transformations(resize_dim=224, crop_dim=224),
    )
    batches = DataLoader(dataset=dataset, batch_size=given.batch, backend=extractor.get_backend())
    features = extractor.extract_features(
        batches=batches, module_name=given.layer, flatten_acts=False, output_type="ndarray"
    )
    if given.pool == "mean":
        features = features.mean((2, 3))
    save_features(features.reshape(len(features), -1), out_path=given.out, file_format="npy")
    done(len(features), {"thingsvision": thingsvision.__version__, "torch": torch.__version__})
