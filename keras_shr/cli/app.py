"""Compare two models on your own pictures in the browser.

keras-shr app
keras-shr app --model runs/mine/best.keras --baseline runs/baseline/best.keras

Both look at a picture from a file or the camera, clean and perturbed; the page shows how far their
keypoints moved. Everything stays on this machine. Needs gradio: pip install 'gradio>=6,<7'.
"""


def add_arguments(parser):
    parser.add_argument(
        "--model", default="hand-photos-ours", help=".keras file or name, default %(default)s"
    )
    parser.add_argument(
        "--baseline", default="hand-photos-baseline", help="shown beside, default %(default)s"
    )
    parser.add_argument(
        "--margin",
        type=float,
        help="of the crops that a search looks at, see keras-shr predict (1.8)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in")
    parser.add_argument("--port", type=int, help="default: the first free one from 7860")


def run(arguments):
    from keras_shr.app.page import import_gradio, serve

    import_gradio()  # before the models, which take longer
    from keras_shr.app import Comparer

    given = {} if arguments.margin is None else {"margin": arguments.margin}
    comparer = Comparer({"baseline": arguments.baseline, "ours": arguments.model}, **given)
    note = f"Baseline: {arguments.baseline}; ours: {arguments.model}."
    serve(comparer, arguments.host, arguments.port, note)
