"""Writes pool.json: poolings by NumPy, in float64 and in the words of their definitions. PYTHONPATH must hold numpy.

python3 make_pool_goldens.py > pool.json
"""
import json
import numpy as np


def values(shape):
    """The same float32 numbers as the test makes: whole numbers over 256."""
    index = np.arange(np.prod(shape), dtype=np.int64)
    return (((index * 7919 + 13) % 1009 - 504) / 256).astype(np.float32).reshape(shape)


def grid(x, rows, columns):
    """torch.nn.AdaptiveAvgPool2d: ATen's start_index = floor(i * in / out), end_index = ceil((i + 1) * in / out)."""
    n, h, w, c = x.shape
    out = np.empty((n, rows, columns, c))
    for i in range(rows):
        for j in range(columns):
            top, bottom = i * h // rows, -(-(i + 1) * h // rows)
            left, right = j * w // columns, -(-(j + 1) * w // columns)
            out[:, i, j] = x[:, top:bottom, left:right].mean(axis=(1, 2))
    return out


def gem(x, p):
    """Radenovic et al.: F.avg_pool2d(x.clamp(min=eps).pow(p), (h, w)).pow(1 / p), eps = 1e-6."""
    axes = tuple(range(1, x.ndim - 1))
    return (np.maximum(x, 1e-6) ** p).mean(axis=axes) ** (1 / p)


def main():
    image, tokens = (2, 7, 5, 3), (2, 6, 4)
    x, t = values(image).astype(np.float64), values(tokens).astype(np.float64)
    cases = [
        (image, "mean", x.mean(axis=(1, 2))),
        (image, "max", x.max(axis=(1, 2))),
        (image, "mean+max", np.concatenate([x.mean(axis=(1, 2)), x.max(axis=(1, 2))], axis=-1)),
        (image, "gem", gem(x, 3)),
        (image, "gem:4.5", gem(x, 4.5)),
        (image, "gem:1", gem(x, 1)),
        *((image, f"grid:{r}x{c}", grid(x, r, c)) for r, c in [(1, 1), (2, 2), (3, 2), (2, 4), (7, 5), (9, 6)]),
        (tokens, "mean", t.mean(axis=1)),
        (tokens, "gem", gem(t, 3)),
        (tokens, "cls", t[:, 0]),
        (tokens, "mean-tokens", t[:, 1:].mean(axis=1)),
    ]
    l2 = x.reshape(2, -1)
    halves = np.array(
        [0, -0.0, 1, -2, 65504, 65519.996, 65520, -65520, 1e6, 6e-8, 2.9e-8, 2.98023223876953125e-8, 2.9802326e-8,
         6.1035156e-5, 6.097555e-5, 6.1e-5, 0.1, 1 / 3, 2049, 2051, 2048.5, np.inf, -np.inf, 1e-45, 3.4e38],
        dtype=np.float32,
    )
    with np.errstate(over="ignore"):
        bits = halves.astype(np.float16).view(np.uint16)
    print(json.dumps({
        "numpy": np.__version__,
        "poolings": [{"shape": s, "pooling": name, "expected": {"shape": list(e.shape), "values": e.ravel().tolist()}}
                     for s, name, e in cases],
        "l2": {"shape": image, "values": (l2 / np.linalg.norm(l2, axis=1, keepdims=True)).ravel().tolist()},
        "halves": {"float32": halves.view(np.uint32).tolist(), "float16": bits.tolist()},
    }))


main()
