#!/usr/bin/env python3
"""The client of the looking glass under the name that pmacct's quick start has for it: the command `pmbgp`."""

import os
import sys
from pathlib import Path

try:
    from lg.cli import main
except ModuleNotFoundError as error:  # this is another Python than the one that the project is installed in
    own = Path(__file__).resolve().parents[2] / ".venv"
    if not own.is_dir() or own == Path(sys.prefix):
        sys.exit(f"{error}: run this with the Python that the project is installed in, or the command pmbgp beside it")
    os.execv(own / "bin/python", ["python", *sys.argv])

if __name__ == "__main__":
    sys.exit(main())
