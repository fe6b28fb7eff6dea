# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Verification of AS paths by what ASes say of their providers (draft-ietf-sidrops-aspa-verification).

A path is judged twice, because who collects routes does not know what the speaker is to whom: as if it had come from a
customer or a lateral peer, where it may only have gone up (upstream), and as if it had come from a provider, where it
may have gone up and then down (downstream).

Both verdicts come of one pass over the octets of an AS_PATH, from the speaker to the origin.  Each two neighbours in it
are a hop in both directions; of the way up from the origin the last refusal in this order is the first one that the
draft meets, of the way down from the speaker it is the first.  Repetitions and confederations do not count.

Attestations never change once they are made, so any thread may read them without a lock.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free, malloc

from routed.rib._codepoints cimport AS_SEQUENCE, AS_SET
from routed.rib._text cimport u32_at

cdef enum hop:                       # what an AS says of the one behind it
    PROVIDER
    NOT_PROVIDER
    NO_ATTESTATION

VERDICTS = ("valid", "invalid", "unknown")
KEYS = tuple(
    f', "aspa_upstream": "{upstream}", "aspa_downstream": "{downstream}"'.encode()
    for downstream in VERDICTS
    for upstream in VERDICTS
)


cdef class Attestations:
    """What ASes say of their providers.

    Args:
        aspas: providers by customer; AS 0 alone says that there are none.
    """

    def __cinit__(self, aspas):
        cdef uint32_t at = 0, place, bits = 1, customer, provider
        cdef uint32_t count = <uint32_t>len(aspas)
        cdef size_t providers = sum(map(len, aspas.values()))
        while 1U << bits < 2 * count:
            bits += 1
        self.view.shift = 32 - bits
        self.view.all = <attestation *>malloc((count + 1) * sizeof(attestation))
        self.view.providers = <uint32_t *>malloc((providers + 1) * sizeof(uint32_t))
        self.view.places = <uint32_t *>calloc(1U << bits, sizeof(uint32_t))
        if self.view.all == NULL or self.view.providers == NULL or self.view.places == NULL:
            raise MemoryError
        self.view.all[0].first = 0
        for customer, some in aspas.items():
            self.view.all[self.count].customer = customer
            for provider in sorted(some):
                self.view.providers[at] = provider
                at += 1
            self.count += 1
            self.view.all[self.count].first = at
            place = place_of(&self.view, customer)
            while self.view.places[place]:
                place = place + 1 & (1U << bits) - 1
            self.view.places[place] = self.count

    def __dealloc__(self):
        free(self.view.all)
        free(self.view.providers)
        free(self.view.places)

    def __len__(self):
        return self.count

    def verdicts(self, bytes as_path not None):
        """What becomes of an AS_PATH, upstream and downstream: each `valid`, `invalid` or `unknown`.

        Octets: n x (type u8, count u8, ASes u32).
        """
        cdef uint8_t found = judged(self, as_path)
        return VERDICTS[found & VERDICT_MASK], VERDICTS[found >> VERDICT_BITS]

    def keys(self, bytes as_path not None):
        """The same as keys of a record."""
        cdef uint8_t found = judged(self, as_path)
        return KEYS[(found & VERDICT_MASK) + 3 * (found >> VERDICT_BITS)]


cdef uint8_t judged(Attestations attestations, bytes as_path):
    cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(as_path)
    return verdicts_of(&attestations.view, at, at + PyBytes_GET_SIZE(as_path))


cdef inline uint32_t place_of(const attestation_view *a, uint32_t customer) noexcept nogil:
    return customer * 2654435761U >> a.shift


cdef hop hop_of(const attestation_view *a, uint32_t customer, uint32_t provider) noexcept nogil:
    """What an AS says of another one; AS 0 among its providers is nobody."""
    cdef uint32_t place = place_of(a, customer), low, high, middle
    while a.places[place] and a.all[a.places[place] - 1].customer != customer:
        place = place + 1 & (1U << (32 - a.shift)) - 1
    if not a.places[place]:
        return NO_ATTESTATION
    low, high = a.all[a.places[place] - 1].first, a.all[a.places[place]].first
    while low < high:
        middle = (low + high) >> 1
        if a.providers[middle] == provider:
            return PROVIDER if provider else NOT_PROVIDER
        if a.providers[middle] < provider:
            low = middle + 1
        else:
            high = middle
    return NOT_PROVIDER


cdef uint8_t verdicts_of(const attestation_view *a, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """The verdicts on an AS_PATH, upstream | downstream << VERDICT_BITS.

    Ramps are counted in ASes: up from the origin and down to the speaker, as far as no hop refuses (`sure`), or none
    refuses or says nothing (`proven`).
    """
    cdef uint32_t previous = 0, asn
    cdef size_t n = 0, i, up_sure = 0, up_proven = 0, down_sure = 0, down_proven = 0
    cdef bint up_refused = False
    cdef hop up, down
    cdef uint8_t upstream, downstream
    while end - at >= 2 and 4 * <size_t>at[1] <= <size_t>(end - at - 2):
        if at[0] == AS_SET:
            return PATH_INVALID | PATH_INVALID << VERDICT_BITS
        for i in range(at[1] if at[0] == AS_SEQUENCE else 0):
            asn = u32_at(at + 2 + 4 * i)
            if n and asn == previous:
                continue
            if n:
                up, down = hop_of(a, asn, previous), hop_of(a, previous, asn)
                if up == NOT_PROVIDER:
                    up_refused = True
                up_sure = 0 if up == NOT_PROVIDER else up_sure     # ASes of the ramp so far, from here to the speaker
                up_proven = 0 if up != PROVIDER else up_proven
                down_sure = n if down == NOT_PROVIDER and not down_sure else down_sure
                down_proven = n if down != PROVIDER and not down_proven else down_proven
            n += 1
            up_sure += 1
            up_proven += 1
            previous = asn
        at += 2 + 4 * <size_t>at[1]
    if not n:
        return PATH_INVALID | PATH_INVALID << VERDICT_BITS
    upstream = PATH_INVALID if up_refused else PATH_VALID if up_proven == n else PATH_UNKNOWN
    down_sure = down_sure if down_sure else n
    down_proven = down_proven if down_proven else n
    if up_sure + down_sure < n:
        downstream = PATH_INVALID
    else:
        downstream = PATH_VALID if up_proven + down_proven >= n else PATH_UNKNOWN
    return <uint8_t>(upstream | downstream << VERDICT_BITS)
