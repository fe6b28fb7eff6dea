"""RabbitMQ for the tests: the distribution's, one node with ports and data of its own, over stops and kills."""

import logging
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import pika
from pika.exceptions import AMQPError

from tests.peers.install import require
from tests.peers.waiting import eventually
from tests.ports import reserved_port
from tests.routed.service.tls_rig import Authority

SERVER: Final = "/usr/lib/rabbitmq/bin/rabbitmq-server"
CONTROL: Final = "/usr/lib/rabbitmq/bin/rabbitmqctl"
#: Seconds that the broker may take to start, or messages to arrive, on a machine that has much else to do.
PATIENCE: Final = 120.0
#: It takes a port for in use that somebody else's connection happens to come from, and leaves.
ATTEMPTS: Final = 3
#: One scheduler that sleeps when it has nothing to do: two cores are for others, too.
ERLANG: Final = "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none"


logging.getLogger("pika").setLevel(logging.CRITICAL)  # of its attempts while the broker starts


class Message(NamedTuple):
    """What a queue held."""

    routing_key: str
    content_type: str
    schema: str | None
    body: bytes


class RabbitMQ:
    """One broker.

    Args:
        home: where its files are.
        authority: whose certificates it has and demands on its other port, that of TLS.
    """

    def __init__(self, home: Path, authority: Authority) -> None:
        require("rabbitmq-server")
        self.home, self._mapper, self.authority = home, reserved_port(), authority
        self.port, self.tls_port = reserved_port(), reserved_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._log = home / "rabbitmq.out"
        self._environment = {
            **os.environ,
            "HOME": str(self.home),
            "RABBITMQ_CONFIG_FILE": str(self.home / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "plugins"),
            "RABBITMQ_LOG_BASE": str(self.home / "log"),
            "RABBITMQ_MNESIA_BASE": str(self.home / "mnesia"),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG,
            "ERL_EPMD_PORT": str(self._mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_BYTES": "0",
        }
        certificate, key = authority.issue("broker")
        lines = [
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
            f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}",
            f"ssl_options.cacertfile = {authority.path}",
            f"ssl_options.certfile = {certificate}",
            f"ssl_options.keyfile = {key}",
            "ssl_options.verify = verify_peer",
            "ssl_options.fail_if_no_peer_cert = true",
            "log.console = false",
        ]
        (home / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (home / "plugins").write_text("[].\n")

    def start(self) -> None:
        """Start and wait until it answers."""
        if not self._processes:  # names of nodes to ports: without one of ours Erlang starts its own, for ever
            self._run(["epmd", "-port", str(self._mapper), "-address", "127.0.0.1"])
        for _ in range(ATTEMPTS):
            self._environment["RABBITMQ_DIST_PORT"] = str(reserved_port())
            self._run([SERVER])
            eventually(lambda: self._has_left() or self._answers(), PATIENCE, "RabbitMQ to answer or to leave")
            if not self._has_left():
                return
            self._processes.pop()
        raise AssertionError(self._log.read_text(errors="replace")[-3000:])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, well or with SIGKILL; its queues stay."""
        self._end(self._processes.pop(), number)

    def freeze(self) -> None:
        """Let it answer no more."""
        os.killpg(self._processes[-1].pid, signal.SIGSTOP)

    def leave(self) -> None:
        """Leave nothing behind."""
        while self._processes:
            self._end(self._processes.pop(), signal.SIGKILL)

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """Open a channel of the test's own."""
        connection = pika.BlockingConnection(
            pika.ConnectionParameters("127.0.0.1", self.port, blocked_connection_timeout=PATIENCE)
        )
        try:
            yield connection.channel()
        finally:
            connection.close()

    def add_user(self, name: str, password: str) -> None:
        """Make a user who may do anything."""
        backend = "rabbit_auth_backend_internal"
        rights = ", ".join(['<<"/">>', *['<<".*">>'] * 3, '<<"tests">>'])
        self._evaluate(
            f'{backend}:add_user(<<"{name}">>, <<"{password}">>, <<"tests">>), '
            f'{backend}:set_permissions(<<"{name}">>, {rights}).'
        )

    def demand_free_disk(self, octets: int) -> None:
        """Say below how much free disk it raises its alarm, and takes nothing from anybody."""
        self._evaluate(f"rabbit_disk_monitor:set_disk_free_limit({octets}).")

    def _evaluate(self, command: str) -> None:
        """Let it evaluate a term of Erlang."""
        done = subprocess.run(
            [CONTROL, "eval", command],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def bind(self, queue: str, exchange: str, kind: str, *keys: str) -> None:
        """Make a queue that keeps what comes with some keys, over restarts."""
        with self.channel() as channel:
            channel.exchange_declare(exchange, kind, durable=True)
            channel.queue_declare(queue, durable=True)
            for key in keys:
                channel.queue_bind(queue, exchange, key)

    def read(self, queue: str, enough: Callable[[list[Message]], object]) -> list[Message]:
        """Return what is in a queue, in order, once it is enough; the queue is empty then."""
        found: list[Message] = []
        with self.channel() as channel:

            def look() -> bool:
                while True:
                    method, properties, body = channel.basic_get(queue, auto_ack=True)
                    if method is None:
                        return bool(enough(found))
                    found.append(Message(method.routing_key, properties.content_type, properties.type, body))

            eventually(look, PATIENCE, f"enough messages in {queue}")
        return found

    def _has_left(self) -> bool:
        return self._processes[-1].poll() is not None

    def _answers(self) -> bool:
        try:
            with self.channel():
                return True
        except (AMQPError, OSError):
            return False

    def _run(self, command: list[str]) -> None:
        with self._log.open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    command,
                    cwd=self.home,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _end(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        if process.poll() is None:
            os.killpg(process.pid, number)
        process.wait(PATIENCE)
