"""A picture after each epoch of what the network sees: keypoints and heatmaps of a few images."""

from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageDraw

from keras_shr._replicas import alone
from keras_shr.callbacks._averaging import averaged_weights
from keras_shr.callbacks.probe import check_keypoint_model
from keras_shr.callbacks.robustness import check_every, is_due
from keras_shr.data.images import resize_images
from keras_shr.data.records import KeypointData
from keras_shr.errors import KerasShrError
from keras_shr.files import remove_leftovers, replacing
from keras_shr.heatmaps import image_to_heatmap

_TITLE, _GAP = 16, 4
_PREDICTED, _LABEL, _BONE = (255, 80, 40), (70, 230, 90), (250, 210, 60)
# Black, violet, red, yellow, white: brighter is higher, also on paper and for the colour-blind.
_COLOURS = np.array(
    [[0, 0, 8], [70, 15, 110], [200, 50, 70], [250, 170, 40], [255, 255, 230]], "float32"
)


class HeatmapPictures(keras.callbacks.Callback):
    """Writes `epoch_00005.png`, ... with one row an image.

    The first column shows the image with the predicted keypoints (dots, joined by the skeleton's
    bones) and, where labels are given, circles around the labelled ones. The others show the
    heatmaps of a few joints over the grey image, each scaled by its own maximum, with the decoding
    score of the keypoint.

    Args:
        directory: folder for the pictures.
        images: `KeypointData` or uint8 `(count, height, width, 3)`; resized to the model's size.
        every: epochs between pictures; the last epoch always gets one.
        keypoints: labels `(count, keypoints, 3)` in pixels of the images, or None; not with
            `KeypointData`.
        joints: which heatmaps to show, as indices or names of the model's skeleton; by default
            four, spread evenly.
        limit: at most this many images.
        tile: side of each small picture in px.
    """

    def __init__(self, directory, images, every=1, keypoints=None, joints=None, limit=8, tile=160):
        super().__init__()
        if isinstance(images, KeypointData):
            keypoints, images = images.keypoints, images.images
        images = np.asarray(images)[:limit]
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
            raise KerasShrError(
                f"images are {images.dtype} {images.shape}, expected uint8 "
                "(count, height, width, 3)"
            )
        if not len(images):
            raise KerasShrError(f"no images to draw (limit is {limit})")
        self.directory = Path(directory)
        self.images = images
        if keypoints is not None:
            keypoints = np.asarray(keypoints)[:limit]
        self.keypoints = keypoints
        if keypoints is not None and keypoints.shape[::2] != (len(images), 3):
            raise KerasShrError(
                f"keypoints have shape {keypoints.shape}, expected ({len(images)}, keypoints, 3)"
            )
        self.every = check_every(every)
        self.joints, self.tile = joints, tile

    def on_train_begin(self, logs=None) -> None:
        check_keypoint_model(self.model, self.keypoints)
        count = getattr(self.model, "num_keypoints", None)
        if count is not None:  # a wrong name should not take an epoch to show
            self._joints(count, getattr(self.model, "skeleton", None))
        remove_leftovers(self.directory)

    def on_epoch_end(self, epoch, logs=None) -> None:
        if is_due(self, epoch):
            with replacing(self.directory / f"epoch_{epoch + 1:05d}.png") as path:
                self.draw().save(path)

    def draw(self) -> Image.Image:
        """The picture of the model as it is, a PIL image."""
        size = tuple(self.model.image_size)
        images = resize_images(self.images, size)
        with averaged_weights(self.model), alone():
            predicted = self.model.predict_keypoints(images, batch_size=len(images))
            maps = np.asarray(self.model.predict_on_batch(images), "float32")
        labels = self.keypoints
        if labels is not None:
            labels = np.asarray(image_to_heatmap(labels, self.images.shape[1:3], size))
        skeleton = getattr(self.model, "skeleton", None)
        joints = self._joints(maps.shape[-1], skeleton)
        step, header = self.tile + _GAP, _TITLE
        sheet = Image.new("RGB", (step * (1 + len(joints)), header + step * len(images)), "white")
        pen = ImageDraw.Draw(sheet)
        pen.text((2, 2), "keypoints", "black")
        for column, joint in enumerate(joints, start=1):
            name = skeleton.keypoints[joint] if skeleton else f"keypoint {joint}"
            pen.text((column * step + 2, 2), name, "black")
        for row, image in enumerate(images):
            y = header + row * step
            label = None if labels is None else labels[row]
            sheet.paste(self._pose(image, predicted[row], label, skeleton), (0, y))
            for column, joint in enumerate(joints, start=1):
                tile = self._heat(image, maps[row, :, :, joint], predicted[row, joint])
                sheet.paste(tile, (column * step, y))
        return sheet

    def _joints(self, count, skeleton):
        if self.joints is None:
            return sorted({int(i) for i in np.linspace(0, count - 1, min(4, count)).round()})
        joints = []
        for joint in self.joints:
            if isinstance(joint, str):
                if skeleton is None:
                    raise KerasShrError(f"joints names {joint!r}, but the model has no skeleton")
                joint = skeleton.index(joint)
            if not 0 <= joint < count:
                raise KerasShrError(f"joints has {joint}, expected 0 to {count - 1}")
            joints.append(joint)
        return joints

    def _scaled(self, image):
        return Image.fromarray(image).resize((self.tile, self.tile), Image.Resampling.BILINEAR)

    def _place(self, keypoints, shape):
        """Image px to px of the tile: both have an integer at a pixel's centre."""
        factor = self.tile / np.array([shape[1], shape[0]])
        return (keypoints[:, :2] + 0.5) * factor - 0.5

    def _pose(self, image, predicted, label, skeleton):
        tile = self._scaled(image)
        pen = ImageDraw.Draw(tile)
        points = self._place(predicted, image.shape)
        usable = np.isfinite(points).all(axis=-1)
        for a, b in skeleton.edges if skeleton else ():
            if usable[a] and usable[b]:
                pen.line([*points[a], *points[b]], _BONE, 1)
        for x, y in points[usable]:
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), _PREDICTED)
        if label is not None:
            shown = (label[:, 2] > 0) & np.isfinite(label).all(axis=-1)
            for x, y in self._place(label[shown], image.shape):
                pen.ellipse((x - 4, y - 4, x + 4, y + 4), outline=_LABEL)
        return tile

    def _heat(self, image, heatmap, keypoint):
        heatmap = np.nan_to_num(heatmap, posinf=0, neginf=0)
        heatmap = np.clip(heatmap / max(float(heatmap.max()), 1e-12), 0, 1)
        heatmap = Image.fromarray(heatmap.astype("float32"))
        heatmap = np.asarray(heatmap.resize((self.tile, self.tile), Image.Resampling.BILINEAR))
        place = heatmap * (len(_COLOURS) - 1)
        below = np.minimum(place.astype(int), len(_COLOURS) - 2)
        share = (place - below)[..., None]
        colour = _COLOURS[below] * (1 - share) + _COLOURS[below + 1] * share
        grey = np.asarray(self._scaled(image).convert("L"), "float32")[..., None]
        blend = 0.35 * grey + 0.65 * colour
        tile = Image.fromarray(blend.clip(0, 255).astype("uint8"))
        if len(keypoint) > 2:
            ImageDraw.Draw(tile).text((3, 2), f"{keypoint[2]:.2f}", "white")
        return tile
