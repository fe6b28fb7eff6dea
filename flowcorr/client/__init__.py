"""The command `pmacct`: asks the table of a `memory` plugin."""
