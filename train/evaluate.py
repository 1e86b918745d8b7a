"""`python -m train.evaluate MODEL... DATA --output DIR`: `keras-shr evaluate` in a checkout."""

import sys

from keras_shr.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
