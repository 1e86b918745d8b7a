"""Predict keypoints of pictures, folders, a video or a camera.

keras-shr predict runs/hand/best.keras photo.jpg more_photos --output predictions
keras-shr predict runs/hand/best.keras clip.mp4 --output predictions --filter one-euro
keras-shr predict runs/hand/best.keras webcam --output predictions --seconds 10

Writes predictions.json (COCO keypoints; file names as below the folder that holds all pictures) and
the pictures or the video with the skeleton drawn in. A picture that cannot be read, such as a HEIC,
is named and skipped, and the exit status is 1, as it is for a video that ends early. Without
--boxes the likeliest place in a picture is searched, one for each picture; a video is searched and
then followed from frame to frame, a camera until Ctrl+C. With --whole nothing is searched.
Something is found in every picture: the score, 0 to 1 and written into the drawing, says how sure
the model is.

A video is written for browsers: H.264 in .mp4 where OpenCV can, else VP8 in .webm (else MPEG-4 in
.mp4, which they do not play). What lies in the output folder is no source; of the files there only
those that predict wrote are replaced.
"""

import sys
import time
from pathlib import Path

from keras_shr.errors import DataError, KerasShrError

_DRAWN = b"drawn by keras-shr predict"  # a comment in each drawing, which may be replaced
_WIDEST = 1280
_UNSURE = 0.3  # mean scores below are mostly those of pictures without the subject


def add_arguments(parser):
    parser.add_argument("model", help=".keras file, or name of a trained model")
    parser.add_argument("sources", nargs="+", help="pictures, folders, one video, or webcam[:1]")
    parser.add_argument("--output", required=True, help="folder for what is written")
    parser.add_argument(
        "--boxes",
        help="JSON file: {file name: [[x, y, width, height], ...]}, pixels; of a video the first "
        "frame's one",
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help="look once at each whole picture or frame without a box, and do not search (about 40 "
        "looks) or follow: for what fills the picture",
    )
    parser.add_argument(
        "--min-score",
        type=float,
        default=0,
        help="leave out what scores less on average (0). Below 0.3 there is probably nothing; a "
        "search finds something likely everywhere, and 0.7 suits 'hand' then",
    )
    parser.add_argument(
        "--visible",
        type=float,
        default=0,
        help="keypoints that score less are marked as not seen in predictions.json: v 1 (0)",
    )
    parser.add_argument(
        "--margin",
        type=float,
        help="of a search and a track: side of the square that is looked at, in longer sides of "
        "the keypoints' box (1.8, which suits hands; take what the training crops have)",
    )
    parser.add_argument("--padding", type=float, default=1.25, help="on the longer side of a box")
    parser.add_argument("--heatmaps", action="store_true", help="draw the heatmaps beside")
    parser.add_argument("--no-pictures", action="store_true", help="write predictions.json only")
    parser.add_argument("--filter", choices=("one-euro",), help="smooth a video's keypoints")
    parser.add_argument("--lost", type=float, help="give up a track below this mean score (0.1)")
    parser.add_argument("--seconds", type=float, help="stop a video or camera after this")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--max-pixels", type=int, help="skip larger pictures (120 million)")


def run(arguments):
    from keras_shr.files import check_writable
    from keras_shr.prediction import Predictor
    from keras_shr.prediction.sources import camera_number, is_video

    output = Path(arguments.output)
    check_writable(output)
    camera = camera_number(arguments.sources[0])
    moving = camera is not None or any(map(is_video, arguments.sources))
    _check_options(arguments, moving)
    if camera is None:
        _check_apart(arguments.sources, output)
    given = {name: getattr(arguments, name) for name in ("max_pixels", "margin")}
    given = {name: value for name, value in given.items() if value is not None}
    predictor = Predictor(arguments.model, arguments.padding, arguments.batch_size, **given)
    if moving:
        source = arguments.sources[0] if camera is None else camera
        return _video(predictor, source, output, arguments)
    return _pictures(predictor, output, arguments)


def _check_options(arguments, moving):
    """Refuses options that would have no effect."""
    if moving and len(arguments.sources) > 1:
        raise KerasShrError("give one video or camera at a time, and no pictures beside it")
    for option in ("filter", "lost", "seconds"):
        if not moving and getattr(arguments, option) is not None:
            raise KerasShrError(f"--{option} is for a video or camera; these are pictures")
    if arguments.heatmaps and arguments.no_pictures:
        raise KerasShrError("--heatmaps are drawn in the pictures; leave --no-pictures out")
    if arguments.filter and arguments.whole:
        raise KerasShrError("--filter needs a track; leave --whole out")
    if arguments.lost is not None and arguments.whole:
        raise KerasShrError("--lost is for a track; leave --whole out")
    if arguments.margin is not None and arguments.whole:
        raise KerasShrError("--margin is for a search or a track; leave --whole out")
    for option in ("lost", "min_score", "visible"):
        score = getattr(arguments, option)
        if score is not None and not 0 <= score <= 1:
            name = option.replace("_", "-")
            raise KerasShrError(f"--{name} is {score:g}; scores are 0 to 1")
    if arguments.seconds is not None and not arguments.seconds > 0:
        raise KerasShrError(f"--seconds is {arguments.seconds:g}; it must be above 0")


def _check_apart(sources, output):
    """Refuses to write where the originals are: a drawn picture may have an original's name."""
    from keras_shr.prediction.sources import lies_in

    for source in sources:
        if lies_in(source, output):
            raise KerasShrError(f"{source} lies in the output folder {output}; give another one")


def _pictures(predictor, output, arguments):
    from keras_shr.data import read_image
    from keras_shr.prediction import search
    from keras_shr.prediction.boxes_json import boxes_of_files
    from keras_shr.prediction.coco_json import CocoJson
    from keras_shr.prediction.drawing import annotated
    from keras_shr.prediction.portions import portions
    from keras_shr.prediction.sources import picture_files, relative_names

    files, unread = picture_files(arguments.sources, besides=output)
    names = relative_names(files)
    boxes = boxes_of_files(arguments.boxes, names) if arguments.boxes else {}
    if arguments.boxes and len(boxes) < len(files):
        missing = len(files) - len(boxes)
        instead = "looked at as a whole" if arguments.whole else "searched"
        print(
            f"{arguments.boxes}: no box for {_counted(missing, 'picture')}: {instead}",
            file=sys.stderr,
        )
    drawings = _drawings(names.values())
    for place in () if arguments.no_pictures else drawings.values():
        if (output / place).is_file() and not _is_drawing(output / place):
            raise _not_ours(output / place)
    for line in unread:
        print(f"skipped: {line}", file=sys.stderr)
    result, kept = CocoJson(predictor.skeleton, arguments.visible), _Kept(arguments.min_score)
    done, skipped, count = 0, len(unread), len(files) + len(unread)

    def read():
        nonlocal skipped
        for path in files:
            try:
                picture = read_image(path, max_pixels=predictor.max_pixels)
                squares = predictor.squares(picture, boxes.get(path), str(path))
                yield picture, path, squares if arguments.whole or path in boxes else None
            except DataError as error:
                skipped += 1
                print(f"skipped: {error}", file=sys.stderr)

    for pictures in portions(read()):
        found = predictor.predict_squares(
            [p for p, _, _ in pictures], [s or [] for _, _, s in pictures], arguments.heatmaps
        )
        for (picture, path, squares), prediction in zip(pictures, found, strict=True):
            if squares is None:
                prediction = search(predictor, picture, arguments.heatmaps)
            prediction = kept(prediction)
            result.add(names[path], picture.shape[:2], prediction)
            if not arguments.no_pictures:
                drawn = annotated(picture, prediction, predictor.skeleton, _WIDEST)
                if not _written(output / drawings[names[path]], drawn):
                    skipped += 1
                    continue
            done += 1
        print(f"{done + skipped} of {count} pictures", file=sys.stderr)
    if not result.content["images"]:
        raise KerasShrError("none of the pictures could be read")
    result.write(output / "predictions.json")
    print(f"{output / 'predictions.json'}: {_counted(done, 'picture')}, {skipped} skipped")
    kept.say("picture", done)
    return 1 if skipped else 0


def _is_drawing(path):
    with open(path, "rb") as file:
        return _DRAWN in file.read(1024)


def _not_ours(path):
    return KerasShrError(
        f"{path} would be replaced and was not drawn by predict; give another output folder, or "
        "move it away"
    )


def _written(path, drawn):
    """Whether a drawing could be written; if not it is named, and the others are not lost."""
    from keras_shr.data.images import encode_image
    from keras_shr.files import is_storage_error, write_bytes

    try:
        write_bytes(path, encode_image(drawn, comment=_DRAWN))
    except (OSError, KerasShrError) as error:
        if is_storage_error(error):  # neither would the next
            raise
        reason = getattr(error, "strerror", None) or error
        print(f"skipped: {path}: {reason}; predictions.json has its keypoints", file=sys.stderr)
        return False
    return True


def _counted(count, what):
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


class _Kept:
    """A prediction without what scores below `least`; counts the pictures that score too little."""

    def __init__(self, least):
        self.least, self.bar, self.low = least, max(least, _UNSURE), 0

    def __call__(self, prediction):
        self.low += bool(len(prediction.scores) and prediction.scores.max() < self.bar)
        return prediction.at_least(self.least)

    def say(self, what, count):
        """A line where there is something to say of `count` pictures or frames."""
        if self.low:
            advice = f"probably nothing there; --min-score {_UNSURE:g} leaves them out"
            instead = "left out" if self.least >= _UNSURE else advice
            print(f"{self.low} of {_counted(count, what)} scored below {self.bar:g}: {instead}")


def _drawings(names):
    """Name → where its drawing lies in the output folder; a number tells equal ones apart."""
    drawings, used = {}, set()
    for name in names:
        place, number = Path(name).with_suffix(".jpg"), 2
        while str(place).lower() in used:
            place = Path(name).with_name(f"{Path(name).stem}_{number}.jpg")
            number += 1
        used.add(str(place).lower())
        drawings[name] = place
    return drawings


def _video(predictor, source, output, arguments):
    from keras_shr.prediction import OneEuroFilter, Tracker
    from keras_shr.prediction.boxes_json import first_box
    from keras_shr.prediction.coco_json import CocoJson
    from keras_shr.prediction.drawing import annotated
    from keras_shr.prediction.sources import Video, VideoWriter

    video = Video(source)
    name = f"webcam-{source}" if isinstance(source, int) else Path(source).stem
    box = first_box(arguments.boxes, source) if arguments.boxes else None
    smooth = OneEuroFilter(video.frequency) if arguments.filter else None
    options = {} if arguments.lost is None else {"lost": arguments.lost}
    if arguments.whole:
        options = {"lost": float("inf"), "search_every": 0}
    tracker = Tracker(predictor, box, filter=smooth, **options)
    result = CocoJson(predictor.skeleton, arguments.visible)
    kept, began, last = _Kept(arguments.min_score), time.monotonic(), time.monotonic()
    pace = _Pace(video.frequency, isinstance(source, int))
    for place in () if arguments.no_pictures else VideoWriter.places(output / name):
        if place.is_file() and not _is_drawn_video(output / "predictions.json", name):
            raise _not_ours(place)
    with VideoWriter(output / name, video.frequency) as writer:
        try:
            for number, frame in enumerate(video):
                if arguments.seconds is not None and _over(arguments, source, number, video, began):
                    break
                found = kept(tracker(frame, arguments.heatmaps))
                copies = pace.copies()
                if smooth:
                    smooth.frequency = pace.frequency
                result.add(f"{name}-{number:06d}", frame.shape[:2], found)
                if not arguments.no_pictures:
                    drawn = annotated(frame, found, predictor.skeleton, frame.shape[1])
                    for _ in range(copies):
                        writer.write(drawn)
                if time.monotonic() - last > 10:
                    last = time.monotonic()
                    print(f"{number + 1} of {video.count or '?'} frames", file=sys.stderr)
        except KeyboardInterrupt:
            # A camera has no other end; a part of a film would look like the whole.
            if not isinstance(source, int):
                raise
    video.close()
    if video.cut_off:
        print(video.cut_off, file=sys.stderr)
    result.write(output / "predictions.json")
    count = len(result.content["images"])
    drawn = f", {writer.path}" if count and not arguments.no_pictures else ""
    print(f"{output / 'predictions.json'}{drawn}: {_counted(count, 'frame')}")
    kept.say("frame", count)
    return 1 if video.cut_off else 0


def _is_drawn_video(path, name):
    """Whether predictions are those of the video `name`; if so, predict drew the video there."""
    from keras_shr.files import read_users_json

    try:
        return read_users_json(path)["images"][0]["file_name"] == f"{name}-000000"
    except (OSError, ValueError, LookupError, TypeError):
        return False


class _Pace:
    """How often frames come: as a film says, or as often as a camera and the model manage.

    Args:
        frequency: frames a second as the film or camera says.
        camera: whether it is one; a slow model gets fewer frames of it than it says.

    Attributes:
        frequency: frames a second, of a camera's so far.
    """

    def __init__(self, frequency, camera):
        self.frequency, self._stated, self._camera = frequency, frequency, camera
        self._first, self._frames, self._written = None, 0, 0

    def copies(self):
        """How many times a frame that is done belongs into the film for that to keep its pace."""
        if not self._camera:
            return 1
        now = time.monotonic()
        self._first = now if self._first is None else self._first  # the first frame compiles
        passed = now - self._first
        if passed:
            self.frequency = self._frames / passed
        self._frames += 1
        copies = max(1, round(passed * self._stated) + 1 - self._written)
        self._written += copies
        return copies


def _over(arguments, source, number, video, began):
    """Whether `--seconds` have passed: of the clock for a camera, of the film for a file."""
    passed = time.monotonic() - began if isinstance(source, int) else number / video.frequency
    return passed >= arguments.seconds
