"""Other libraries' versions of the perturbations, for benchmarks/perturbations.py.

None of them is needed; each runs where it is installed. They do not give the reference's pictures:
only torch-uncertainty follows its constants. What they take is timed as their users would call
them: kornia and torch-uncertainty a batch of floats (one severity for the whole batch), from uint8
and back; albumentations one uint8 image at a time.
"""

import importlib.metadata

LIBRARIES = ("kornia", "albumentations", "torch-uncertainty")


def peers(kind):
    """`{label: function of uint8 images (batch, height, width, 3)}` for what is installed."""
    found = {}
    for library in LIBRARIES:
        try:
            version = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
        make = {
            "kornia": _kornia,
            "albumentations": _albumentations,
            "torch-uncertainty": _torch_uncertainty,
        }[library]
        function = make(kind)
        if function is not None:
            found[f"{library} {version}"] = function
    return found


def _batched(module):
    """A module of torch on floats in [0, 1], from uint8 and back, channels last."""
    import torch

    def run(images):
        with torch.no_grad():
            x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
            y = (module(x).clamp(0, 1) * 255).to(torch.uint8)
        return y.permute(0, 2, 3, 1).numpy()

    return run


def _kornia(kind):
    import kornia.augmentation as kornia
    import torch

    module = {
        "brightness": lambda: kornia.RandomBrightness((1.3, 1.3), p=1.0),
        "contrast": lambda: kornia.RandomContrast((0.2, 0.2), p=1.0),
        "gaussian_noise": lambda: kornia.RandomGaussianNoise(std=0.18, p=1.0),
        "motion_blur": lambda: kornia.RandomMotionBlur(31, 45.0, 0.5, p=1.0),
        "snow": lambda: kornia.RandomSnow(p=1.0),
        "gaussian_blur": lambda: kornia.RandomGaussianBlur((17, 17), (3.0, 3.0), p=1.0),
        "jpeg_compression": lambda: kornia.RandomJPEG((15.0, 15.0), p=1.0),
        "saturate": lambda: kornia.RandomSaturation((2.0, 2.0), p=1.0),
    }.get(kind)
    if module is None:
        return None
    torch.manual_seed(0)
    return _batched(module())


def _albumentations(kind):
    import albumentations as a
    import numpy as np

    make = {
        "brightness": lambda: a.RandomBrightnessContrast((0.3, 0.3), (0, 0), p=1),
        "contrast": lambda: a.RandomBrightnessContrast((0, 0), (-0.8, -0.8), p=1),
        "defocus_blur": lambda: a.Defocus((6, 6), (0.5, 0.5), p=1),
        "zoom_blur": lambda: a.ZoomBlur((1.21, 1.21), (0.02, 0.02), p=1),
        "gaussian_noise": lambda: a.GaussNoise((0.18, 0.18), p=1),
        "glass_blur": lambda: a.GlassBlur(1.0, 2, 3, p=1),
        "motion_blur": lambda: a.MotionBlur((31, 31), p=1),
        "shot_noise": lambda: a.ShotNoise((0.08, 0.08), p=1),
        "snow": lambda: a.RandomSnow(p=1),
        "gaussian_blur": lambda: a.GaussianBlur((17, 17), (3, 3), p=1),
        "jpeg_compression": lambda: a.ImageCompression(quality_range=(15, 15), p=1),
        "saturate": lambda: a.ColorJitter(0, 0, (2, 2), 0, p=1),
        "spatter": lambda: a.Spatter(p=1),
        "speckle_noise": lambda: a.MultiplicativeNoise((0.65, 1.35), elementwise=True, p=1),
    }.get(kind)
    if make is None:
        return None
    transform = make()
    return lambda images: np.stack([transform(image=image)["image"] for image in images])


def _torch_uncertainty(kind):
    from torch_uncertainty.transforms import corruption  # its import takes Lightning

    name = {"saturate": "Saturation", "jpeg_compression": "JPEGCompression"}.get(
        kind, "".join(word.capitalize() for word in kind.split("_"))
    )
    found = getattr(corruption, name, None)
    if found is None or not getattr(found, "batchable", False):
        return None
    return _batched(found(3))
