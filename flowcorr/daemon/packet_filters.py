"""Packet filters of the configuration and of maps: expressions of tcpdump, compiled for the frames of flows."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from flowcorr.correlate._packet_program import Program
from routed.plumbing.packet_filter import PacketFilter
from routed.plumbing.pcap import CaptureError

#: The link type of those frames (LINKTYPE_ETHERNET).
ETHERNET: Final = 1
MAX_EXPRESSIONS: Final = 128
#: Programs that are remembered: rows of maps repeat expressions, and a configuration is read several times.
REMEMBERED: Final = 1024
_QUOTES: Final = "'\""


class ExpressionError(ValueError):
    """An expression that cannot be used; the text says why."""


def expressions_of(text: str) -> tuple[str, ...]:
    """Divide a list at its commas, but for those inside quotes and brackets.

    Raises: ExpressionError.
    """
    found, quote, depth = [""], "", 0
    for character in text:
        if character in _QUOTES and quote in {"", character}:
            quote = "" if quote else character
        elif character == "," and not quote and not depth:
            found.append("")
        else:
            depth += (character in "([") - (character in ")]")
            found[-1] += character
    expressions = tuple(one.strip() for one in found)
    if quote:
        raise ExpressionError(f"a {quote} has no end")
    if not all(expressions):
        raise ExpressionError("an expression is empty")
    if len(expressions) > MAX_EXPRESSIONS:
        raise ExpressionError(f"{len(expressions)} expressions are more than {MAX_EXPRESSIONS}")
    return expressions


@lru_cache(REMEMBERED)
def compile_expression(text: str) -> Program:
    """Compile an expression.

    Raises: ExpressionError.
    """
    try:
        octets = PacketFilter(text).instructions(ETHERNET)
    except CaptureError as error:
        raise ExpressionError(str(error)) from error
    try:
        return Program(octets)
    except ValueError:  # a loop, whose end a packet decides
        raise ExpressionError(f"filter '{text}': loops, as protochain does, and that is not bounded") from None
