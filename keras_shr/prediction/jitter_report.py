"""Several models on the same videos, with and without a filter: how much their keypoints shake.

A filter buys steadiness with delay, so beside jitter the report says how far the keypoints are from
where they belong. Everything is in px of a 256-px crop; of a film without labels, in which each
model makes its own crops, one crop's size is the measure for all: the median of theirs.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_shr.data import load_arrays, open_data
from keras_shr.data.images import resize_images
from keras_shr.data.records import PROTOCOL_PIXELS
from keras_shr.errors import DataError, KerasShrError
from keras_shr.evaluation.motion import clips_of, motion_rows, path_rows
from keras_shr.files import replacing
from keras_shr.heatmaps import image_to_heatmap, only_in_frame
from keras_shr.metrics import end_point_error, keypoint_auc, path_deviation
from keras_shr.prediction.one_euro import OneEuroFilter
from keras_shr.prediction.predictor import Predictor
from keras_shr.prediction.sources import Video, is_video
from keras_shr.prediction.tracking import Tracker
from keras_shr.rendering import render_motion

RENDERED = "rendered-motion"
FIELDS = ("model", "filter", "source", "metric", "value", "low", "high")
NO_FILTER, ONE_EURO = "none", "one-euro"
_CLIPS, _FRAMES, _SEED = 10, 30, 500


@dataclass
class Clip:
    """Consecutive frames.

    Attributes:
        name: of the clip.
        frames: uint8 `(frames, height, width, 3)`: crops with labels; or whole pictures, one
            after the other and each time anew.
        labels: `(frames, keypoints, 3)` in pixels of the frames, or None.
        frequency: frames a second.
    """

    name: str
    frames: Any
    labels: np.ndarray | None = None
    frequency: float = 30.0


class _Film:
    """The frames of a video file, read again each time: a film is larger than the memory."""

    def __init__(self, path, most):
        self.path, self.most, self.cut_off = path, most, ""

    def __iter__(self):
        video = Video(self.path)
        try:
            yield from itertools.islice(video, self.most)
        finally:
            video.close()
            self.cut_off = video.cut_off


def load_clips(source, seconds=None) -> list[Clip]:
    """The clips of a source.

    Args:
        source: `"rendered-motion"` (ten clips of 30 frames), a video file, or a data set of
            consecutive frames as `open_data` takes it, whose groups are the clips.
        seconds: at most so much of each clip.

    Raises:
        DataError: there is no clip of three frames or more.
        KerasShrError: `seconds` is not above 0.
    """
    if seconds is not None and not 0 < seconds < float("inf"):
        raise KerasShrError(f"seconds is {seconds}; it must be above 0")
    if is_video(source):
        video = Video(source)
        video.close()
        most = None if seconds is None else max(1, int(seconds * video.frequency))
        return [Clip(Path(source).stem, _Film(source, most), None, video.frequency)]
    if source == RENDERED:
        data = [render_motion(_FRAMES, seed=_SEED + number) for number in range(_CLIPS)]
        clips = [Clip(f"{RENDERED} {i + 1}", d.images, d.keypoints) for i, d in enumerate(data)]
    else:
        reader = open_data(source)
        if reader.kind == "rendered":
            raise DataError(f"{source}: these are unrelated hands, no frames; give {RENDERED}")
        data = load_arrays(reader, 0)
        clips = [
            Clip(name, data.images[i], data.keypoints[i])
            for name, i in clips_of(data.groups).items()
        ]
    if seconds is not None:
        clips = [_first(clip, int(seconds * clip.frequency)) for clip in clips]
    clips = [clip for clip in clips if len(clip.frames) > 2]
    if not clips:
        raise DataError(
            f"{source}: no clip of three frames or more (frames of one film need one 'group')"
        )
    return clips


def _first(clip, count):
    return Clip(clip.name, clip.frames[:count], clip.labels[:count], clip.frequency)


def follow(predictor, clip):
    """The track of a clip `(frames, keypoints, 2)` and the side of its crops in its pixels."""
    if clip.labels is None:
        tracker = Tracker(predictor)
        found = [tracker(frame) for frame in clip.frames]
        if len(found) < 3:
            raise DataError(f"{clip.name}: no clip of three frames or more")
        side = float(np.median([prediction.boxes[0, 2] for prediction in found]))
        return np.stack([prediction.keypoints[0, :, :2] for prediction in found]), side
    size = predictor.model.image_size
    if predictor.model.num_keypoints != clip.labels.shape[1]:
        raise KerasShrError(
            f"the model has {predictor.model.num_keypoints} keypoints and {clip.name} "
            f"{clip.labels.shape[1]}"
        )
    images = resize_images(clip.frames, size)
    points = predictor.model.predict_keypoints(images, method=predictor.method)[..., :2]
    frame = clip.frames.shape[1:3]
    points = np.asarray(image_to_heatmap(points, size, frame), "float64")
    return points, float(max(frame))


def filtered(track, scale, clip, min_cutoff=1.0, beta=0.01):
    """The track behind a One-Euro filter, whose settings are in px of a 256-px crop."""
    smooth = OneEuroFilter(clip.frequency, min_cutoff, beta)
    return np.stack([smooth(points, scale) for points in track])


def jitter_report(
    models, source, seconds=None, min_cutoff=1.0, beta=0.01, progress=None, margin=None
):
    """Rows of `FIELDS`, and the tracks.

    Args:
        models: name → model, `.keras` file or name of a trained model.
        source, seconds: see `load_clips`.
        min_cutoff, beta: of the One-Euro filter, in px of a 256-px crop.
        progress: called with a line for each model, and for the size of the crops of a film.
        margin: of the crops of a film, see `Predictor`; None: its default.

    Returns:
        Rows as dictionaries, the clips, and (model, filter) → the tracks of the clips.

    Raises:
        KerasShrError: a model or a source that does not fit.
    """
    OneEuroFilter(min_cutoff=min_cutoff, beta=beta)  # refuses what it cannot take before the work
    clips = load_clips(source, seconds)
    labels = None
    if margin is not None and clips[0].labels is not None:
        raise KerasShrError(f"margin is {margin:g}; it is for a video file, {source} has crops")
    options = {} if margin is None else {"margin": margin}
    if clips[0].labels is not None:
        labels = [np.asarray(only_in_frame(c.labels, c.frames.shape[1:3])) for c in clips]
    name, rows, tracks = Path(str(source)).stem if is_video(source) else str(source), [], {}
    say = progress or (lambda line: None)
    found = {}
    for model, value in models.items():
        say(f"{model}: {len(clips)} clip{'s' if len(clips) > 1 else ''}")
        predictor = Predictor(value, **options)
        found[model] = [follow(predictor, clip) for clip in clips]
    sides = np.median([[side for _, side in each] for each in found.values()], axis=0)
    scales = [PROTOCOL_PIXELS / side for side in sides]
    if labels is None:
        if getattr(clips[0].frames, "cut_off", ""):
            say(clips[0].frames.cut_off)
        say(f"the median crop is {sides[0]:.0f} px wide: 1 px of it counts {scales[0]:.2f} px")
    for model, each in found.items():
        plain = [track for track, _ in each]
        smooth = [
            filtered(track, scale, clip, min_cutoff, beta)
            for track, scale, clip in zip(plain, scales, clips, strict=True)
        ]
        for kind, shown in ((NO_FILTER, plain), (ONE_EURO, smooth)):
            tracks[model, kind] = shown
            found_rows = motion_rows(name, shown, labels, scales)
            found_rows += path_rows(name, shown, labels, scales)
            if labels is not None:
                found_rows += _accuracy(name, shown, labels, scales[0])
            rows += [{"model": model, "filter": kind, **row} for row in found_rows]
    return rows, clips, tracks


def _accuracy(source, tracks, labels, scale):
    track, truth = np.concatenate(tracks), np.concatenate(labels)
    values = {
        "auc": float(keypoint_auc(truth, track, scale=scale)),
        "epe": float(end_point_error(truth, track, scale=scale)),
    }
    return [
        {"source": source, "metric": metric, "value": value, "low": "", "high": ""}
        for metric, value in values.items()
    ]


def draw_tracks(path, clips, tracks, keypoint, name):
    """A PNG: one keypoint's x over the frames of the first clip, for each model and filter, and how
    far it is from its smooth path on average."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")
    models = list(dict.fromkeys(model for model, _ in tracks))
    figure, axes = plt.subplots(
        len(models),
        1,
        figsize=(9, 2.2 * len(models) + 0.6),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for axis, model, colour in zip(axes[:, 0], models, colours * len(models), strict=False):
        for kind, style in ((NO_FILTER, "-"), (ONE_EURO, ":")):
            track = tracks[model, kind][0][:, [keypoint]]
            label = model if kind == NO_FILTER else f"{model}, One-Euro filter"
            if len(track) > 4:
                label += f"\n({np.mean(path_deviation(track)):.1f} px off its path)"
            axis.plot(track[:, 0, 0], style, color=colour, linewidth=1.5, label=label)
        if clips[0].labels is not None:
            x, _, visibility = clips[0].labels[:, keypoint].T
            x = np.where(visibility > 0, x, np.nan)
            axis.plot(x, color="black", linewidth=0.8, label="label")
        axis.set_ylabel("x, px of the frame")
        axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    axes[-1, 0].set_xlabel("frame")
    figure.suptitle(f"{clips[0].name}: {name}", fontsize=10)
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    plt.close(figure)
