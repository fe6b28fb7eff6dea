"""`nfacctd`: the collector of NetFlow and IPFIX as a command."""

from __future__ import annotations

import sys
from typing import Final

from flowcorr.daemon.command import flow_command
from routed.daemon.plane import NFACCTD

COMMAND: Final = flow_command(NFACCTD)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())
