"""VGG19 with batch normalisation."""

import keras

from keras_shr.models.backbones._common import images_input, load_own_weights, standardised
from keras_shr.models.backbones._torch_like import batch_norm, conv, max_pool, relu

_BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
_TAPS = ("features.12", "features.25", "features.38", "features.51", "features.52")


def vgg19_bn(image_size, weights=None):
    """The convolutions of torchvision's vgg19_bn, layer for layer and by the same names.

    Source: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image
    Recognition, ICLR 2015 (configuration E); batch normalisation after each convolution as in
    torchvision.

    Args:
        image_size: `(height, width)`.
        weights: `None` or the path of a weights file; PyTorch's by
            `keras_shr.models.weights.from_torch`.

    Returns:
        A model from images in 0..255 to five feature maps: the last of blocks 2 to 5 before their
        pooling (stride 2, 4, 8, 16; 128, 256, 512, 512 channels) and the last pooling's result
        (stride 32). Block 1, at full resolution, gives none.
    """
    images = images_input(image_size)
    x = standardised(images)
    number = 0
    for filters, convolutions in _BLOCKS:
        for _ in range(convolutions):
            x = conv(x, filters, 3, f"features.{number}", use_bias=True)
            x = batch_norm(x, f"features.{number + 1}")
            x = relu(x, f"features.{number + 2}")
            number += 3
        x = max_pool(x, 2, 2, f"features.{number}")
        number += 1
    full = keras.Model(images, x)
    outputs = [full.get_layer(name).output for name in _TAPS]
    model = keras.Model(images, outputs, name="vgg19_bn")
    load_own_weights(model, weights, 'torchvision.models.vgg19_bn(weights="DEFAULT")')
    return model
