"""Bytes and bounds: the only place that does arithmetic with lengths read from a wire."""

from routed.octets.errors import WireError  # first: the compiled cursor imports it from there

from routed.octets._cursor import Cursor  # isort: skip
from routed.octets.codepoint import CodePoint
from routed.octets.text import cut_utf8
from routed.octets.writer import Writer

__all__ = ["CodePoint", "Cursor", "WireError", "Writer", "cut_utf8"]
