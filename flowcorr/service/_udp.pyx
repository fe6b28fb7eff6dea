# cython: language_level=3, boundscheck=False, wraparound=False
"""Datagrams from a socket, many with one call to the system (recvmmsg, Linux).

The buffers are as long as a datagram can be, so none is cut; the system gives memory only to what of them was ever
filled.  With them comes the number of datagrams that the system dropped because nobody fetched them in time.
"""

from flowcorr.collect._datagrams cimport Datagrams, datagram
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset
from routed.octets._cursor cimport load16

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <netinet/in.h>
    #include <sys/socket.h>
    #include <time.h>
    #ifndef SO_RXQ_OVFL
    #define SO_RXQ_OVFL 40
    #endif

    /* Datagrams that the socket has dropped so far, as the last message tells; -1 when it does not. */
    static long long flowcorr_dropped(struct msghdr *header) {
        struct cmsghdr *part;
        unsigned int count;
        for (part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part))
            if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_RXQ_OVFL) {
                __builtin_memcpy(&count, CMSG_DATA(part), sizeof count);
                return count;
            }
        return -1;
    }
    """
    ctypedef unsigned int socklen_t
    ctypedef unsigned short sa_family_t
    cdef struct iovec:
        void *iov_base
        size_t iov_len
    cdef struct msghdr:
        void *msg_name
        socklen_t msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags
    cdef struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    cdef struct sockaddr_storage:
        sa_family_t ss_family
    cdef struct timespec:
        long tv_sec
        long tv_nsec
    int AF_INET
    int AF_INET6
    int MSG_DONTWAIT
    int CLOCK_REALTIME
    int recvmmsg(int fd, mmsghdr *messages, unsigned int count, int flags, timespec *timeout) nogil
    int clock_gettime(int clock, timespec *now) nogil
    long long flowcorr_dropped(msghdr *header) nogil

cdef enum:
    LONGEST = 65535
    # an odd distance, so that the starts of the buffers do not share a few cache sets
    BUFFER = 65535 + 2113
    CONTROL = 64
    ADDRESS_IPV4_AT = 4              # in struct sockaddr_in
    ADDRESS_IPV6_AT = 8              # in struct sockaddr_in6
    PORT_AT = 2


cdef class Receiver:
    cdef size_t count
    cdef uint8_t *buffers
    cdef mmsghdr *messages
    cdef iovec *parts
    cdef sockaddr_storage *names
    cdef uint8_t *controls
    cdef readonly Datagrams datagrams
    cdef uint32_t drops_seen
    cdef readonly uint64_t dropped

    def __cinit__(self, size_t count=256):
        cdef size_t i
        self.count = count
        self.datagrams = Datagrams(count)
        self.buffers = <uint8_t *>malloc(count * BUFFER)
        self.messages = <mmsghdr *>calloc(count, sizeof(mmsghdr))
        self.parts = <iovec *>calloc(count, sizeof(iovec))
        self.names = <sockaddr_storage *>calloc(count, sizeof(sockaddr_storage))
        self.controls = <uint8_t *>calloc(count, CONTROL)
        if (self.buffers == NULL or self.messages == NULL or self.parts == NULL or self.names == NULL
                or self.controls == NULL):
            raise MemoryError
        for i in range(count):
            self.parts[i].iov_base, self.parts[i].iov_len = self.buffers + i * BUFFER, LONGEST
            self.messages[i].msg_hdr.msg_name = &self.names[i]
            self.messages[i].msg_hdr.msg_iov, self.messages[i].msg_hdr.msg_iovlen = &self.parts[i], 1
            self.messages[i].msg_hdr.msg_control = self.controls + i * CONTROL
            self.make_ready(i)

    def __dealloc__(self):
        free(self.buffers)
        free(self.messages)
        free(self.parts)
        free(self.names)
        free(self.controls)

    def receive(self, int fd):
        cdef size_t i
        cdef int received
        cdef timespec now
        cdef int64_t arrival
        cdef long long drops
        self.datagrams.clear()
        with nogil:
            received = recvmmsg(fd, self.messages, <unsigned int>self.count, MSG_DONTWAIT, NULL)
        if received < 0:
            if errno == EAGAIN or errno == EINTR:
                return 0
            raise OSError(errno, "recvmmsg")
        clock_gettime(CLOCK_REALTIME, &now)
        arrival = <int64_t>now.tv_sec * 1000000 + now.tv_nsec // 1000
        self.datagrams.count = received
        for i in range(<size_t>received):
            self.describe(i, arrival)
        if received:
            drops = flowcorr_dropped(&self.messages[received - 1].msg_hdr)
            if drops >= 0:
                self.dropped += <uint32_t>(<uint32_t>drops - self.drops_seen)
                self.drops_seen = <uint32_t>drops
        for i in range(<size_t>received):
            self.make_ready(i)
        return received

    cdef void make_ready(self, size_t i) noexcept nogil:
        """Say how much room there is for what comes beside a datagram; the system wrote there what it took."""
        self.messages[i].msg_hdr.msg_namelen = sizeof(sockaddr_storage)
        self.messages[i].msg_hdr.msg_controllen = CONTROL

    cdef void describe(self, size_t i, int64_t arrival) noexcept nogil:
        cdef datagram *d = &self.datagrams.items[i]
        cdef const uint8_t *name = <const uint8_t *>&self.names[i]
        d.octets, d.length = self.buffers + i * BUFFER, self.messages[i].msg_len
        d.arrival = d.captured = arrival
        d.is_parked = False
        d.port = load16(name + PORT_AT)
        if self.names[i].ss_family == AF_INET:
            memset(d.address, 0, 10)
            d.address[10] = d.address[11] = 0xFF
            memcpy(d.address + 12, name + ADDRESS_IPV4_AT, 4)
        elif self.names[i].ss_family == AF_INET6:
            memcpy(d.address, name + ADDRESS_IPV6_AT, 16)
        else:
            memset(d.address, 0, 16)
