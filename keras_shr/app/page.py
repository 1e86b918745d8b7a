"""The Gradio page over `Comparer`: layout and events, nothing else."""

import contextlib
import os
import tempfile
from pathlib import Path

from keras_shr.app import views
from keras_shr.app.comparison import KINDS, centre_and_zoom, field_of_view
from keras_shr.app.examples import write_examples
from keras_shr.data.images import decode_image
from keras_shr.errors import KerasShrError
from keras_shr.evaluation.protocol import EXTRA, SEEN, UNSEEN
from keras_shr.skeletons import HAND_21

_GROUPS = {SEEN: "seen in training", UNSEEN: "unseen in training", EXTRA: "lens or sensor"}
_FURTHEST = -1  # keypoint: whichever moved furthest
_START = ("speckle_noise", 3, 0, _FURTHEST)  # kind (an unseen one), severity, seed, keypoint
_CLOSEST = 6
_EMPTY = "Drop a picture on the left, or take one with the camera."
_INTRODUCTION = """# Keypoints that stay put
Two networks look at the same square of your picture, once as it is and once perturbed. What they
find should not move: <b class='shr-before'>blue</b> is where a keypoint was in the clean picture,
<b class='shr-after'>orange</b> where it is in the perturbed one, a white line joins the two.
Distances are in pixels of a 256-pixel picture."""
_CSS = """
.shr-before { color: #2b8cc4 } .shr-after { color: #c97f00 }
.shr-head h2, .shr-head p { margin: 0 !important } .shr-head b { font-size: 1.35em }
.shr-quiet { opacity: .65 }
.shr-table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums }
.shr-table, .shr-table * { border: 0 !important }
.shr-table th, .shr-table td { text-align: left; padding: 1px 8px !important }
.shr-table td { width: 35% } .shr-table tbody th { font-weight: 400 }
.shr-chosen { background: color-mix(in srgb, currentColor 12%, transparent) }
.shr-bar { display: inline-block; height: .75em; margin-right: 6px; background: #e69f00 }
"""


def import_gradio():
    """The module gradio, told to send nothing home; `KerasShrError` where it is absent."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read while it is imported
    try:
        import gradio
    except ImportError as error:
        raise KerasShrError(
            f"the page needs gradio, which cannot be imported ({error}): pip install 'gradio>=6,<7'"
        ) from error
    return gradio


class Handlers:
    """What the page's events call: values of its controls in, values of its outputs out."""

    def __init__(self, comparer):
        self.comparer, self._gradio = comparer, import_gradio()

    def show(self, path, kind, severity, seed, keypoint, centre, zoom):
        """For each model a headline, the picture, a caption and two heatmaps; then the table."""
        if path is None:
            return [_EMPTY, None, "", None, None] * len(self.comparer.predictors) + [""]
        with self._told():
            picture = _read(path)
            square = field_of_view(picture, centre, zoom or 1)
            # A number that the user has deleted arrives as None.
            found = self.comparer(picture, kind, int(severity or 0), int(seed or 0), square)
        chosen = found.furthest if keypoint == _FURTHEST else keypoint
        shown = []
        for answer in found.answers:
            shown += [
                views.headline(answer, found.skeleton),
                views.moved_picture(found, answer, chosen),
                views.caption(found, chosen),
                *views.heatmaps(found, answer, chosen),
            ]
        return [*shown, views.table(found, chosen)]

    def find(self, path):
        """The centre and zoom at which the models are surest of what they see."""
        if path is None:
            return None, 1
        with self._told():
            picture = _read(path)
        return centre_and_zoom(picture, self.comparer.find(picture), _CLOSEST)

    @contextlib.contextmanager
    def _told(self):
        """Errors of the user's picture or settings, in the page."""
        try:
            yield
        except KerasShrError as error:
            raise self._gradio.Error(str(error), print_exception=False) from error


def _read(path):
    return decode_image(Path(path).read_bytes(), Path(path).name)


def look_closer(zoom, point):
    """A click: the new centre, and at least twice the size."""
    return tuple(point), max(zoom, 2)


def build(comparer, examples=(), note=""):
    """The page.

    Args:
        comparer: `Comparer`.
        examples: paths of pictures; the first is shown when the page opens.
        note: a sentence below the introduction.

    Returns:
        `gradio.Blocks`.
    """
    gr = import_gradio()
    handlers = Handlers(comparer)
    examples = list(map(str, examples))
    # Made now: the page opens with a result, and the networks are compiled before anyone waits.
    first = iter(handlers.show(examples[0] if examples else None, *_START, None, 1))
    with gr.Blocks(
        analytics_enabled=False, title="keras_shr", fill_width=True, delete_cache=(600, 3600)
    ) as page:
        gr.Markdown(f"{_INTRODUCTION} {note}")
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                controls, find = _controls(gr, comparer, examples)
            with gr.Column(scale=5, min_width=480):
                with gr.Row():
                    outputs = [part for _ in comparer.predictors for part in _answer(gr, first)]
                outputs.append(gr.HTML(next(first)))
        _connect(gr, handlers, controls, find, outputs)
    return page


def _controls(gr, comparer, examples):
    picture = gr.Image(
        value=examples[0] if examples else None,
        label="Picture",
        sources=["upload", "webcam", "clipboard"],
        height=300,
        buttons=[],
        elem_id="picture",
    )
    # Gradio would convert the file, and answer a broken one with a traceback; decode_image knows
    # EXIF, 16 bits and transparency, and says in a line what is wrong.
    picture.preprocess = lambda file: None if file is None else file.path
    if examples:
        gr.Examples([[path] for path in examples], picture, label="Rendered hands")
    kinds = [
        (f"{views.spoken(kind)} ({_GROUPS[comparer.protocol.group(kind)]})", kind) for kind in KINDS
    ]
    names = [(views.spoken(name), i) for i, name in enumerate(comparer.skeleton.keypoints)]
    first_kind, first_severity, first_seed, first_keypoint = _START
    with gr.Group():
        kind = gr.Dropdown(kinds, value=first_kind, label="Perturbation")
        severity = gr.Slider(0, 5, first_severity, step=1, label="Severity")
        seed = gr.Number(first_seed, precision=0, minimum=0, label="Seed: another draw")
        keypoint = gr.Dropdown(
            [("the one that moved furthest", _FURTHEST), *names],
            value=first_keypoint,
            label="Heatmap of",
        )
        zoom = gr.Slider(1, _CLOSEST, 1, step=0.1, label="Zoom: click where to look")
    find = gr.Button("Look for it in the picture")
    return (picture, kind, severity, seed, keypoint, gr.State(None), zoom), find


def _answer(gr, values):
    """One model's column, with its next values."""

    def image(label, **options):
        return gr.Image(next(values), label=label, interactive=False, buttons=[], **options)

    with gr.Column(min_width=240):
        headline = gr.HTML(next(values), elem_classes="shr-head")
        moved = image("keypoints", show_label=False)
        caption = gr.HTML(next(values))
        with gr.Row():
            clean, perturbed = (image(state, min_width=100) for state in ("clean", "perturbed"))
    return headline, moved, caption, clean, perturbed


def _connect(gr, handlers, controls, find, outputs):
    picture, kind, severity, seed, keypoint, centre, zoom = controls
    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    show = {"fn": handlers.show, "inputs": list(controls), "outputs": outputs} | quiet

    def clicked(zoom, event: gr.SelectData):  # type: ignore[name-defined]  # Gradio reads it
        return look_closer(zoom, event.index)

    # .input is the user's doing only: what a click or a new picture sets must not show twice.
    changes = [control.input for control in (kind, severity, seed, keypoint, zoom)]
    gr.on(changes, **show, trigger_mode="always_last")
    find.click(handlers.find, picture, [centre, zoom], **quiet).then(**show)
    picture.select(clicked, zoom, [centre, zoom], **quiet).then(**show)
    picture.change(lambda: (None, 1), None, [centre, zoom], **quiet).then(**show)


def serve(comparer, host="127.0.0.1", port=None, note=""):
    """Serves the page until interrupted. Pictures lie in a temporary folder that goes with it.

    Args:
        comparer: `Comparer`.
        host: address to listen at; "0.0.0.0" lets other machines in.
        port: None takes the first free one from 7860.
        note: see `build`.
    """
    gr = import_gradio()
    with tempfile.TemporaryDirectory(prefix="keras_shr_app_") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        hands = comparer.skeleton.keypoints == HAND_21.keypoints
        page = build(comparer, write_examples(folder) if hands else (), note)
        try:
            _, address, _ = page.launch(
                server_name=host,
                server_port=port,
                share=False,
                ssr_mode=False,
                show_error=True,
                quiet=True,
                prevent_thread_lock=True,
                footer_links=[],
                css=_CSS,
                theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
            )
        except OSError as error:
            raise KerasShrError(
                f"cannot listen at {host}, port {port or '7860 to 7959'}: it is taken, or no "
                "address of this machine"
            ) from error
        print(f"Open {address} in a browser; Ctrl+C ends it.", flush=True)
        page.block_thread()
