"""A run of UPDATEs, read block by block into operations.  See `_reading.pyx`."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from routed.rib._ids cimport id_hash
from routed.rib._paths cimport PathStore
from routed.rib._prefixes cimport MAX_WORDS

cdef enum:
    MAX_REFUSALS = 64            # reported in full for a run; all are counted
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
    bint out_of_memory
    bint cut                     # the run does not end with a whole UPDATE
    uint8_t reset_subcode        # of an UPDATE error that ends the session; 0: none


cdef void read_update(reader *r, PathStore paths, const uint8_t *at, const uint8_t *end) noexcept nogil
cdef size_t read_block(reader *r, PathStore paths, size_t at, size_t end) noexcept nogil
