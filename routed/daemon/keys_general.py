"""Keys of every daemon: process, log, time, maps, and the redundancy of whole daemons."""

from __future__ import annotations

from functools import partial
from typing import Final

from routed.daemon.values import SYSLOG_FACILITY, THREAD_STACK, WRITER_ID
from routed.plumbing.config import DEFAULT_CORE_NAME, Daemons, Group, Key, Status
from routed.plumbing.values import ACCOUNT, BOOLEAN, ENDPOINT, OFF, ON, PATH, TEXT, UMASK, at_least, between, one_of

ALL: Final = Daemons.PMBGPD | Daemons.PMBMPD | Daemons.FLOW
_key = partial(Key, daemons=ALL)
#: Processes of one configuration: more than processors are of no use.
MOST_PROCESSES: Final = 128
#: Keys that may carry the name of a plugin and then leave the core alone.
_plugin_key = partial(_key, is_global=False)
_ours = partial(_key, ours=True)
_unbuilt = partial(_key, status=Status.NOT_BUILT)

PROCESS: Final = Group(
    "Process",
    "How a daemon runs: in the foreground unless told otherwise, with files that only their owner can read.",
    (
        _key(
            "core_proc_name",
            TEXT,
            DEFAULT_CORE_NAME,
            "name of the core process in the log, in `$proc_name` and of its spools",
            aliases=tuple(f"{daemon}_proc_name" for daemon in ("nfacctd", "sfacctd", "pmacctd", "uacctd")),
        ),
        _key("daemonize", BOOLEAN, OFF, "leave the terminal and run in the background"),
        _key(
            "dry_run",
            one_of("config", "setup"),
            None,
            "`config`: check the configuration and exit, with status 1 "
            "for bad values and unknown keys; `setup`: bring up listeners and maps as well, then exit",
        ),
        _key("pidfile", PATH, None, "file that holds the process id while the daemon runs"),
        _key("proc_priority", between(-20, 19), 0, "scheduling priority (nice value)"),
        _ours(
            "proc_user",
            ACCOUNT,
            None,
            "user to run as once ports and files of the start are open, by name or number; then there is no way back",
        ),
        _ours("proc_group", ACCOUNT, None, "group to run as, together with `proc_user` (that user's when unset)"),
        _ours(
            "proc_count",
            between(1, MOST_PROCESSES),
            1,
            "processes that share ports and work: what comes from one address goes to one of them; `$proc_number` in "
            "any value is the number of the process, from 1",
        ),
        _ours(
            "proc_sandbox",
            BOOLEAN,
            OFF,
            "once everything is open, write below the folders of the configured outputs alone, and run no program",
            source="landlock(7)",
        ),
        _ours(
            "proc_stop_patience",
            at_least(1, unit="seconds"),
            30,
            "longest time that the end may take; what is not written out by then is left behind",
        ),
        _key(
            "thread_stack",
            THREAD_STACK,
            None,
            "stack size of threads, octets; nothing here depends on it",
            status=Status.NO_EFFECT,
        ),
        _plugin_key("files_umask", UMASK, 0o077, "mask of the permissions of created files, octal"),
        _plugin_key("files_uid", ACCOUNT, None, "user who owns created files, by name or number"),
        _plugin_key("files_gid", ACCOUNT, None, "group that owns created files, by name or number"),
        _plugin_key(
            "writer_id_string",
            WRITER_ID,
            None,
            "who wrote a record, in what goes to message brokers and "
            "into Avro; `$proc_name`, `$writer_pid` and `$pmacct_build` are filled in "
            "(`$proc_name/$writer_pid` when unset)",
        ),
    ),
)

LOG: Final = Group(
    "Log",
    "Lines go to the terminal unless `syslog` or `logfile` is set, and to both of these if both are. SIGHUP opens "
    "the files again.",
    (
        _key("logfile", PATH, None, "file that log lines are appended to"),
        _plugin_key("syslog", SYSLOG_FACILITY, None, "facility of the system log that lines go to"),
        _plugin_key("syslog_ident", TEXT, None, "identity in the system log (the name of the command when unset)"),
        _key("log_stderr_tstamp", BOOLEAN, OFF, "put the time before lines on the terminal"),
        _plugin_key("debug", BOOLEAN, OFF, "log debugging lines too", live=True),
        _ours(
            "log_format",
            one_of("text", "json"),
            "text",
            "`json`: an object a line with `time`, `level`, `process`, `area`, `message` and the facts of the message",
        ),
        _plugin_key(
            "debug_internal_msg", BOOLEAN, OFF, "log what passes between core and plugins", status=Status.NO_EFFECT
        ),
    ),
)

TIME: Final = Group(
    "Time stamps",
    "Local time as `2026-11-20 15:10:56.904753` unless told otherwise.",
    (
        _plugin_key("timestamps_utc", BOOLEAN, OFF, "UTC instead of local time"),
        _plugin_key(
            "timestamps_rfc9557",
            BOOLEAN,
            OFF,
            "`2026-11-20T15:10:56.904753+01:00`",
            source="RFC 9557",
            aliases=("timestamps_rfc3339",),
        ),
        _plugin_key(
            "timestamps_since_epoch", BOOLEAN, OFF, "seconds since 1970 with a fraction; wins over the other layouts"
        ),
        _plugin_key("timestamps_secs", BOOLEAN, OFF, "flow records without fractions of seconds", status=Status.FLOW),
    ),
)

MAPS: Final = Group(
    "Maps",
    "Files of rules. SIGUSR2 reads them again: all of them, or none when a row of one cannot be understood.",
    (
        _key("maps_refresh", BOOLEAN, ON, "read maps and live keys again at SIGUSR2", live=True),
        _plugin_key(
            "maps_entries", at_least(1), 384, "rows kept of a map; further ones are left out with a warning", live=True
        ),
        _plugin_key(
            "maps_row_len",
            at_least(1),
            288,
            "longest row, in characters; longer ones are left out with a warning",
            live=True,
        ),
        _key("maps_index", BOOLEAN, OFF, "index maps: ours are, whatever it says", status=Status.NO_EFFECT),
        _key("pre_tag_map_dont_recirculate", BOOLEAN, OFF, "rows without `ip` apply to IPv4 only", live=True),
        _plugin_key("pre_tag_label_encode_as_map", BOOLEAN, OFF, "labels `k%v,k%v` become objects"),
    ),
)

REDUNDANCY: Final = Group(
    "Clusters",
    "Several daemons as one.",
    (
        _unbuilt("cluster_name", TEXT, None, "cluster that the daemon belongs to"),
        _unbuilt("cluster_id", at_least(0), 0, "number of the daemon in its cluster"),
        _unbuilt("redis_host", ENDPOINT, None, "Redis server, with its port; needs `cluster_name`"),
        _unbuilt("redis_db", at_least(0), 0, "Redis database"),
        _unbuilt("redis_passwd", TEXT, None, "Redis password"),
        _unbuilt("bgp_daemon_ha", BOOLEAN, OFF, "one active, others standing by", aliases=("bmp_daemon_ha",)),
        _unbuilt(
            "bgp_daemon_ha_cluster_name",
            TEXT,
            None,
            "group of daemons of which one is active",
            aliases=("bmp_daemon_ha_cluster_name",),
        ),
        _unbuilt(
            "bgp_daemon_ha_cluster_id",
            at_least(0),
            0,
            "number of the daemon in its group",
            aliases=("bmp_daemon_ha_cluster_id",),
        ),
        _unbuilt(
            "bgp_daemon_ha_queue_message_timeout",
            at_least(1),
            15,
            "how long a standby keeps messages, s",
            aliases=("bmp_daemon_ha_queue_message_timeout",),
        ),
        _unbuilt(
            "bgp_daemon_ha_queue_max_size",
            at_least(-1),
            -1,
            "messages that a standby keeps; -1 is no limit",
            aliases=("bmp_daemon_ha_queue_max_size",),
        ),
    ),
)
