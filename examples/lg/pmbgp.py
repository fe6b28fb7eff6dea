#!/usr/bin/env python3
"""The client of the looking glass under the name that pmacct's quick start has for it: the command `pmbgp`."""

import sys

from lg.cli import main

if __name__ == "__main__":
    sys.exit(main())
