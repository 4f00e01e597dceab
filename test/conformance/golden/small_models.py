"""Small models that span the layer vocabulary, from the block functions of keras.applications; for make_goldens.py.

Each function takes a Keras (`keras` or `tf_keras`) and gives a model of at most about 50,000 parameters.
"""

import importlib

SIDE = 32
CLASSES = 7


def applications(keras, name):
    module = importlib.import_module(f"{keras.__name__}.src.applications.{name}")
    if getattr(module, "layers", keras.layers) is None:
        module.layers = keras.layers  # tf_keras fills this in when a whole architecture is built.
    return module


def resnet(keras):
    module = applications(keras, "resnet")
    stack = getattr(module, "stack_residual_blocks_v1", None) or module.stack1

    def stack_fn(x):
        x = stack(x, 4, 1, stride1=1, name="conv2")
        return stack(x, 6, 2, name="conv3")

    return module.ResNet(stack_fn, False, True, weights=None, input_shape=(SIDE, SIDE, 3), classes=CLASSES)


def resnet_v2(keras):
    module = applications(keras, "resnet")
    stack = getattr(module, "stack_residual_blocks_v2", None) or module.stack2

    def stack_fn(x):
        x = stack(x, 4, 2, name="conv2")
        return stack(x, 6, 2, stride1=1, name="conv3")

    return module.ResNet(stack_fn, True, True, weights=None, input_shape=(SIDE, SIDE, 3), classes=CLASSES)


def mobilenet(keras):
    module = applications(keras, "mobilenet")
    image = keras.Input((SIDE, SIDE, 3))
    x = module._conv_block(image, 8, 1.0, strides=(2, 2))
    x = module._depthwise_conv_block(x, 12, 1.0, 1, block_id=1)
    x = module._depthwise_conv_block(x, 16, 1.0, 2, strides=(2, 2), block_id=2)
    x = module._depthwise_conv_block(x, 20, 1.0, 1, block_id=3)
    x = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = keras.layers.Dropout(1e-3, name="dropout")(x)
    x = keras.layers.Conv2D(CLASSES, (1, 1), padding="same", name="conv_preds")(x)
    x = keras.layers.Reshape((CLASSES,), name="reshape_2")(x)
    return keras.Model(image, keras.layers.Activation("softmax", name="predictions")(x), name="mobilenet_small")


def mobilenet_v2(keras):
    module = applications(keras, "mobilenet_v2")
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="Conv1")(image)
    x = keras.layers.BatchNormalization(epsilon=1e-3, momentum=0.999, name="bn_Conv1")(x)
    x = keras.layers.ReLU(6.0, name="Conv1_relu")(x)
    x = module._inverted_res_block(x, filters=8, alpha=1, stride=1, expansion=1, block_id=0)
    x = module._inverted_res_block(x, filters=16, alpha=1, stride=2, expansion=3, block_id=1)
    x = module._inverted_res_block(x, filters=16, alpha=1, stride=1, expansion=3, block_id=2)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(CLASSES, activation="softmax", name="predictions")(x))


def mobilenet_v3(keras):
    """Rescaling, hard sigmoid and hard swish (operation layers in tf_keras), squeeze and excite, an open input size."""
    module = applications(keras, "mobilenet_v3")

    def stack_fn(x, kernel, activation, se_ratio):
        x = module._inverted_res_block(x, 1, 16, 3, 2, se_ratio, module.relu, 0)
        x = module._inverted_res_block(x, 2, 16, kernel, 1, se_ratio, activation, 1)
        return module._inverted_res_block(x, 2, 24, kernel, 2, None, activation, 2)

    shape = (None, None, 3)
    return module.MobileNetV3(stack_fn, 32, shape, model_type="small", weights=None, classes=CLASSES)


def densenet(keras):
    module = applications(keras, "densenet")
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.ZeroPadding2D(((3, 3), (3, 3)))(image)
    x = keras.layers.Conv2D(12, 7, strides=2, use_bias=False, name="conv1_conv")(x)
    x = keras.layers.BatchNormalization(epsilon=1.001e-5, name="conv1_bn")(x)
    x = keras.layers.Activation("relu", name="conv1_relu")(x)
    for block in (1, 2):
        for index in (1, 2):
            x = module.conv_block(x, 6, name=f"conv{block + 1}_block{index}")
        x = module.transition_block(x, 0.5, name=f"pool{block + 1}")
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(image, keras.layers.Dense(CLASSES, activation="softmax", name="predictions")(x), name="dense_small")


def efficientnet(keras):
    """Rescaling, Normalization with adapted weights, swish, squeeze and excite, correct padding, dropout of whole rows."""
    module = applications(keras, "efficientnet")
    common = {"id_skip": True, "se_ratio": 0.25, "repeats": 2}
    blocks = [
        {**common, "kernel_size": 3, "filters_in": 8, "filters_out": 8, "expand_ratio": 1, "strides": 1},
        {**common, "kernel_size": 5, "filters_in": 8, "filters_out": 16, "expand_ratio": 3, "strides": 2},
    ]
    return module.EfficientNet(
        0.1, 1.0, SIDE, blocks_args=blocks, weights=None, input_shape=(SIDE, SIDE, 3), classes=CLASSES
    )


def efficientnet_v2(keras):
    module = applications(keras, "efficientnet_v2")
    common = {"num_repeat": 2, "kernel_size": 3, "strides": 2}
    blocks = [
        {**common, "input_filters": 8, "output_filters": 8, "expand_ratio": 1, "se_ratio": 0, "conv_type": 1, "strides": 1},
        {**common, "input_filters": 8, "output_filters": 16, "expand_ratio": 2, "se_ratio": 0, "conv_type": 1},
        {**common, "input_filters": 16, "output_filters": 16, "expand_ratio": 3, "se_ratio": 0.25, "conv_type": 0},
    ]
    return module.EfficientNetV2(
        0.1, 1.0, SIDE, blocks_args=blocks, weights=None, input_shape=(SIDE, SIDE, 3), classes=CLASSES, **v2_name(keras)
    )


def v2_name(keras):
    """A name that ends with -b0 to -b3 takes Normalization in front, by ImageNet's mean and variance."""
    return {"name": "small-b0"} if keras.__name__ == "keras" else {"model_name": "small-b0"}


def convnext(keras):
    """Nested stems, grouped convolution, LayerNormalization, GELU, LayerScale, StochasticDepth, sums as operations."""
    module = applications(keras, "convnext")
    name = {"name": "small"} if keras.__name__ == "keras" else {"model_name": "small"}
    return module.ConvNeXt(
        depths=[1, 1, 2, 1],
        projection_dims=[8, 12, 16, 20],
        drop_path_rate=0.2,
        default_size=SIDE,
        weights=None,
        input_shape=(SIDE, SIDE, 3),
        classes=CLASSES,
        **name,
    )


def nasnet(keras):
    """A reduction and a normal cell: separable convolutions, uneven zero padding, cropping, average pooling with same padding."""
    module = applications(keras, "nasnet")
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, use_bias=False, name="stem_conv1")(image)
    x = keras.layers.BatchNormalization(momentum=0.9997, epsilon=1e-3, name="stem_bn1")(x)
    x, before = module._reduction_a_cell(x, None, 4, block_id="stem_1")
    x, _ = module._normal_a_cell(x, before, 4, block_id="0")
    x = keras.layers.Activation("relu", name="last_relu")(x)
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(image, keras.layers.Dense(CLASSES, activation="softmax", name="predictions")(x), name="nasnet_small")


def inception(keras):
    """Batch normalisation without gamma, uneven kernels, and the scaled sum of Inception-ResNet."""
    conv = applications(keras, "inception_v3").conv2d_bn
    scale = applications(keras, "inception_resnet_v2").CustomScaleLayer
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 3))
    x = conv(image, 8, 3, 3, strides=(2, 2), padding="valid", name="stem")
    branches = [
        conv(x, 6, 1, 1),
        conv(conv(conv(x, 4, 1, 1), 5, 1, 7), 6, 7, 1),
        conv(layers.AveragePooling2D((3, 3), strides=(1, 1), padding="same")(x), 4, 1, 1),
    ]
    x = layers.concatenate(branches, axis=3, name="mixed0")
    up = layers.Conv2D(16, 1, name="up")(conv(x, 5, 3, 3))
    x = scale(0.17)([x, up])
    x = layers.Activation("relu", name="block35_1_ac")(x)
    pooled = layers.MaxPooling2D((3, 3), strides=(2, 2))(x)
    reduced = conv(x, 10, 3, 3, strides=(2, 2), padding="valid")
    x = layers.Concatenate(name="mixed1")([reduced, pooled])
    x = layers.GlobalMaxPooling2D(name="max_pool")(x)
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax", name="predictions")(x), name="inception_small")


def xception(keras):
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, strides=2, use_bias=False, name="block1_conv1")(image)
    x = layers.BatchNormalization(name="block1_conv1_bn")(x)
    x = layers.Activation("relu", name="block1_conv1_act")(x)
    residual = layers.Conv2D(16, 1, strides=2, padding="same", use_bias=False, name="shortcut")(x)
    x = layers.SeparableConv2D(16, 3, padding="same", use_bias=False, name="block2_sepconv1")(x)
    x = layers.BatchNormalization(name="block2_sepconv1_bn")(x)
    x = layers.Activation("relu", name="block2_sepconv2_act")(x)
    x = layers.SeparableConv2D(16, 3, padding="same", depth_multiplier=2, activation="elu", name="block2_sepconv2")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="block2_pool")(x)
    x = layers.add([x, residual], name="block2_add")
    x = layers.Conv2D(16, 3, dilation_rate=2, padding="same", activation="gelu", name="dilated")(x)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax", name="predictions")(x), name="xception_small")


def transformer(keras):
    """A vision transformer with augmentation in front: tokens, attention with keywords, group normalisation, slices."""
    layers = keras.layers
    image = keras.Input((40, 36, 3), name="image")
    x = layers.RandomFlip("horizontal", name="flip")(image)
    x = layers.RandomRotation(0.1, name="rotate")(x)
    x = layers.Resizing(SIDE, SIDE, name="resize")(x)
    x = layers.Rescaling(1 / 2, offset=0.25, name="rescale")(x)
    x = layers.Conv2D(24, 8, strides=8, name="patches")(x)
    x = layers.GroupNormalization(groups=4, name="group_norm")(x)
    tokens = layers.Reshape((16, 24), name="tokens")(x)
    for block in (1, 2):
        x = layers.LayerNormalization(epsilon=1e-6, name=f"block{block}_norm1")(tokens)
        attention = layers.MultiHeadAttention(3, 8, dropout=0.1, name=f"block{block}_attention")
        x = attention(query=x, value=x, key=x) if block == 1 else attention(x, x)
        tokens = layers.Add(name=f"block{block}_add1")([tokens, x])
        x = layers.LayerNormalization(epsilon=1e-6, name=f"block{block}_norm2")(tokens)
        x = layers.Dense(48, activation="gelu", name=f"block{block}_mlp1")(x)
        x = layers.Dense(24, name=f"block{block}_mlp2")(x)
        tokens = tokens + layers.Dropout(0.1, name=f"block{block}_drop")(x)
    first = tokens[:, 0]
    mean = layers.GlobalAveragePooling1D(name="mean_tokens")(tokens)
    x = layers.Concatenate(name="head_in")([first, mean * 0.5])
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax", name="predictions")(x), name="transformer")


def shared(keras):
    """A nested model in a nested model, called twice; merges whose order matters; transposed convolution and upsampling."""
    layers = keras.layers
    inner_image = keras.Input((16, 16, 3), name="inner_image")
    y = layers.Conv2D(6, 3, padding="same", activation="relu", name="conv")(inner_image)
    y = layers.PReLU(shared_axes=[1, 2], name="prelu")(layers.Conv2D(6, 3, strides=2, name="conv_strided")(y))
    encoder = keras.Model(inner_image, y, name="encoder")
    outer_image = keras.Input((16, 16, 3), name="outer_image")
    y = layers.BatchNormalization(name="norm")(encoder(outer_image))
    tower = keras.Model(outer_image, layers.LeakyReLU(name="leaky")(y), name="tower")
    image = keras.Input((SIDE, SIDE, 3), name="image")
    small = layers.AveragePooling2D(2, name="halve")(image)
    cropped = layers.Cropping2D(((4, 12), (10, 6)), name="crop")(image)
    left, right = tower(small), tower(cropped)
    difference = layers.Subtract(name="difference")([left, right])
    larger = layers.Maximum(name="larger")([left, right])
    both = layers.Concatenate(name="both")([difference, larger, layers.Average(name="average")([left, difference])])
    x = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="tanh", name="up_conv")(both)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="up")(x)
    x = layers.Permute((2, 1, 3), name="permute")(x)
    x = layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding="same", activation="swish", name="depthwise")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool")(x)
    x = layers.Flatten(name="flat")(x)
    return keras.Model(image, layers.Dense(CLASSES, activation="sigmoid", name="predictions")(x), name="shared_towers")


def sequential(keras):
    """A Sequential model, as beginners write it, with augmentation and another Sequential inside."""
    layers = keras.layers
    augmentation = keras.Sequential([layers.RandomZoom(0.1), layers.RandomContrast(0.2)], name="augmentation")
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            augmentation,
            layers.Rescaling(0.5),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.SpatialDropout2D(0.1),
            layers.Conv2D(12, 3, activation="selu"),
            layers.GaussianNoise(0.1),
            layers.BatchNormalization(axis=-1, scale=False),
            layers.AveragePooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(16, activation="softplus"),
            layers.ActivityRegularization(0.01),
            layers.Dense(CLASSES),
            layers.Softmax(),
        ],
        name="beginner",
    )


# Model, Keras and file formats: each architecture in the dialects in which it differs.
GOLDENS = [
    ("resnet", resnet, {"keras": ["keras"]}),
    ("resnet-v2", resnet_v2, {"tf_keras": ["h5"]}),
    ("mobilenet", mobilenet, {"keras": ["h5"]}),
    ("mobilenet-v2", mobilenet_v2, {"tf_keras": ["keras"]}),
    ("mobilenet-v3", mobilenet_v3, {"keras": ["keras"], "tf_keras": ["h5"]}),
    ("densenet", densenet, {"keras": ["h5"]}),
    ("efficientnet", efficientnet, {"keras": ["keras"]}),
    ("efficientnet-v2", efficientnet_v2, {"tf_keras": ["h5"]}),
    ("convnext", convnext, {"keras": ["keras"], "tf_keras": ["h5"]}),
    ("nasnet", nasnet, {"keras": ["h5"]}),
    ("inception", inception, {"keras": ["keras"], "tf_keras": ["h5"]}),
    ("xception", xception, {"keras": ["keras"]}),
    ("transformer", transformer, {"keras": ["keras"], "tf_keras": ["keras"]}),
    ("shared", shared, {"keras": ["keras", "h5"], "tf_keras": ["keras", "h5"]}),
    ("sequential", sequential, {"keras": ["keras", "h5"], "tf_keras": ["keras", "h5"]}),
]
