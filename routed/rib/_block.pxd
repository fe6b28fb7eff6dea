"""One block of a run of UPDATEs: what is read of it, and the room for that, which grows and is used again."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from routed.octets._growth cimport widened
from routed.rib._ids cimport id_hash
from routed.rib._prefixes cimport MAX_WORDS

cdef enum:
    MAX_REFUSALS = 64            # reported in full for a run; all are counted
    MAX_OTHER_FAMILIES = 8       # of a run that are named
    SHORTEST_UPDATE = 23         # octets of an UPDATE without anything
    BLOCK_OPERATIONS = 512
    BLOCK_SCRATCH = 131072

cdef enum:                       # what an operation does
    WITHDRAW = 0
    ANNOUNCE = 1
    END_OF_RIB = 2

ctypedef struct operation:
    uint64_t hash
    uint32_t words[MAX_WORDS]
    uint32_t path_identifier     # of END_OF_RIB: AFI << 8 | SAFI
    uint32_t set                 # attribute set, as an index into the block's list
    uint32_t labels              # where the label stack stands in the run
    uint8_t length
    uint8_t family
    uint8_t kind
    uint8_t label_count

ctypedef struct attribute_set:   # of one UPDATE; two when MP_REACH_NLRI stands beside classic NLRI
    uint64_t hash
    size_t at                    # in the scratch
    uint32_t path                # once interned

ctypedef struct refusal:
    uint32_t offset              # from the start of the run
    uint8_t code
    uint8_t verdict
    uint8_t reason

ctypedef struct reader:          # one block
    const uint8_t *run
    uint64_t seed
    id_hash **prefix_ids
    unsigned int add_path
    bint as4, external
    bint monitored               # the UPDATEs are what a router shows (BMP): attributes may be missing
    operation *operations
    size_t operation_count, operation_room
    attribute_set *sets
    size_t set_count, set_room
    uint8_t *scratch
    size_t scratch_used, scratch_room
    refusal refusals[MAX_REFUSALS]
    unsigned int refusal_count
    uint32_t refused[3 * 256]    # UPDATEs by (verdict - 1, attribute code)
    bint any_refused
    uint32_t passed_over         # UPDATEs with routes of families that are not stored
    uint32_t other_families[MAX_OTHER_FAMILIES]      # AFI << 8 | SAFI
    unsigned int other_family_count
    bint out_of_memory
    bint cut                     # the run does not end with a whole UPDATE
    uint8_t reset_subcode        # of an UPDATE error that ends the session; 0: none

ctypedef struct field:           # part of a message
    const uint8_t *at
    const uint8_t *end


cdef inline size_t octets_in(const field *f) noexcept nogil:
    return f.end - f.at


cdef inline int make_room(reader *r, size_t octets) noexcept nogil:
    """Have room for so many octets more in the scratch; 0, or -1 without memory."""
    cdef uint8_t *wider
    if r.scratch_room - r.scratch_used >= octets:
        return 0
    wider = <uint8_t *>realloc(r.scratch, r.scratch_used + octets + BLOCK_SCRATCH)
    if wider == NULL:
        r.out_of_memory = True
        return -1
    r.scratch = wider
    r.scratch_room = r.scratch_used + octets + BLOCK_SCRATCH
    return 0


cdef inline attribute_set *next_set(reader *r) noexcept nogil:
    """The place of one more attribute set, which counts once `set_count` says so; NULL without memory."""
    cdef void *wider
    if r.set_count == r.set_room:
        wider = widened(r.sets, &r.set_room, 256, sizeof(attribute_set))
        if wider == NULL:
            r.out_of_memory = True
            return NULL
        r.sets = <attribute_set *>wider
    return &r.sets[r.set_count]


cdef inline operation *add_operation(reader *r) noexcept nogil:
    """One more operation, to be filled in; NULL without memory."""
    cdef void *wider
    if r.operation_count == r.operation_room:
        wider = widened(r.operations, &r.operation_room, 1024, sizeof(operation))
        if wider == NULL:
            r.out_of_memory = True
            return NULL
        r.operations = <operation *>wider
    r.operation_count += 1
    return &r.operations[r.operation_count - 1]
