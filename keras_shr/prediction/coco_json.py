"""Predictions as COCO-keypoints JSON, which `COCOReader` and other tools read."""

import numpy as np

from keras_shr.files import write_json


class CocoJson:
    """Collects predictions of pictures.

    Each box becomes an annotation with `keypoints` x, y, v (pixels with integer centres; v 2 where
    the keypoint lies in the picture and its score reaches `visible`, else 1: there, but not seen),
    `keypoint_scores`, `score` (their mean), `bbox`, the box of the keypoints' pixels, and `crop`,
    the square that was looked at; both boxes are measured from the picture's corner as COCO does.

    Args:
        skeleton: `Skeleton`.
        visible: score from which a keypoint counts as seen.
    """

    def __init__(self, skeleton, visible=0.0):
        self.visible = visible
        category = {
            "id": 1,
            "name": skeleton.name,
            "keypoints": list(skeleton.keypoints),
            "skeleton": [[a + 1, b + 1] for a, b in skeleton.edges],  # COCO counts from 1
        }
        self.content = {"images": [], "annotations": [], "categories": [category]}

    def add(self, name, size, prediction):
        """A picture called `name` of `(height, width)` and its `Prediction`."""
        images, annotations = self.content["images"], self.content["annotations"]
        number = len(images) + 1
        images.append({"id": number, "file_name": name, "height": size[0], "width": size[1]})
        for keypoints, crop in zip(prediction.keypoints, prediction.boxes, strict=True):
            # Pixel 0 covers 0 to 1; so keypoints in one place have a box too.
            low, high = keypoints[:, :2].min(0), keypoints[:, :2].max(0) + 1
            width, height = high - low
            inside = np.abs(2 * keypoints[:, :2] - (size[1] - 1, size[0] - 1)) <= size[1::-1]
            seen = np.where(inside.all(1) & (keypoints[:, 2] >= self.visible), 2, 1)
            rows = [
                value
                for (x, y, _), v in zip(keypoints, seen, strict=True)
                for value in (_short(x), _short(y), int(v))
            ]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "keypoints": rows,
                    "num_keypoints": len(keypoints),
                    "keypoint_scores": [_short(s, 4) for s in keypoints[:, 2]],
                    "score": _short(keypoints[:, 2].mean(), 4),
                    "bbox": [_short(v) for v in (*low, width, height)],
                    "crop": [_short(v) for v in crop],
                    "area": _short(width * height),
                    "iscrowd": 0,
                }
            )

    def write(self, path):
        """Writes the file."""
        write_json(path, self.content)


def _short(value, digits=2):
    return round(float(value), digits)
