"""What every peer's script is given, and what it prints at its end. Not part of what is compared."""

import argparse
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# ONNX Runtime reads it when it is imported, and reports its sessions to its makers without it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", help="model file, or the architecture's name where the peer brings its own")
    parser.add_argument("--layer")
    parser.add_argument("--folder", required=True, help="folder of class folders of JPEGs")
    parser.add_argument("--out", required=True, help="where the features go")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--pool", choices=("mean", "none"), required=True)
    parser.add_argument("--ratio", type=int, default=1, help="decode that much smaller")
    return parser.parse_args()


def paths_of(folder):
    found = [os.path.join(base, name) for base, _, names in os.walk(folder) for name in names]
    return sorted(path for path in found if path.endswith(".jpg"))


def done(rows, versions):
    print(json.dumps({"rows": rows, "versions": versions}))
