# cython: language_level=3, boundscheck=False, wraparound=False
"""librdkafka by its own interface: messages that point into buffers of rows, and reports that are only counted.

The library is the one that confluent-kafka brings or is linked to: `open_library` looks for its functions behind that
package's module, so that neither headers nor a second copy are needed. What is declared here is its public, stable ABI.
No Python object is made for a message: an array of them goes in with one call, reports come in arrays, and each is
counted off its load. The interpreter is let go while the library is called.

All calls come from one thread, but for the library's own, which run none of our code.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memset
from posix.dlfcn cimport RTLD_LAZY, dlerror, dlopen, dlsym

from confluent_kafka import KafkaError, KafkaException

cdef enum:
    PRODUCER = 0
    INVALID_ARGUMENT = -186  # ERR__INVALID_ARG
    QUEUE_FULL = -184  # ERR__QUEUE_FULL
    EVENT_DELIVERY = 0x1
    EVENT_LOG = 0x4
    EVENT_ERROR = 0x8
    EVENT_STATISTICS = 0x40
    PARTITION_OF_MESSAGE = 0x8  # MSG_F_PARTITION; without MSG_F_COPY and MSG_F_FREE the library borrows what it sends
    PURGE_ALL = 0x3  # what waits, and what flies
    NO_CONSUMER_CLOSE = 0x8
    ERROR_TEXT = 512
    AT_ONCE = 1024  # messages that one call takes: the interpreter is not let go for less
    REPORTS = 1024  # that are looked at together

ctypedef struct message_t:
    int err
    void *topic
    int32_t partition
    void *payload
    size_t len
    void *key
    size_t key_len
    int64_t offset
    void *opaque

ctypedef struct metadata_topic_t:
    char *topic
    int partition_count
    void *partitions
    int err

ctypedef struct metadata_t:
    int broker_count
    void *brokers
    int topic_count
    metadata_topic_t *topics

cdef struct functions_t:
    void *(*conf_new)() noexcept nogil
    int (*conf_set)(void *, const char *, const char *, char *, size_t) noexcept nogil
    void (*conf_set_events)(void *, int) noexcept nogil
    void (*conf_destroy)(void *) noexcept nogil
    void *(*create)(int, void *, char *, size_t) noexcept nogil
    void (*destroy_flags)(void *, int) noexcept nogil
    void *(*topic_new)(void *, const char *, void *) noexcept nogil
    void (*topic_destroy)(void *) noexcept nogil
    const char *(*topic_name)(const void *) noexcept nogil
    int (*produce_batch)(void *, int32_t, int, message_t *, int) noexcept nogil
    int (*flush)(void *, int) noexcept nogil
    int (*purge)(void *, int) noexcept nogil
    int (*outq_len)(void *) noexcept nogil
    int (*last_error)() noexcept nogil
    const char *(*err2str)(int) noexcept nogil
    int (*set_log_queue)(void *, void *) noexcept nogil
    void *(*queue_get_main)(void *) noexcept nogil
    void (*queue_destroy)(void *) noexcept nogil
    void *(*queue_poll)(void *, int) noexcept nogil
    int (*event_type)(const void *) noexcept nogil
    size_t (*event_message_array)(void *, const message_t **, size_t) noexcept nogil
    int (*event_error)(void *) noexcept nogil
    const char *(*event_error_string)(void *) noexcept nogil
    int (*event_error_is_fatal)(void *) noexcept nogil
    int (*event_log)(void *, const char **, const char **, int *) noexcept nogil
    const char *(*event_stats)(void *) noexcept nogil
    void (*event_destroy)(void *) noexcept nogil
    int (*metadata)(void *, int, void *, const metadata_t **, int) noexcept nogil
    void (*metadata_destroy)(const metadata_t *) noexcept nogil

#: The functions, in the order of `functions_t`.
NAMES = (
    "conf_new", "conf_set", "conf_set_events", "conf_destroy", "new", "destroy_flags", "topic_new", "topic_destroy",
    "topic_name", "produce_batch", "flush", "purge", "outq_len", "last_error", "err2str", "set_log_queue",
    "queue_get_main", "queue_destroy", "queue_poll", "event_type", "event_message_array", "event_error",
    "event_error_string", "event_error_is_fatal", "event_log", "event_stats", "event_destroy", "metadata",
    "metadata_destroy",
)

cdef functions_t rd
cdef bint is_open = False


def open_library(bytes path not None):
    global is_open
    cdef void **slots = <void **>&rd
    cdef size_t at = 0
    cdef void *library
    if is_open:
        return
    if len(NAMES) * sizeof(void *) != sizeof(functions_t):
        raise AssertionError("as many names as functions")
    library = dlopen(path, RTLD_LAZY)
    if library == NULL:
        raise ImportError(dlerror().decode(errors="replace"))
    for name in NAMES:
        slots[at] = dlsym(library, b"rd_kafka_" + name.encode())
        if slots[at] == NULL:
            raise ImportError(f"rd_kafka_{name} is not to be found behind {path.decode(errors='replace')}")
        at += 1
    is_open = True


cdef error_of(int code):
    return KafkaException(KafkaError(code, rd.err2str(code).decode(errors="replace")))


cdef class Load:
    """Messages on their way, and what they point into."""

    cdef readonly object number
    cdef readonly Py_ssize_t left
    cdef public bint is_spoiled
    cdef bint counts_rows
    cdef list held
    cdef message_t *messages
    cdef Py_ssize_t count

    def __cinit__(self, object number, Py_ssize_t left, bint counts_rows):
        self.number, self.left, self.counts_rows, self.held = number, left, counts_rows, []

    def __dealloc__(self):
        free(self.messages)


cdef Py_ssize_t rows_in(const message_t *message, bint counts_rows) noexcept nogil:
    """How many rows a message has: none if it only says that something is gone."""
    cdef Py_ssize_t rows = 1
    cdef const char *at = <const char *>message.payload
    cdef const char *end
    if at == NULL:
        return 0
    if counts_rows:
        end = at + message.len
        while at < end:
            at = <const char *>memchr(at, c"\n", end - at)
            if at == NULL:
                break
            rows += 1
            at += 1
    return rows


cdef class Handle:
    """A producer.

    A load is `left` messages long; they are handed over in parts, each an array of values in one buffer (`produce`) or
    a list of values and keys (`produce_list`). Whatever they point into is kept until all have been reported, or until
    the library has ended.
    """

    cdef void *producer
    cdef void *queue
    cdef dict topics
    cdef set loads

    def __cinit__(self, dict properties not None):
        cdef char text[ERROR_TEXT]
        cdef void *conf
        cdef int code
        self.topics, self.loads = {}, set()
        if not is_open:
            raise RuntimeError("the library is not open")
        conf = rd.conf_new()
        for name, value in {**properties, "log.queue": "true"}.items():
            if rd.conf_set(conf, name.encode(), value.encode(), text, ERROR_TEXT):
                rd.conf_destroy(conf)
                raise KafkaException(KafkaError(INVALID_ARGUMENT, text.decode(errors="replace")))
        rd.conf_set_events(conf, EVENT_DELIVERY | EVENT_LOG | EVENT_ERROR | EVENT_STATISTICS)
        with nogil:
            self.producer = rd.create(PRODUCER, conf, text, ERROR_TEXT)
        if self.producer == NULL:
            code = rd.last_error()
            rd.conf_destroy(conf)
            what = text.decode(errors="replace")
            raise KafkaException(KafkaError(code, f"Failed to create producer: {what}"))
        self.queue = rd.queue_get_main(self.producer)
        rd.set_log_queue(self.producer, NULL)

    def __dealloc__(self):
        self._destroy()

    def load(self, object number, Py_ssize_t left, bint counts_rows):
        load = Load(number, left, counts_rows)
        self.loads.add(load)
        return load

    def produce(
        self, str topic not None, int partition, Load load not None, bytes octets not None, bytes ends not None,
        Py_ssize_t gap, bytes key, Py_ssize_t begin,
    ):
        cdef Py_ssize_t count = PyBytes_GET_SIZE(ends) // <Py_ssize_t>sizeof(uint32_t)
        cdef const uint32_t *end = <const uint32_t *>PyBytes_AS_STRING(ends)
        cdef char *source = PyBytes_AS_STRING(octets)
        cdef Py_ssize_t start = 0, at, size = PyBytes_GET_SIZE(octets)
        cdef message_t *message
        if load.messages == NULL:
            self._allot(load, count)
            for at in range(count):
                if start > <Py_ssize_t>end[at] or <Py_ssize_t>end[at] > size:
                    raise ValueError("values end one after the other, and in their buffer")
                message = &load.messages[at]
                message.payload, message.len = source + start, <Py_ssize_t>end[at] - start
                if key is not None:
                    message.key, message.key_len = PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)
                start = <Py_ssize_t>end[at] + gap
            load.held.append((octets, key))
        if not 0 <= begin <= load.count:
            raise ValueError("a load begins in itself")
        return self._hand_over(topic, partition, load, load.messages, load.count, begin)

    def produce_list(self, str topic not None, int partition, Load load not None, list messages not None):
        cdef message_t *copied
        cdef Py_ssize_t at, taken
        cdef bytes value, key
        copied = <message_t *>calloc(len(messages), sizeof(message_t))
        if copied == NULL and messages:
            raise MemoryError
        try:
            for at, (value, key) in enumerate(messages):
                copied[at].opaque = <void *>load
                if value is not None:
                    copied[at].payload, copied[at].len = PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)
                if key is not None:
                    copied[at].key, copied[at].key_len = PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)
            load.held.append(messages)
            return self._hand_over(topic, partition, load, copied, len(messages), 0)
        finally:
            free(copied)

    cdef _allot(self, Load load, Py_ssize_t count):
        cdef Py_ssize_t at
        load.messages, load.count = <message_t *>calloc(count, sizeof(message_t)), count
        if load.messages == NULL and count:
            raise MemoryError
        for at in range(count):
            load.messages[at].opaque = <void *>load

    cdef _hand_over(
        self, str topic, int partition, Load load, message_t *messages, Py_ssize_t count, Py_ssize_t begin
    ):
        """Hand messages over until the library's queue is full; where it is, and what it will never take."""
        cdef void *its = self._topic(topic)
        cdef Py_ssize_t at, some
        cdef list refused = []
        for at in range(begin, count):
            messages[at].partition = partition
        while begin < count:
            some = min(count - begin, <Py_ssize_t>AT_ONCE)
            with nogil:
                rd.produce_batch(its, 0, PARTITION_OF_MESSAGE, &messages[begin], <int>some)
            for at in range(begin, begin + some):
                if messages[at].err == QUEUE_FULL:
                    return at, refused
                if messages[at].err:
                    load.left -= 1
                    refused.append((messages[at].err, rows_in(&messages[at], load.counts_rows)))
            begin += some
        if not load.left:
            self.loads.discard(load)
        if load.messages == messages:
            free(load.messages)
            load.messages, load.count = NULL, 0
        return count, refused

    cdef void *_topic(self, str name) except NULL:
        cdef void *topic
        self._demand_life()
        if name in self.topics:
            return <void *><size_t>self.topics[name]
        topic = rd.topic_new(self.producer, name.encode(), NULL)
        if topic == NULL:
            raise error_of(rd.last_error())
        self.topics[name] = <size_t>topic
        return topic

    def poll(self, int timeout_ms):
        cdef void *event
        cdef int kind
        cdef const message_t *reports[REPORTS]
        cdef size_t count, at
        cdef list done = [], failed = [], told = []
        self._demand_life()
        while True:
            with nogil:
                event = rd.queue_poll(self.queue, timeout_ms)
            if event == NULL:
                return done, failed, told
            timeout_ms = 0
            try:
                kind = rd.event_type(event)
                if kind == EVENT_DELIVERY:
                    while True:
                        count = rd.event_message_array(event, reports, REPORTS)
                        if not count:
                            break
                        for at in range(count):
                            self._report(reports[at], done, failed)
                else:
                    told.append(self._told(event, kind))
            finally:
                with nogil:
                    rd.event_destroy(event)

    def flush(self, int timeout_ms):
        self._demand_life()
        with nogil:
            rd.flush(self.producer, timeout_ms)

    cdef _report(self, const message_t *report, list done, list failed):
        """Count a message off its load; equal failures that follow one another are one."""
        cdef Load load = <Load>report.opaque
        load.left -= 1
        if report.err:
            rows = rows_in(report, load.counts_rows)
            if failed:
                before = failed.pop()
                if before[0] is load and before[1] == report.err:
                    rows += before[2]
                else:
                    failed.append(before)
            failed.append((load, report.err, rows, rd.topic_name(report.topic).decode(errors="replace")))
        if not load.left:
            done.append(load)
            self.loads.discard(load)

    cdef _told(self, void *event, int kind):
        cdef const char *facility = NULL
        cdef const char *text = NULL
        cdef int level = 0
        if kind == EVENT_ERROR:
            reason = rd.event_error_string(event).decode(errors="replace")
            return kind, KafkaError(rd.event_error(event), reason, fatal=bool(rd.event_error_is_fatal(event)))
        if kind == EVENT_STATISTICS:
            return kind, rd.event_stats(event).decode(errors="replace")
        if kind == EVENT_LOG and rd.event_log(event, &facility, &text, &level) == 0:
            return kind, f"{facility.decode(errors='replace')}: {text.decode(errors='replace')}"
        return kind, ""

    def partitions(self, str topic, int timeout_ms):
        cdef const metadata_t *found = NULL
        cdef void *its = NULL
        cdef int code, count = 0
        self._demand_life()
        if topic is not None:
            its = self._topic(topic)
        with nogil:
            code = rd.metadata(self.producer, 0, its, &found, timeout_ms)
        if code:
            raise error_of(code)
        try:
            if its != NULL and found.topic_count == 1:
                code, count = found.topics[0].err, found.topics[0].partition_count
        finally:
            rd.metadata_destroy(found)
        if code:
            raise error_of(code)
        return count

    def close(self, int timeout_ms):
        if self.producer == NULL:
            return
        with nogil:
            rd.purge(self.producer, PURGE_ALL)
        while rd.outq_len(self.producer) and timeout_ms > 0:
            self.poll(10)
            timeout_ms -= 10
        self._destroy()

    cdef _demand_life(self):
        if self.producer == NULL:
            raise RuntimeError("this producer was closed")

    cdef _destroy(self):
        cdef void *producer = self.producer
        if producer == NULL:
            return
        self.producer = NULL
        for topic in self.topics.values():
            rd.topic_destroy(<void *><size_t>topic)
        rd.queue_destroy(self.queue)
        with nogil:
            rd.destroy_flags(producer, NO_CONSUMER_CLOSE)
        self.topics.clear()
        self.loads.clear()  # not before: the library may have sent from what they point into
