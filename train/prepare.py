"""`python -m train.prepare KIND ROOT OUTPUT`: `keras-shr prepare` in a checkout."""

import sys

from keras_shr.cli import main

if __name__ == "__main__":
    sys.exit(main(["prepare", *sys.argv[1:]]))
