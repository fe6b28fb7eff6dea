"""The registry: every configuration key, in the order of the reference."""

from __future__ import annotations

from typing import Final

from routed.daemon import (
    keys_bgp,
    keys_bmp,
    keys_collector,
    keys_flow,
    keys_general,
    keys_isis,
    keys_plugins,
    keys_sinks,
)
from routed.plumbing.config import Registry

KEYS: Final = Registry(
    (
        keys_bgp.LISTENER,
        keys_bgp.SPEAKER,
        keys_bgp.RECORDS,
        keys_sinks.BGP_LOG,
        keys_sinks.BGP_DUMP,
        keys_general.PROCESS,
        keys_general.LOG,
        keys_general.TIME,
        keys_general.MAPS,
        keys_bgp.TABLES,
        keys_bgp.LOOKING_GLASS,
        keys_bgp.BLACKHOLES,
        keys_general.REDUNDANCY,
        keys_bmp.LISTENER,
        keys_bmp.LOOKING_GLASS,
        keys_sinks.BMP_LOG,
        keys_sinks.BMP_DUMP,
        keys_bmp.RPKI,
        keys_isis.ISIS,
        keys_collector.NETFLOW,
        keys_collector.SFLOW,
        keys_collector.EXPORTERS,
        keys_flow.CORRELATION,
        keys_plugins.AGGREGATION,
        keys_plugins.PRINT,
        keys_plugins.BROKERS,
        keys_plugins.MEMORY,
        keys_flow.OTHERS,
    )
)
