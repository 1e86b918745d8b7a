"""`python -m keras_shr.cli`."""

import sys

from keras_shr.cli import main

if __name__ == "__main__":
    sys.exit(main())
