"""How much the predictions shake: on rendered motion, and on a video of the user's own."""

from functools import lru_cache

import numpy as np

from keras_shr.data.images import resize_images
from keras_shr.data.records import PROTOCOL_PIXELS
from keras_shr.evaluation.motion import COLUMNS, clips_of, motion_rows
from keras_shr.evaluation.summary import csv_text
from keras_shr.files import write_text
from keras_shr.heatmaps import image_to_heatmap, only_in_frame
from keras_shr.rendering import render_motion
from keras_shr.reproduction.measures.base import Measure, draw_row, on_main, write_with_draws
from keras_shr.skeletons import HAND_21

SEQUENCES, FRAMES = 12, 45
SHOWN = range(10, 17)
"""Frames of the first sequence that Figure 1 shows."""
FRAME_COLUMNS = ("frame", "keypoint", "x", "y", "label_x", "label_y")


@lru_cache(maxsize=SEQUENCES)
def sequence(number, size):
    """A rendered video, the same for every cell."""
    return render_motion(FRAMES, size, seed=900 + number)


def _temporal(cell, folder, work, model):
    if model.num_keypoints != len(HAND_21):
        write_text(folder / "frames.csv", csv_text([], FRAME_COLUMNS))
        _write(folder, TEMPORAL, [])
        return
    scale = PROTOCOL_PIXELS / max(model.image_size)
    videos = [sequence(number, model.image_size[0]) for number in range(SEQUENCES)]
    tracks = []
    for video in videos:
        work.deadline.check()
        tracks.append(model.predict_keypoints(video.images)[..., :2])
    labels = [np.asarray(only_in_frame(v.keypoints, model.image_size)) for v in videos]
    write_text(folder / "frames.csv", csv_text(_frames(tracks[0], labels[0]), FRAME_COLUMNS))
    _write(folder, TEMPORAL, motion_rows("rendered_motion", tracks, labels, scale))


def _video(cell, folder, work, model):
    video, size = work.video, model.image_size
    if model.num_keypoints != video.keypoints.shape[1]:
        _write(folder, VIDEO, [])
        return
    images = resize_images(video.images, size)
    own = video.images.shape[1:3]
    labels = np.asarray(image_to_heatmap(only_in_frame(video.keypoints, own), own, size))
    track = model.predict_keypoints(images)[..., :2]
    clips = clips_of(video.groups).values()
    scale = PROTOCOL_PIXELS / max(size)
    rows = motion_rows("video", [track[c] for c in clips], [labels[c] for c in clips], scale)
    _write(folder, VIDEO, rows)


def _write(folder, measure, rows):
    drawn = [draw_row(row["source"], "", row["metric"], row["draws"]) for row in rows]
    write_with_draws(folder, measure.file, rows, COLUMNS, drawn)


def _frames(track, labels):
    for frame in SHOWN:
        for k in range(track.shape[1]):
            label = labels[frame, k] if labels[frame, k, 2] > 0 else (np.nan, np.nan)
            yield {
                "frame": frame,
                "keypoint": k,
                **{"x": float(track[frame, k, 0]), "y": float(track[frame, k, 1])},
                **{"label_x": float(label[0]), "label_y": float(label[1])},
            }


TEMPORAL = Measure("temporal.csv", _temporal, on_main)
VIDEO = Measure("video.csv", _video, on_main, on_video=True)
