"""`python -m dettrack`."""

import sys

from dettrack.cli import main

sys.exit(main())
