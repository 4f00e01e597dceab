"""Writes small model configs of every shape a graph can have, as Keras itself serialises them.

python3 make_configs.py keras3 > keras3.json      (keras 3)
python3 make_configs.py keras2 > keras2.json      (tf_keras 2)
"""
import json
import sys

if sys.argv[1] == "keras3":
    import keras
else:
    import tf_keras as keras

layers, Model, Input = keras.layers, keras.Model, keras.Input
keras3 = keras.__version__.startswith("3.")


def functional():
    x = Input((8, 8, 3), name="image")
    y = layers.Conv2D(2, 3, padding="same", activation="relu", name="conv")(x)
    z = layers.Add(name="add")([y, layers.BatchNormalization(name="norm")(y)])
    return Model(x, layers.Dense(4, activation="softmax", name="scores")(layers.Flatten(name="flat")(z)), name="plain")


def sequential():
    return keras.Sequential(
        [Input((8, 8, 3)), layers.Conv2D(2, 3, name="conv"), layers.GlobalAveragePooling2D(name="pool")], name="row"
    )


def backbone(name):
    x = Input((8, 8, 3), name="inner_image")
    y = layers.Conv2D(2, 3, padding="same", name="conv")(x)
    return Model(x, [layers.ReLU(name="relu")(y), y], name=name)


def nested():
    inner = backbone("backbone")
    outer_input = Input((8, 8, 3), name="middle_image")
    middle = Model(outer_input, layers.Concatenate(name="join")(inner(outer_input)), name="middle")
    x = Input((8, 8, 3), name="image")
    tail = keras.Sequential([Input((8, 8, 4)), layers.Conv2D(3, 1, name="conv")], name="tail")
    return Model(x, tail(middle(x)), name="nested")


def shared():
    inner = backbone("tower")
    dense = layers.Conv2D(2, 1, name="shared_conv")
    left, right = Input((8, 8, 3), name="left"), Input((8, 8, 3), name="right")
    a, b = inner(left)[0], inner(right)[1]
    return Model([left, right], layers.Subtract(name="difference")([dense(a), dense(b)]), name="siamese")


def operations():
    x = Input((8, 8, 3), name="image")
    y = layers.Conv2D(3, 3, padding="same", name="conv")(x)
    if keras3:
        from keras import ops

        z = ops.concatenate([x * 2.0 - 1.0, ops.transpose(y, (0, 2, 1, 3))], axis=-1)
        parts = ops.split(z, 2, axis=-1)
        out = parts[1][:, 1:-1, ..., :2]
    else:
        import tensorflow as tf

        z = tf.concat([x * 2.0 - 1.0, tf.transpose(y, (0, 2, 1, 3))], axis=-1)
        parts = tf.split(z, 2, axis=-1)
        out = parts[1][:, 1:-1, ..., :2]
    return Model(x, out, name="operations")


def attention():
    x = Input((4, 6), name="tokens")
    y = layers.MultiHeadAttention(2, 3, name="attend")(x, x)
    return Model(x, layers.LayerNormalization(name="norm")(y), name="attention")


def frozen():
    inner = backbone("backbone")
    inner.trainable = False
    x = Input((8, 8, 3), name="image")
    return Model(x, layers.GlobalMaxPooling2D(name="pool")(inner(x)[0]), name="frozen")


made = {}
for build in (functional, sequential, nested, shared, operations, attention, frozen):
    model = build()
    made[build.__name__] = json.loads(model.to_json())
print(json.dumps({"keras": keras.__version__, "models": made}))
