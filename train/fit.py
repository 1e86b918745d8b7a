"""`python -m train.fit CONFIG --output DIR`: `keras-shr fit` in a checkout."""

import sys

from keras_shr.cli import main

if __name__ == "__main__":
    sys.exit(main(["fit", *sys.argv[1:]]))
