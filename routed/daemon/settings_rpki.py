"""Settings of origin validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routed.daemon.rpki import RpkiSettings
from routed.service.rtr_connector import RtrSettings
from routed.service.tls_client import TlsClientFiles

if TYPE_CHECKING:
    from routed.plumbing.config import Configuration


def rpki_settings(c: Configuration) -> RpkiSettings | None:
    """Tell what origins are validated by, if they are."""
    caches, roas_file = c.maybe("rpki_rtr_cache", tuple), c.path("rpki_roas_file")
    if caches is None and roas_file is None:
        return None
    authorities = c.path("rpki_rtr_tls_ca_file")
    return RpkiSettings(
        roas_file=roas_file,
        slurm_file=c.path("rpki_slurm_file"),
        rtr=None
        if caches is None
        else RtrSettings(
            caches=caches,
            version=c.maybe("rpki_rtr_cache_version", int),
            ip_precedence=c.of("rpki_rtr_cache_ipprec", int),
            receive_buffer=c.maybe("rpki_rtr_cache_pipe_size", int),
        ),
        md5_file=c.path("rpki_rtr_md5_file"),
        tls=None
        if authorities is None
        else TlsClientFiles(authorities, c.path("rpki_rtr_tls_certificate_file"), c.path("rpki_rtr_tls_key_file")),
        logs_changes=c.of("rpki_msglog_changes", bool),
        adds_aspa=c.of("rpki_aspa", bool),
    )
