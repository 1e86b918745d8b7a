"""The constants of the perturbations, to be made wrong one at a time.

Not among them: units (255, pi, 180), sizes of filter masks, roundings and powers of two that fix a
number format, which are structure rather than settings; and the made-up frost, which has no
reference.
"""

from dataclasses import dataclass
from functools import partial

import test_perturbation_draws as laws
import test_perturbation_jpeg as codec
import test_perturbation_parity as exact
import test_perturbation_spatter as steps

from keras_shr.perturbations import (
    _blur,
    _colour,
    _frost_pictures,
    _gaussian,
    _glass,
    _jpeg,
    _noise,
    _opencv,
    _spatter,
    _weather,
    _zoom,
)

ALL = (1, 2, 3, 4, 5)
FACTORS = (1.2, 0.8)
# Columns and constants for which only whole numbers make sense.
WHOLE = (
    *("radius", "reach", "passes"),
    *("_DEFOCUS_REACH", "_MOTION_TAPS", "_TILE", "_MARGIN", "_OUTCOMES", "_BLOCK"),
    *("_SNOW_REACH", "_SNOW_SIDE", "_QUALITY", "_LUMINANCE", "_CHROMINANCE", "_LAST_WATER"),
)
_SNOW_COLUMNS = ("mean", "deviation", "zoom", "threshold", "radius", "sigma", "colour left")


@dataclass(frozen=True)
class Table:
    """A constant, or a nest of them, in a module.

    Attributes:
        columns: names of the last index, for a table with a row for each severity.
        severities: those that the constant matters for; None if its first index is the severity.
        room: work areas, by name, that are enlarged with it, as whoever changed it would do.
        tests: further tests of the suite that look at it, tried where the pictures do not tell.
    """

    kind: str
    module: object
    name: str
    columns: tuple = ()
    severities: tuple | None = ALL
    room: tuple = ()
    tests: tuple = ()


_DEFOCUS_ROOM = (("_DEFOCUS_REACH", 12),)
_MOTION_ROOM = (("_MOTION_TAPS", 49),)
_SNOW_ROOM = (("_SNOW_REACH", 30), ("_SNOW_SIDE", 24))
_PALE = (partial(exact.test_parity_of_saturate_on_pale_pictures),)
_MOTION_LAW = (partial(laws.test_motion_angles_are_uniform),)
_SNOW_LAW = (partial(laws.test_snow_draws),)
_SPATTER_LAW = tuple(
    partial(laws.test_spatter_starts_from_the_noise_of_the_reference, s) for s in ALL
)
_ENDS = (partial(exact.test_smoothing_ends_where_that_of_the_reference_does),)
_IN_THE_FILE = (partial(codec.test_tables_are_those_in_the_file),)
_CODEC = (
    partial(codec.test_transforms_are_inverse),
    partial(codec.test_every_pixel_of_hard_pictures, (32, 32)),
)
_STEPS = (partial(steps.test_canny, (33, 70)), partial(steps.test_distance, (33, 70)))

TABLES = (
    Table("brightness", _colour, "_BRIGHTNESS", severities=None),
    Table("contrast", _colour, "_CONTRAST", severities=None),
    Table("saturate", _colour, "_SATURATE", ("factor", "added"), None, tests=_PALE),
    Table("defocus_blur", _blur, "_DEFOCUS", ("radius", "sigma"), None, _DEFOCUS_ROOM),
    Table("defocus_blur", _blur, "_DEFOCUS_REACH", severities=(5,)),
    Table("motion_blur", _blur, "_MOTION", ("radius", "sigma"), None, _MOTION_ROOM),
    Table("motion_blur", _blur, "_MOTION_ANGLES", room=_MOTION_ROOM, tests=_MOTION_LAW),
    Table("motion_blur", _blur, "_MOTION_TAPS", severities=(5,)),
    Table("zoom_blur", _zoom, "_FACTORS", ("step", "largest"), None),
    Table("zoom_blur", _zoom, "_OWN_WEIGHT"),
    Table("frost", _weather, "_FROST", ("image", "frost"), None),
    Table("frost", _frost_pictures, "_ENLARGED"),
    Table("frost", _frost_pictures, "_CUBIC"),
    Table("gaussian_noise", _noise, "_GAUSSIAN", severities=None),
    Table("glass_blur", _glass, "_GLASS", ("sigma", "reach", "passes"), None),
    Table("glass_blur", _glass, "_TILE", severities=(3,)),
    Table("glass_blur", _glass, "_MARGIN", severities=(3, 5)),
    Table("shot_noise", _noise, "_PHOTONS", severities=None),
    Table("shot_noise", _noise, "_OUTCOMES", severities=(1,)),
    Table("snow", _weather, "_SNOW", _SNOW_COLUMNS, None, _SNOW_ROOM),
    Table("snow", _weather, "_SNOW_ANGLES", room=_SNOW_ROOM, tests=_SNOW_LAW),
    Table("snow", _weather, "_GREY"),
    Table("snow", _weather, "_PALE"),
    Table("snow", _weather, "_SNOW_REACH", severities=(4, 5)),
    Table("snow", _weather, "_SNOW_SIDE", severities=(4, 5)),
    Table("gaussian_blur", _gaussian, "_BLUR", severities=None),
    Table("gaussian_blur", _gaussian, "_TRUNCATE", tests=_ENDS),
    Table("gaussian_blur", _gaussian, "_BLOCK"),
    Table("jpeg_compression", _jpeg, "_QUALITY", severities=None),
    *(
        Table(
            "jpeg_compression",
            _jpeg,
            name,
            severities=(1,),
            tests=_IN_THE_FILE,
        )
        for name in ("_LUMINANCE", "_CHROMINANCE")
    ),
    *(
        Table("jpeg_compression", _jpeg, name, severities=(1,), tests=_CODEC)
        for name in ("_DCT", "_TO_YCC", "_TO_RGB", "_TRIANGLE")
    ),
    Table(
        "spatter",
        _spatter,
        "_FIELD",
        ("mean", "deviation", "sigma", "threshold"),
        None,
        tests=_SPATTER_LAW,
    ),
    Table("spatter", _spatter, "_LAST_WATER", severities=(3, 4)),
    Table("spatter", _spatter, "_CANNY", severities=(1, 2, 3), tests=_STEPS),
    Table("spatter", _spatter, "_FAR", severities=(1, 2, 3), tests=_STEPS),
    Table("spatter", _spatter, "_WATER_STRENGTH", severities=None),
    Table("spatter", _spatter, "_EMBOSS", severities=(1, 2, 3)),
    Table("spatter", _spatter, "_WATER", severities=(1, 2, 3)),
    Table("spatter", _spatter, "_MUD_SIGMA", severities=(4, 5)),
    Table("spatter", _spatter, "_MUD_CUT", severities=(4, 5)),
    Table("spatter", _spatter, "_MUD", severities=(4, 5)),
    *(
        Table("spatter", _opencv, name, severities=(1, 2, 3), tests=_STEPS)
        for name in ("_TAN_22", "_DIAGONAL", "_KNIGHT")
    ),
    Table("speckle_noise", _noise, "_SPECKLE", severities=None),
)

_WORK_AREA = "size of a work area, no setting: a larger one changes nothing"
_SHUFFLE = "size of the canvas of the shuffle, no setting: the law is the same everywhere"
_TAIL = "the filter's outermost weights, which this adds or cuts off, are below a thousandth"
_REASONS = (
    ("defocus_blur", "_DEFOCUS[0] sigma", FACTORS, "exp(-1 / (2 * 0.12**2)): smoothing by nothing"),
    ("defocus_blur", "_DEFOCUS_REACH", (1.2,), _WORK_AREA),
    ("motion_blur", "_MOTION[0] radius", FACTORS, _TAIL),
    ("motion_blur", "_MOTION[1] radius", FACTORS, _TAIL),
    ("motion_blur", "_MOTION[2] radius", (1.2,), _TAIL),
    ("motion_blur", "_MOTION_TAPS", (1.2,), _WORK_AREA),
    ("glass_blur", "_TILE", FACTORS, _SHUFFLE),
    ("glass_blur", "_MARGIN", FACTORS, _SHUFFLE),
    ("snow", "_SNOW[0] radius", FACTORS, _TAIL),
    ("snow", "_SNOW[1] radius", FACTORS, _TAIL),
    ("snow", "_SNOW_REACH", (1.2,), _WORK_AREA),
    ("snow", "_SNOW_SIDE", (1.2,), _WORK_AREA),
    (
        "snow",
        "_SNOW_SIDE",
        (0.8,),
        "work area; at 64 px the one for the FFT is larger anyway, by the rounding of its length",
    ),
    ("gaussian_blur", "_BLOCK", FACTORS, "how the work is cut up, no setting"),
    ("spatter", "_WATER_STRENGTH[3]", FACTORS, "not read: severity 4 is mud"),
    ("spatter", "_WATER_STRENGTH[4]", FACTORS, "not read: severity 5 is mud"),
)
EQUIVALENT = {
    (kind, constant, factor): reason
    for kind, constant, factors, reason in _REASONS
    for factor in factors
}
"""Why a mutant survives, by kind, constant and factor: it changes no picture, or none visibly."""
