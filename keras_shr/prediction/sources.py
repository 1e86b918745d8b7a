"""Where pictures to predict come from: files, folders, videos, a camera."""

import contextlib
import os
import re
import sys
import tempfile
from pathlib import Path

import numpy as np

from keras_shr.errors import DataError, KerasShrError
from keras_shr.files import replacing

PICTURES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"),
    *(".ppm", ".pgm"),
}
OTHER_PICTURES = {
    *(".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".jpx", ".tga", ".psd", ".xcf", ".eps"),
    *(".exr", ".hdr", ".dds", ".pcx", ".sgi", ".svg", ".raw", ".dng", ".cr2", ".cr3", ".nef"),
    *(".arw", ".orf", ".raf", ".rw2", ".pef", ".srw"),
}
"""Ends of names of pictures that are not read, which therefore are named."""
VIDEOS = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"}
# By preference. VP9 takes four times as long as VP8, which takes 50 ms for a frame of 1280x720.
_VIDEO_CODES = ((".mp4", "avc1"), (".webm", "VP80"), (".mp4", "mp4v"))
_FEW, _SHARE = 5, 0.02  # frames by which the number that a file says may be wrong
_ENDS = tuple(dict.fromkeys(end for end, _ in _VIDEO_CODES))
_CAMERA = re.compile(r"webcam(?::(\d+))?$")


def camera_number(word):
    """The number of the camera that `webcam` or `webcam:1` names, or None."""
    found = _CAMERA.match(str(word))
    return None if found is None else int(found.group(1) or 0)


def is_video(path):
    """Whether a file's name is that of a video."""
    return Path(path).suffix.lower() in VIDEOS


def picture_files(words, besides=None) -> tuple[list[Path], list[str]]:
    """The picture files that words name: files as they are, folders by what they hold, sorted.

    A file that is named twice counts once; links are followed. Hidden files, and what is plainly no
    picture, are left alone in folders.

    Args:
        words: files and folders.
        besides: a folder whose files are left out wherever they are found: that of the output.

    Returns:
        The files, and for each picture or video that is not read a line: which, and what to do.

    Raises:
        DataError: a word that is neither, a folder without pictures, or none that is read.
    """
    found: dict[Path, Path] = {}
    for word in words:
        path = Path(word)
        if path.is_dir():
            known = PICTURES | OTHER_PICTURES | VIDEOS
            inside = sorted(p for p in _below(path) if p.suffix.lower() in known)
            inside = [p for p in inside if not _is_hidden(p.relative_to(path)) and p.is_file()]
            inside = [p for p in inside if not (besides and lies_in(p, besides))]
            if not inside:
                raise DataError(f"{path}: no pictures; looked for {', '.join(sorted(PICTURES))}")
        elif path.is_file():
            inside = [path]
        else:
            raise DataError(f"{path}: no such file or folder (for a camera write webcam)")
        for file in inside:
            found.setdefault(file.resolve(), file)
    advice = {file: _not_read(file) for file in found.values()}
    files = [file for file, line in advice.items() if not line]
    lines = [line for line in advice.values() if line]
    if not files:
        more = f" (and {len(lines) - 1} more like it)" if len(lines) > 1 else ""
        raise DataError(f"{lines[0]}{more}")
    return files, lines


def _below(folder):
    """The files below a folder, through links too, but of each folder once: links may go round."""
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield from (Path(place, name) for name in files)


def _is_hidden(path):
    return any(part.startswith(".") for part in path.parts)


def _not_read(file):
    """A line where a file is a picture or video that would not be read, else ""."""
    end = file.suffix.lower()
    if end in VIDEOS:
        return f"{file}: a video; give it by itself"
    if end in OTHER_PICTURES:
        return f"{file}: {end} pictures are not read; convert it to JPEG or PNG"
    return ""


def lies_in(path, folder) -> bool:
    """Whether a file lies in a folder or below it, whatever either is called."""
    return Path(path).resolve().is_relative_to(Path(folder).resolve())


def relative_names(files) -> dict[Path, str]:
    """Each file's path below the lowest folder that holds all of them, with slashes.

    Raises:
        DataError: no folder does: they lie on several drives.
    """
    paths = {file: os.path.abspath(file) for file in files}
    drives = sorted({os.path.splitdrive(path)[0].lower() for path in paths.values()})
    if len(drives) > 1:
        raise DataError(f"the pictures lie on {' and '.join(drives)}; give those of one drive")
    folder = os.path.commonpath([os.path.dirname(path) for path in paths.values()])
    return {file: Path(path).relative_to(folder).as_posix() for file, path in paths.items()}


class Video:
    """The frames of a video file or a camera, uint8 RGB, one after the other.

    Args:
        source: a path, or the number of a camera.

    Attributes:
        frequency: frames a second.
        count: number of frames as the file says, 0 where unknown.
        cut_off: a line where a file's frames have ended well before that number, else "".

    Raises:
        DataError: it cannot be opened or has no frame.
    """

    cut_off = ""

    def __init__(self, source):
        self.name = f"camera {source}" if isinstance(source, int) else str(source)
        if not isinstance(source, int) and not Path(source).is_file():
            raise DataError(f"{source}: no such file")
        cv2 = _opencv()
        # FFmpeg takes what stands before a colon for a protocol, but not in an absolute path.
        place = source if isinstance(source, int) else os.path.abspath(source)
        self._capture = cv2.VideoCapture(place)
        if not self._capture.isOpened():
            raise DataError(
                f"{self.name}: cannot be opened"
                + ("" if isinstance(source, int) else "; OpenCV knows no such video")
            )
        frequency = self._capture.get(cv2.CAP_PROP_FPS)
        self.frequency = frequency if 0 < frequency < 1000 else 30.0
        count = 0 if isinstance(source, int) else int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.count = max(0, count)

    def __iter__(self):
        frames = 0
        while True:
            there, frame = self._capture.read()
            if not there:
                break
            frames += 1
            yield np.ascontiguousarray(frame[..., ::-1])
        self.close()
        if not frames:
            raise DataError(f"{self.name}: holds no frame that OpenCV can read")
        if frames + max(_FEW, _SHARE * self.count) < self.count:
            self.cut_off = (
                f"{self.name}: ended after {frames} of about {self.count} frames; the file is "
                "damaged or cut off"
            )

    def close(self):
        """Lets go of the file or camera."""
        self._capture.release()


class VideoWriter:
    """Writes frames to a video that browsers play; it has its name only when it is complete.

    H.264 in .mp4 where OpenCV can write it (its wheels for Linux cannot), else VP8 in .webm, else
    MPEG-4 part 2 in .mp4, which browsers do not play.

    Args:
        path: the file. Without .mp4 or .webm at its end it gets the one that fits.
        frequency: frames a second.

    Attributes:
        path: the file that is written, once there is a frame.
    """

    def __init__(self, path, frequency):
        self.path, self.frequency, self._writer = Path(path), frequency, None
        self._file = contextlib.ExitStack()

    @staticmethod
    def places(path) -> list[Path]:
        """The files of which it writes one when it is given `path`."""
        path = Path(path)
        if path.suffix in _ENDS:
            return [path]
        return [path.with_name(f"{path.name}{end}") for end in _ENDS]

    def write(self, frame):
        """Adds a frame, uint8 RGB, all of one size."""
        if self._writer is None:
            self._writer = self._open((frame.shape[1], frame.shape[0]))
        self._writer.write(np.ascontiguousarray(frame[..., ::-1]))

    def _open(self, size):
        cv2 = _opencv()
        given = self.path.suffix if self.path.suffix in _ENDS else ""
        for end, code in _VIDEO_CODES:
            if given not in ("", end) or not _can_write(end, code, self.frequency, size):
                continue
            self.path = self.path if given else self.path.with_name(f"{self.path.name}{end}")
            temporary = self._file.enter_context(replacing(self.path))
            with _without_stderr():
                options = (
                    os.path.abspath(temporary),
                    cv2.VideoWriter_fourcc(*code),
                    self.frequency,
                    size,
                )
                return cv2.VideoWriter(*options)
        raise KerasShrError(f"{self.path}: OpenCV cannot write this video")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._writer is not None:
            self._writer.release()
        return self._file.__exit__(*error)


def _can_write(end, code, frequency, size):
    """Whether OpenCV writes such videos, tried beside: what it cannot write is no file here."""
    cv2 = _opencv()
    with tempfile.TemporaryDirectory() as folder, _without_stderr():
        path = os.path.join(folder, f"a{end}")
        writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*code), frequency, size)
        opened = writer.isOpened()
        writer.release()
    return opened


@contextlib.contextmanager
def _without_stderr():
    """Keeps FFmpeg quiet, which writes past Python of each codec that it lacks."""
    if sys.stderr is None:  # a program without a console
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _opencv():
    try:
        import cv2
    except ImportError as error:
        raise KerasShrError(
            f"videos need OpenCV, which cannot be imported ({error}): pip install opencv-python"
        ) from error
    return cv2
