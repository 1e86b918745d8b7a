"""Predict keypoints of pictures, folders, a video or a camera.

keras-shr predict runs/hand/best.keras photo.jpg more_photos --output predictions
keras-shr predict runs/hand/best.keras clip.mp4 --output predictions --filter one-euro
keras-shr predict runs/hand/best.keras webcam --output predictions --seconds 10

Writes predictions.json (COCO keypoints) and the pictures or the video with the skeleton drawn in. A
picture that cannot be read is named and skipped. Without --boxes the whole picture is looked at; a
video is followed from frame to frame.
"""

import sys
import time
from pathlib import Path

from keras_shr.errors import DataError, KerasShrError

_AT_ONCE = 64
_WIDEST = 1280


def add_arguments(parser):
    parser.add_argument("model", help=".keras file")
    parser.add_argument("sources", nargs="+", help="pictures, folders, one video, or webcam[:1]")
    parser.add_argument("--output", required=True, help="folder for what is written")
    parser.add_argument(
        "--boxes", help="JSON file: {file name: [[x, y, width, height], ...]}, pixels"
    )
    parser.add_argument("--padding", type=float, default=1.25, help="on the longer side of a box")
    parser.add_argument("--heatmaps", action="store_true", help="draw the heatmaps beside")
    parser.add_argument("--no-pictures", action="store_true", help="write predictions.json only")
    parser.add_argument("--filter", choices=("one-euro",), help="smooth a video's keypoints")
    parser.add_argument("--whole-frames", action="store_true", help="do not follow in a video")
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
    if moving and len(arguments.sources) > 1:
        raise KerasShrError("give one video or camera at a time, and no pictures beside it")
    limits = {} if arguments.max_pixels is None else {"max_pixels": arguments.max_pixels}
    predictor = Predictor(arguments.model, arguments.padding, arguments.batch_size, **limits)
    if moving:
        source = arguments.sources[0] if camera is None else camera
        return _video(predictor, source, output, arguments)
    if arguments.filter:
        raise KerasShrError("--filter smooths a video; these are pictures")
    return _pictures(predictor, output, arguments)


def _pictures(predictor, output, arguments):
    from keras_shr.data import read_image
    from keras_shr.data.images import encode_image
    from keras_shr.files import write_bytes
    from keras_shr.prediction.coco_json import CocoJson
    from keras_shr.prediction.drawing import annotated
    from keras_shr.prediction.sources import picture_files

    files = picture_files(arguments.sources)
    boxes = _boxes_of_files(arguments.boxes, files) if arguments.boxes else {}
    names = _names(files)
    result, skipped = CocoJson(predictor.skeleton), 0
    for start in range(0, len(files), _AT_ONCE):
        pictures = []
        for path in files[start : start + _AT_ONCE]:
            try:
                picture = read_image(path, max_pixels=predictor.max_pixels)
                squares = predictor.squares(picture, boxes.get(path), str(path))
                pictures.append((path, picture, squares))
            except DataError as error:
                skipped += 1
                print(f"skipped: {error}", file=sys.stderr)
        if not pictures:
            continue
        found = predictor.predict_squares(
            [p for _, p, _ in pictures], [s for _, _, s in pictures], arguments.heatmaps
        )
        for (path, picture, _), prediction in zip(pictures, found, strict=True):
            result.add(names[path], picture.shape[:2], prediction)
            if not arguments.no_pictures:
                drawn = annotated(picture, prediction, predictor.skeleton, _WIDEST)
                write_bytes((output / names[path]).with_suffix(".jpg"), encode_image(drawn))
        print(f"{min(start + _AT_ONCE, len(files))} of {len(files)} pictures", file=sys.stderr)
    if skipped == len(files):
        raise KerasShrError("none of the pictures could be read")
    result.write(output / "predictions.json")
    print(f"{output / 'predictions.json'}: {len(files) - skipped} pictures, {skipped} skipped")
    return 1 if skipped else 0


def _read_boxes(path):
    """File name → boxes."""
    from keras_shr.files import read_json

    content = read_json(path)
    if not isinstance(content, dict) or not all(isinstance(v, list) for v in content.values()):
        raise KerasShrError(
            f"{path}: expected an object {{file name: [[x, y, width, height], ...]}}"
        )
    return content


def _boxes_of_files(path, files):
    """The boxes of each file, found by its whole name or by its last part."""
    content, found = _read_boxes(path), {}
    for file in files:
        for key in (str(file), file.as_posix(), file.name):
            if key in content:
                found[file] = content[key]
                break
    unused = set(content) - {name for f in files for name in (str(f), f.as_posix(), f.name)}
    if unused:
        raise KerasShrError(f"{path}: {sorted(unused)[0]!r} is none of the pictures")
    return found


def _names(files):
    """Names for what is written, one for each file; the folder tells equal ones apart."""
    names, used = {}, set()
    for path in files:
        name, number = path.name, 2
        while Path(name).stem.lower() in used:
            name, number = f"{path.stem}_{number}{path.suffix}", number + 1
        used.add(Path(name).stem.lower())
        names[path] = name
    return names


def _video(predictor, source, output, arguments):
    from keras_shr.prediction import OneEuroFilter, Tracker
    from keras_shr.prediction.coco_json import CocoJson
    from keras_shr.prediction.drawing import annotated
    from keras_shr.prediction.sources import Video, VideoWriter

    video = Video(source)
    box = None
    if arguments.boxes:
        rows: list = next(iter(_read_boxes(arguments.boxes).values()), [])
        if len(rows) != 1:
            raise KerasShrError(f"{arguments.boxes}: expected one box, that of the first frame")
        box = rows[0]
    smooth = OneEuroFilter(video.frequency) if arguments.filter else None
    lost = float("inf") if arguments.whole_frames else 0.1
    if arguments.whole_frames and smooth:
        raise KerasShrError("--filter needs a track; leave --whole-frames out")
    tracker = Tracker(predictor, box, lost=lost, filter=smooth)
    name = f"webcam-{source}" if isinstance(source, int) else Path(source).stem
    result, began, last = CocoJson(predictor.skeleton), time.monotonic(), time.monotonic()
    with VideoWriter(output / f"{name}.mp4", video.frequency) as writer:
        for number, frame in enumerate(video):
            if arguments.seconds is not None and _over(arguments, source, number, video, began):
                break
            found = tracker(frame, arguments.heatmaps)
            result.add(f"{name}-{number:06d}", frame.shape[:2], found)
            if not arguments.no_pictures:
                writer.write(annotated(frame, found, predictor.skeleton, frame.shape[1]))
            if time.monotonic() - last > 10:
                last = time.monotonic()
                print(f"{number + 1} of {video.count or '?'} frames", file=sys.stderr)
    video.close()
    result.write(output / "predictions.json")
    print(f"{output / 'predictions.json'}: {len(result.content['images'])} frames")
    return 0


def _over(arguments, source, number, video, began):
    """Whether `--seconds` have passed: of the clock for a camera, of the film for a file."""
    passed = time.monotonic() - began if isinstance(source, int) else number / video.frequency
    return passed >= arguments.seconds
