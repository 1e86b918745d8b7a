"""`python -m train.prepare KIND ROOT OUTPUT`: the `keras-shr prepare` command in a checkout."""

import sys

from keras_shr.cli import main

if __name__ == "__main__":
    sys.exit(main(["prepare", *sys.argv[1:]]))
