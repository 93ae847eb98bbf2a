"""`python -m workflows` is the command `workflows`."""

import sys

from workflows.cli import main

sys.exit(main())
