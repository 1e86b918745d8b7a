"""Examples as pictures: what moved a model's keypoints most, and what did as much as most do."""

from dataclasses import dataclass

import numpy as np

from keras_shr import drawing
from keras_shr.data.images import encode_image, resize_images
from keras_shr.evaluation.protocol import condition_seed
from keras_shr.files import write_bytes


@dataclass(frozen=True)
class Example:
    """One perturbed picture.

    Attributes:
        image: index in the data.
        condition: index in `protocol.conditions`.
        moved: mean displacement of the keypoints in reported px.
    """

    image: int
    condition: int
    moved: float


def worst(moved, conditions, count=6):
    """The pictures whose keypoints moved most on average, each image and each kind once.

    Pictures on which nothing moved are not among them.

    Args:
        moved: mean over the keypoints in reported px, `(conditions, images)`.
        conditions: `(kind, severity)` of each condition.
        count: how many at most.
    """
    order = np.argsort(-moved, axis=None, kind="stable")
    found, images, kinds = [], set(), set()
    for flat in order:
        condition, image = divmod(int(flat), moved.shape[1])
        kind = conditions[condition][0]
        if not moved[condition, image] > 0:
            break
        if image in images or kind in kinds:
            continue
        images.add(image)
        kinds.add(kind)
        found.append(Example(image, condition, float(moved[condition, image])))
        if len(found) == count:
            break
    return found


def typical(moved):
    """The perturbed picture in the middle: half of them moved the keypoints less, half more.

    Args:
        moved: mean over the keypoints in reported px, `(conditions, images)`.
    """
    order = np.argsort(moved, axis=None, kind="stable")
    condition, image = divmod(int(order[(len(order) - 1) // 2]), moved.shape[1])
    return Example(image, condition, float(moved[condition, image]))


class Illustrator:
    """Makes the pictures of examples again and draws what the models answered.

    Args:
        data: `KeypointData`.
        protocol: `Protocol`.
        perturber: `Perturber`; a seed for each picture makes it the one that was evaluated.
        predictors: model name → `Predictor`, for the heatmaps.
        stores: model name → `Store`.
    """

    def __init__(self, data, protocol, perturber, predictors, stores):
        self.data, self.protocol, self.perturber = data, protocol, perturber
        self.predictors, self.stores = predictors, stores
        self._made = {}

    def pictures(self, example):
        """The clean and the perturbed crop, uint8 `(height, width, 3)` each."""
        key = (example.image, example.condition)
        if key not in self._made:
            kind, level = self.protocol.conditions[example.condition]
            images = self.data.images[example.image : example.image + 1]
            clean = resize_images(images, self.protocol.size)
            seed = condition_seed(self.protocol.seed, self.data.ids[example.image], kind, level)
            self._made[key] = (clean[0], self.perturber.perturb(kind, level, clean, [seed])[0])
        return self._made[key]

    def draw(self, model, examples, width=256):
        """For each example a row of four: the model's keypoints on the clean and on the perturbed
        picture, and its heatmaps of the keypoint that moved furthest."""
        pairs = [self.pictures(example) for example in examples]
        if not pairs:
            return
        maps = self.predictors[model].clean(np.concatenate([np.stack(p) for p in pairs]))["maps"]
        for i, (example, pair) in enumerate(zip(examples, pairs, strict=True)):
            yield self._row(model, example, pair, maps[2 * i : 2 * i + 2], width)

    def _row(self, model, example, pair, maps, width):
        before, after, moved = self._answers(model, example)
        skeleton, furthest = self.data.skeleton, int(moved.argmax())
        left, right = (drawing.Canvas(image, width) for image in pair)
        left.skeleton(before, skeleton, drawing.SKY)
        right.skeleton(before, skeleton, drawing.SKY, width=0.6, dots=False, outline=False)
        for start, end in zip(before, after, strict=True):
            right.segment(start, end, drawing.WHITE, 0.5, outline=False)
        right.skeleton(after, skeleton, drawing.ORANGE)
        heat = [
            drawing.heatmap_overlay(image, map_[..., furthest], width)
            for image, map_ in zip(pair, maps, strict=True)
        ]
        kind, level = self.protocol.conditions[example.condition]
        name = skeleton.keypoints[furthest].replace("_", " ")
        return drawing.strip(
            [left.image(), right.image(), *heat],
            [
                _short(self.data.ids[example.image], 32),
                f"{kind.replace('_', ' ')}, severity {level}",
                _short(f"heatmap of {name}, clean", 34),
                "the same, perturbed",
            ],
            f"Keypoints moved {moved.mean():.0f} px on average, {name} furthest: "
            f"{moved.max():.0f} px",
        )

    def draw_all(self, example, width=240):
        """The same pair shown to every model, in rows: perturbed picture with both answers."""
        clean, perturbed = self.pictures(example)
        skeleton = self.data.skeleton
        images = [drawing.Canvas(image, width).image() for image in (clean, perturbed)]
        kind, level = self.protocol.conditions[example.condition]
        captions = ["clean", f"{kind.replace('_', ' ')}, severity {level}"]
        for model in self.stores:
            before, after, moved = self._answers(model, example)
            canvas = drawing.Canvas(perturbed, width)
            canvas.skeleton(before, skeleton, drawing.SKY, width=0.8)
            canvas.skeleton(after, skeleton, drawing.ORANGE)
            images.append(canvas.image())
            captions.append(f"{_short(model, 26)}\nmoved {moved.mean():.1f} px")
        rows = [slice(i, i + 4) for i in range(0, len(images), 4)]
        strips = [drawing.strip(images[r], captions[r]) for r in rows]
        wide = max(s.shape[1] for s in strips)
        return np.concatenate(
            [
                np.pad(s, ((0, 6), (0, wide - s.shape[1]), (0, 0)), constant_values=255)
                for s in strips
            ]
        )

    def _answers(self, model, example):
        found = self.stores[model].read(example.image, example.image + 1)
        before, after = found["argmax"][0], found["perturbed_argmax"][example.condition, 0]
        return before, after, self.protocol.scale * np.hypot(*(after - before).T)


def _short(text, length):
    return text if len(text) <= length else "…" + text[1 - length :]


def save_picture(path, image):
    """Write a JPEG atomically."""
    write_bytes(path, encode_image(image, quality=88))
