"""Pictures of keypoints and heatmaps: NumPy in, NumPy out, no window and no global state."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_shr.skeletons import Skeleton

# Okabe and Ito's palette, which people with any colour vision tell apart.
BLUE, ORANGE, GREEN = (0, 114, 178), (230, 159, 0), (0, 158, 115)
VERMILION, SKY, PURPLE = (213, 94, 0), (86, 180, 233), (204, 121, 167)
PALETTE = (ORANGE, SKY, GREEN, PURPLE, VERMILION, BLUE)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
_OVERSAMPLE = 2  # PIL draws hard edges; drawing larger and shrinking smooths them


def limb_colors(skeleton: Skeleton):
    """A colour for each edge: one for each limb that leaves the best connected keypoint."""
    neighbours: dict = {i: [] for i in range(len(skeleton))}
    for a, b in skeleton.edges:
        neighbours[a].append(b)
        neighbours[b].append(a)
    root = max(neighbours, key=lambda i: len(neighbours[i]))
    limb: dict[int, int | None] = {root: None}
    for number, first in enumerate(neighbours[root]):
        waiting = [first]
        while waiting:
            here = waiting.pop()
            if here not in limb:
                limb[here] = number
                waiting += neighbours[here]
    numbers = [limb.get(b) if limb.get(b) is not None else limb.get(a) for a, b in skeleton.edges]
    return [PALETTE[(n or 0) % len(PALETTE)] for n in numbers]


class Canvas:
    """An enlarged copy of an image to draw keypoints on.

    Args:
        image: uint8 `(height, width, 3)`.
        width: of the result in pixels; coordinates stay those of `image`.
    """

    def __init__(self, image, width=384):
        height = max(1, round(width * image.shape[0] / image.shape[1]))
        self.size = (width, height)
        self.scale = _OVERSAMPLE * width / image.shape[1]
        self.line = _OVERSAMPLE * max(1.0, width / 150)
        large = (width * _OVERSAMPLE, height * _OVERSAMPLE)
        self._image = Image.fromarray(image).resize(large, Image.Resampling.BICUBIC)
        self._draw = ImageDraw.Draw(self._image)

    def _at(self, point):
        return tuple((np.asarray(point[:2], float) + 0.5) * self.scale)

    def segment(self, start, end, color, width=1.0, outline=True) -> None:
        """A line.

        Args:
            start, end: x, y in pixels of the image.
            color: red, green, blue, 0 to 255.
            width: factor on the canvas's line.
            outline: whether the line gets a dark rim.
        """
        ends = [self._at(start), self._at(end)]
        thick = max(1, round(self.line * width))
        if outline:  # a dark rim keeps it visible on any background
            self._draw.line(ends, BLACK, thick + max(2, round(0.6 * self.line)))
        self._draw.line(ends, color, thick)

    def dot(self, point, color, radius=1.5) -> None:
        """A filled circle with a dark rim.

        Args:
            point: x, y in pixels of the image.
            color: red, green, blue, 0 to 255.
            radius: in widths of the canvas's line.
        """
        (x, y), r = self._at(point), self.line * radius
        rim = max(1, round(0.3 * self.line))
        self._draw.ellipse((x - r, y - r, x + r, y + r), color, BLACK, rim)

    def square(self, box, color, width=0.4) -> None:
        """The outline of a `SquareBox`, as much of it as lies in the picture.

        Args:
            box: `SquareBox` in pixels of the image.
            color: red, green, blue, 0 to 255.
            width: of the line: factor on the canvas's line.
        """
        corners = [v * self.scale for v in (box.left, box.top)]
        corners += [v + max(box.side * self.scale - 1, 0) for v in corners]
        thick = max(1, round(self.line * width))
        for shade, rim in ((BLACK, thick), (color, 0)):  # a dark rim, as around bones
            grown = [c + sign * rim for c, sign in zip(corners, (-1, -1, 1, 1), strict=True)]
            self._draw.rectangle(grown, None, shade, thick + 2 * rim)

    def label(self, point, text) -> None:
        """A short text on a dark ground, moved into the picture where it would leave it.

        Args:
            point: x, y in pixels of the image: its left upper corner.
            text: one line.
        """
        size = _OVERSAMPLE * max(11, round(self.size[0] / 45))
        _, _, right, bottom = font(size).getbbox(text)
        room, pad = np.array(self._image.size), size // 4
        wanted = np.array([right, bottom]) + 2 * pad
        left, top = np.clip(self._at(point), 0, np.maximum(room - wanted, 0))
        self._draw.rectangle((left, top, left + wanted[0], top + wanted[1]), BLACK)
        self._draw.text((left + pad, top + pad), text, WHITE, font(size))

    def skeleton(self, keypoints, skeleton, color=None, width=1.0, dots=True, outline=True) -> None:
        """Bones and joints; rows that are NaN, or unlabelled (third column 0), are left out.

        Args:
            keypoints: `(keypoints, 2 or 3)` in pixels of the image.
            skeleton: `Skeleton`.
            color: of everything; None gives each limb its own.
            width: of the bones: factor on the canvas's line.
            dots: whether to draw the joints.
            outline: whether bones get a dark rim.
        """
        keypoints = np.asarray(keypoints, float)
        shown = np.isfinite(keypoints[:, :2]).all(1)
        if keypoints.shape[1] > 2:
            shown &= keypoints[:, 2] > 0
        colors = limb_colors(skeleton) if color is None else [color] * len(skeleton.edges)
        of_point = {b: c for (_, b), c in zip(skeleton.edges, colors, strict=True)}
        for (a, b), c in zip(skeleton.edges, colors, strict=True):
            if shown[a] and shown[b]:
                self.segment(keypoints[a], keypoints[b], c, width, outline)
        for i in np.flatnonzero(shown) if dots else ():
            self.dot(keypoints[i], color or of_point.get(i, WHITE), 1.5 * width)

    def image(self) -> np.ndarray:
        """The picture, uint8 `(height, width, 3)`."""
        return np.asarray(self._image.resize(self.size, Image.Resampling.BOX))


def draw_skeleton(image, keypoints, skeleton, color=None, width=384) -> np.ndarray:
    """An image enlarged to `width` with keypoints and bones.

    Args:
        image: uint8 `(height, width, 3)`.
        keypoints, skeleton, color: see `Canvas.skeleton`.
        width: of the result in pixels.

    Returns:
        uint8 `(height, width, 3)`.
    """
    canvas = Canvas(image, width)
    canvas.skeleton(keypoints, skeleton, color)
    return canvas.image()


def heatmap_overlay(image, heatmap, width=384, strength=0.75) -> np.ndarray:
    """A heatmap laid over its image, the brighter the higher.

    Args:
        image: uint8 `(height, width, 3)`.
        heatmap: `(h, w)`, any size of the same field of view; shown relative to its maximum.
        width: of the result in pixels.
        strength: opacity at the maximum.

    Returns:
        uint8 `(height, width, 3)`.
    """
    from matplotlib import colormaps

    canvas = Canvas(image, width)
    grey = np.asarray(Image.fromarray(canvas.image()).convert("L"))[..., None] * 0.6
    heatmap = np.nan_to_num(np.asarray(heatmap, "float32"), posinf=0, neginf=0).clip(0)
    heatmap = heatmap / max(float(heatmap.max()), 1e-30)
    resized = Image.fromarray(heatmap).resize(canvas.size, Image.Resampling.BILINEAR)
    level = np.asarray(resized).clip(0, 1)
    color = 255 * colormaps["inferno"](0.25 + 0.75 * level)[..., :3]
    alpha = strength * np.sqrt(level)[..., None]
    return np.round(grey * (1 - alpha) + color * alpha).astype(np.uint8)


@lru_cache
def font(size, bold=False):
    """The sans-serif font that comes with matplotlib."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def strip(images, captions, title="", gap=8):
    """Pictures of one height side by side, a caption under each and a title above all.

    Args:
        images: list of uint8 `(height, width, 3)`.
        captions: a text for each, at most as wide as the picture (lines split by a newline).
        title: one line.

    Returns:
        uint8 `(height, width, 3)`.
    """
    lines = max(caption.count("\n") + 1 for caption in captions)
    top, bottom = (30 if title else 0), 6 + 19 * lines
    height = max(image.shape[0] for image in images)
    width = sum(image.shape[1] for image in images) + gap * (len(images) - 1)
    sheet = Image.new("RGB", (width, top + height + bottom), WHITE)
    draw = ImageDraw.Draw(sheet)
    draw.text((0, 4), title, BLACK, font(17, True))
    left = 0
    for image, caption in zip(images, captions, strict=True):
        sheet.paste(Image.fromarray(image), (left, top))
        draw.multiline_text((left, top + height + 4), caption, BLACK, font(14), spacing=3)
        left += image.shape[1] + gap
    return np.asarray(sheet)
