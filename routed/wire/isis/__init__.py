"""IS-IS of level 2 on point-to-point circuits (ISO/IEC 10589, RFC 1195 and what extends them)."""
