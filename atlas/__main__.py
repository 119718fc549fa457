"""`python -m atlas`: the same as the command `atlas`."""

import sys

from atlas.cli import main

sys.exit(main())
