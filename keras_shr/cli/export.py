"""Write a trained model as SavedModel, .tflite or .onnx, with a JSON that says how to use it.

    keras-shr export hand.keras --quantize float16 --output hand.tflite
    keras-shr export hand.keras --quantize int8 --calibration my_images \\
        --outputs keypoints --output hand_int8.tflite

`heatmaps` (float32 pictures in) holds operations that mobile GPUs take; `keypoints` (uint8 pictures
in) holds the decoding too. Hold the file against the model with `keras-shr compare-export`.
"""

from keras_shr.errors import KerasShrError


def add_arguments(parser):
    parser.add_argument("model", metavar="MODEL", help=".keras file, or name of a trained model")
    parser.add_argument("--output", required=True, help="file, or folder of a SavedModel")
    parser.add_argument(
        "--format", help="saved_model, tflite or onnx; default by the end of --output"
    )
    parser.add_argument("--quantize", default="none", help="none, float16 or int8")
    parser.add_argument("--outputs", default="heatmaps", help="heatmaps or keypoints")
    parser.add_argument("--decoding", default="argmax", help="argmax, or centroid for sub-pixel")
    parser.add_argument(
        "--calibration", metavar="DATA", help="pictures for int8: a folder or KIND:PLACE?options"
    )
    parser.add_argument("--calibration-split", metavar="SPLIT", help="part of DATA, such as train")
    parser.add_argument("--calibration-images", type=int, default=128, metavar="N")


def run(arguments):
    from keras_shr.export import export_model, gpu_problems
    from keras_shr.export.convert import format_of, load_model
    from keras_shr.export.exported import size_of
    from keras_shr.export.graph import require_tensorflow

    require_tensorflow()
    if arguments.calibration and arguments.quantize != "int8":
        raise KerasShrError(f"--calibration is for int8, not for --quantize {arguments.quantize}")
    file_format = arguments.format or format_of(arguments.output)
    model = load_model(arguments.model)
    calibration = None
    if arguments.calibration:
        calibration = calibration_images(
            arguments.calibration,
            arguments.calibration_split,
            model.image_size,
            arguments.calibration_images,
        )
    export_model(
        model,
        arguments.output,
        file_format,
        arguments.quantize,
        arguments.outputs,
        arguments.decoding,
        calibration,
    )
    print(f"{arguments.output}: {size_of(arguments.output) / 1e6:.2f} MB")
    if file_format == "tflite" and arguments.outputs == "heatmaps":
        with open(arguments.output, "rb") as file:
            problems = gpu_problems(file.read())
        for problem in problems:
            print(f"on a mobile GPU: {problem}")
        if not problems:
            print("all operations are ones that mobile GPU delegates take")


def calibration_images(spec, split, image_size, count):
    """`count` pictures spread evenly over a data set, uint8 `(count, height, width, 3)`."""
    import numpy as np

    from keras_shr.cli._options import open_part
    from keras_shr.data import PartReader, load_arrays

    height, width = image_size
    if height != width:
        raise KerasShrError(
            f"the model takes {height}x{width} images and data sets are cropped square; call "
            "keras_shr.export.export_model with calibration images of your own"
        )
    if count < 1:
        raise KerasShrError(f"--calibration-images is {count}; it must be at least 1")
    reader = open_part(spec, split, height, "--calibration-split")
    if not len(reader):
        raise KerasShrError(f"{spec}: there is no image to calibrate with")
    chosen = np.unique(np.linspace(0, len(reader) - 1, min(count, len(reader))).astype(int))
    return load_arrays(PartReader(reader, chosen), 0).images
