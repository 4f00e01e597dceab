"""Makes the model files of the tests of Keras' weights, and what Keras itself reads from them (golden.json).

PYTHONPATH with keras 3.15, tf_keras 2.21 and tensorflow: python3 make_keras_files.py
Files are gzipped: an HDF5 file is mostly room for more.
"""

import gzip
import io
import json
import os
import pathlib
import zipfile

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import h5py
import keras
import numpy as np
import tf_keras

HERE = pathlib.Path(__file__).parent
golden = {}


def functional(k, inputs, outputs, name):
    return k.Model(inputs, outputs, name=name)


def plain(k):
    L = k.layers
    i = k.Input((8, 8, 3), name="image")
    x = L.Conv2D(4, 3, use_bias=False, name="conv_a")(i)
    x = L.BatchNormalization(name="bn_a")(x)
    x = L.Conv2D(5, 3, name="conv_b")(x)
    x = L.BatchNormalization(scale=False, name="bn_b")(x)
    x = L.DepthwiseConv2D(3, name="depthwise")(x)
    x = L.GlobalAveragePooling2D()(x)
    return functional(k, i, L.Dense(3, name="logits")(x), "plain")


def nested(k):
    L = k.layers
    i = k.Input((8, 8, 3))
    x = L.Conv2D(4, 3, name="conv5")(i)
    inner = functional(k, i, L.BatchNormalization(name="bn5")(x), "inner")
    i = k.Input((8, 8, 3))
    x = L.SeparableConv2D(4, 3, name="sep")(inner(i))
    middle = functional(k, i, x, "middle")
    i = k.Input((8, 8, 3))
    x = L.Conv2D(3, 1, name="stem")(i)
    x = middle(x)
    head = [L.Conv2D(4, 1, name="sq_conv"), L.BatchNormalization(name="sq_bn"), L.Dropout(0.2)]
    x = k.Sequential(head, name="head")(x)
    x = L.Conv2D(4, 1, name="last_conv")(x)
    x = L.Reshape((-1, 4))(x)
    shared = L.Dense(4, name="shared")
    x = L.Add()([shared(x), shared(shared(x))])
    x = L.MultiHeadAttention(2, 3, dropout=0.1, name="attention")(x, x)
    x = L.TimeDistributed(L.Dense(4), name="each")(x)
    x = L.Bidirectional(L.LSTM(3), name="both_ways")(x)
    return functional(k, i, L.Dense(2, name="logits")(x), "nested")


def frozen(k):
    L = k.layers
    def block(name):
        i = k.Input((6, 6, 2))
        x = L.Conv2D(2, 1, name=f"{name}_conv1")(i)
        x = L.BatchNormalization(name=f"{name}_bn1")(x)
        x = L.Conv2D(2, 1, name=f"{name}_conv2")(x)
        x = L.BatchNormalization(name=f"{name}_bn2")(x)
        return functional(k, i, x, name)
    whole, partly = block("whole"), block("partly")
    whole.trainable = False
    partly.get_layer("partly_bn1").trainable = False
    partly.get_layer("partly_conv2").trainable = False
    i = k.Input((6, 6, 2))
    return functional(k, i, L.Flatten()(partly(whole(i))), "frozen")


def sequential(k):
    L = k.layers
    return k.Sequential(
        [
            k.Input((6, 6, 2)),
            L.Normalization(name="norm"),
            L.Conv2D(3, 3, name="c1"),
            L.RandomFlip(name="flip"),
            L.LayerNormalization(name="ln"),
            L.Conv2D(3, 3, padding="same", name="c2"),
            L.PReLU(name="prelu"),
            L.Conv2DTranspose(2, 3, name="up"),
        ],
        name="row",
    )


def randomise(model, seed):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, tuple(weight.shape)))


def checksum(array):
    flat = np.asarray(array, dtype=np.float64).ravel()
    return float((flat * (np.arange(flat.size) % 97 + 1)).sum())


def tree_of(layer, path=""):
    node = {"name": layer.name, "path": path, "className": type(layer).__name__, "trainable": bool(layer.trainable)}
    if hasattr(layer, "layers"):
        prefix = f"{path}/" if path else ""
        node["children"] = [tree_of(child, prefix + child.name) for child in layer.layers]
    return node


def leaves(layer, path=""):
    if not hasattr(layer, "layers"):
        yield path, layer
        return
    for child in layer.layers:
        yield from leaves(child, f"{path}/{child.name}" if path else child.name)


def record(name, model, data):
    weights = {
        path: [[list(w.shape), round(checksum(w), 4)] for w in layer.weights]
        for path, layer in leaves(model)
        if layer.weights
    }
    golden[name] = {"tree": tree_of(model), "weights": weights}
    with gzip.GzipFile(HERE / f"{name}.gz", "wb", mtime=0) as out:
        out.write(data)
    print(name, len(data), (HERE / f"{name}.gz").stat().st_size)


def saved(model, suffix):
    path = pathlib.Path("/tmp") / f"layertap-fixture{suffix}"
    model.save(path)
    data = path.read_bytes()
    path.unlink()
    return data


def rezip(data, change_weights=lambda data: data, compression=zipfile.ZIP_STORED):
    source, target = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as out:
        for member in source.namelist():
            content = source.read(member)
            out.writestr(member, change_weights(content) if member == "model.weights.h5" else content)
    return target.getvalue()


def rewritten(data, copy):
    source, target = h5py.File(io.BytesIO(data)), io.BytesIO()
    with h5py.File(target, "w") as out:
        copy(source, out)
    return target.getvalue()


def as_keras_3_0(data):
    """Before layers' names were attributes of `vars`, groups without weights were not written."""

    def copy(source, out):
        def visit(path, item):
            if isinstance(item, h5py.Dataset):
                out.create_dataset(path, data=item[()])

        source.visititems(visit)

    return rewritten(data, copy)


def as_keras_2_12(data, model):
    """Layers stood under `_layer_checkpoint_dependencies`, which lists those with weights twice; both were counted."""

    def copy(source, out):
        counts, plain_counts = {}, {}
        for layer in model.layers:
            stem = keras.src.utils.naming.to_snake_case(type(layer).__name__)
            number, plain_number = counts.get(stem, 0), plain_counts.get(stem, 0)
            counts[stem] = number + (2 if layer.weights else 1)
            plain_counts[stem] = plain_number + 1
            old = f"layers/{stem}_{plain_number}" if plain_number else f"layers/{stem}"
            new = f"_layer_checkpoint_dependencies/{stem}_{number}" if number else f"_layer_checkpoint_dependencies/{stem}"
            source.copy(old, out, new)

    return rewritten(data, copy)


for version, k in (("k3", keras), ("k2", tf_keras)):
    for seed, build in enumerate((plain, nested, frozen, sequential)):
        k.utils.set_random_seed(1)
        k.backend.clear_session()
        model = build(k)
        randomise(model, seed)
        name = f"{build.__name__}-{version}"
        data = saved(model, ".keras")
        record(f"{name}.keras", model, data)
        record(f"{name}.h5", model, saved(model, ".h5"))
        if version == "k3" and build is nested:
            record("nested-k3.0.keras", model, rezip(data, as_keras_3_0, zipfile.ZIP_DEFLATED))
        if version == "k2" and build is plain:
            record("plain-k2.12.keras", model, rezip(data, lambda h5: as_keras_2_12(h5, model)))

# Lists of names longer than an attribute may be are cut into pieces; with a lower limit, in a small file.
keras.src.legacy.saving.legacy_h5_format.HDF5_OBJECT_HEADER_LIMIT = 96
model = nested(keras)
randomise(model, 7)
record("pieces-k3.h5", model, saved(model, ".h5"))

keras.backend.clear_session()
keras.config.set_dtype_policy("bfloat16")
model = plain(keras)
randomise(model, 9)
record("plain-bfloat16-k3.keras", model, saved(model, ".keras"))
keras.config.set_dtype_policy("float16")
model = plain(keras)
randomise(model, 10)
record("plain-float16-k3.h5", model, saved(model, ".h5"))



def odd(name, fill, **options):
    target = io.BytesIO()
    with h5py.File(target, "w", **options) as out:
        fill(out)
    with gzip.GzipFile(HERE / f"{name}.h5.gz", "wb", mtime=0) as out:
        out.write(target.getvalue())


def numbers(out):
    ramp = np.arange(24).reshape(2, 3, 4)
    for dtype in ("float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "uint32", ">f4", ">i2", "bool"):
        out.create_dataset(dtype, data=(ramp % 2 if dtype == "bool" else ramp).astype(dtype))
    out.create_dataset("halves", data=np.array([0.5, -2.0, 6e-8, 65504, np.inf], dtype="float16"))
    out.create_dataset("scalar", data=np.float32(1.5))
    out.create_dataset("nothing", data=np.zeros((0, 3), dtype="float32"))
    out.create_dataset("texts", data=["a", "b"])
    packed = {"compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": (1, 2, 3)}
    out.create_dataset("packed", data=ramp.astype("float32"), **packed)
    out.attrs["utf8"] = "Schicht-ä"
    out.attrs["bytes"] = "Schicht-ä".encode()
    out.attrs["fixed"] = np.array(["é".encode(), b"abc"])
    out.attrs["count"] = 3
    out.attrs["long"] = "x" * 100_000


odd("numbers", numbers)
odd("numbers-latest", numbers, libver="latest")
odd("link-soft", lambda out: (out.create_dataset("a", data=[1.0]), out.__setitem__("b", h5py.SoftLink("/a"))))
odd("link-external", lambda out: out.__setitem__("b", h5py.ExternalLink("/etc/hostname", "/a")))
odd("link-circle", lambda out: out.create_group("a").__setitem__("back", out["/"]))
odd("data-external", lambda out: out.create_dataset("a", (8,), "u1", external=[("/etc/hostname", 0, 8)]))
virtual = h5py.VirtualLayout((4,), "f4")
virtual[:] = h5py.VirtualSource("/tmp/other.h5", "a", (4,))
odd("data-virtual", lambda out: out.create_virtual_dataset("a", virtual))
odd("bomb-unwritten", lambda out: out.create_dataset("a", (2**29,), "f4"))
odd("bomb-packed", lambda out: out.create_dataset("a", (2**29,), "f4", chunks=(2**20,), compression="gzip"))
odd("weights-alone", lambda out: out.create_group("layers"))



def odd_archive(name, members, change=lambda data: data, compression=zipfile.ZIP_STORED):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as out:
        for member, content in members:
            # A date of its own: the same bytes whenever this runs.
            info = zipfile.ZipInfo(member, (2026, 1, 1, 0, 0, 0))
            info.compress_type = compression
            out.writestr(info, content)
    with gzip.GzipFile(HERE / f"{name}.keras.gz", "wb", mtime=0) as out:
        out.write(change(target.getvalue()))


def with_flag_of_encryption(data):
    """Bit 0 of the flags, in the local headers and in the directory."""
    changed = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        while at != -1:
            changed[at + offset] |= 1
            at = data.find(signature, at + 4)
    return bytes(changed)


def with_smaller_declared_size(data):
    """The last member of the directory claims to unpack to 1,000 bytes."""
    changed = bytearray(data)
    at = data.rfind(b"PK\x01\x02")
    changed[at + 24 : at + 28] = (1000).to_bytes(4, "little")
    return bytes(changed)


zeros = b"\x89HDF\r\n\x1a\n" + bytes(200 * 2**20)
config = ("config.json", "{}")
odd_archive("zip-no-config", [("model.weights.h5", "x")])
odd_archive("zip-npz", [config, ("model.weights.npz", "x")])
odd_archive("zip-twice", [config, config, ("model.weights.h5", "x")])
odd_archive("zip-outside", [config, ("../model.weights.h5", "x")])
odd_archive("zip-encrypted", [config, ("model.weights.h5", "x")], with_flag_of_encryption, zipfile.ZIP_DEFLATED)
odd_archive("zip-bomb", [config, ("model.weights.h5", zeros)], compression=zipfile.ZIP_DEFLATED)
odd_archive(
    "zip-more-than-declared",
    [config, ("model.weights.h5", zeros[: 2**20])],
    with_smaller_declared_size,
    zipfile.ZIP_DEFLATED,
)

lines = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in golden.items()]
(HERE / "golden.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
