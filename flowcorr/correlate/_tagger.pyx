# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What rules of a map of tags give to the flows that they match, one after the other."""

from flowcorr.columns._batch cimport Batch, row_of
from flowcorr.columns._texts cimport Texts, hold_text, release_text
from flowcorr.correlate._match cimport Rules
from flowcorr.correlate._rule_index cimport grown
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

cdef enum:
    SUM = 1
    OR = 2


cdef class Actions:
    def __cinit__(self, gives not None):
        cdef action_t *a
        cdef size_t room = 0
        self.labels = {b"": 0}
        for tag, tag2, label, tos in gives:
            if self.count == room:
                room = 2 * room + 16
                self.items = <action_t *>grown(self.items, room * sizeof(action_t))
            a = &self.items[self.count]
            memset(a, 0, sizeof(action_t))
            take_tag(&a.tag, tag)
            take_tag(&a.tag2, tag2)
            a.label, a.tos = self.labels.setdefault(label, len(self.labels)), tos
            self.count += 1

    def __dealloc__(self):
        free(self.items)

    def __len__(self):
        return self.count


cdef class Tagger:
    def __cinit__(self, Rules rules not None, Texts texts not None, Actions actions not None):
        self.rules, self.texts, self.joined = rules, texts, {}
        layout = rules.layout
        self.tag_at, self.tag2_at = layout.offset("tag"), layout.offset("tag2")
        self.label_at, self.tos_at = layout.offset("label"), layout.offset("tos")
        if actions.count != rules.count:
            raise ValueError("as many actions as rules")
        self.actions = actions
        self.labels = <uint32_t *>calloc(len(actions.labels), sizeof(uint32_t))
        if self.labels == NULL:
            raise MemoryError
        for label, number in actions.labels.items():
            self.labels[<uint32_t>number] = texts.id_of(label)
            hold_text(texts, self.labels[<uint32_t>number])
            self.label_count += 1

    def __dealloc__(self):
        free(self.labels)

    def close(self):
        cdef uint32_t i
        for i in range(self.label_count):
            release_text(self.texts, self.labels[i])
        self.label_count = 0
        for text in self.joined.values():
            release_text(self.texts, text)
        self.joined.clear()

    def __call__(self, Batch batch not None):
        cdef size_t i
        cdef uint32_t rule, at, label
        cdef uint64_t tag, tag2
        cdef uint8_t *row
        cdef action_t *a
        self.rules.begin(batch)
        for i in range(batch.count):
            row = row_of(batch, i)
            at = label = 0
            tag = tag2 = 0
            while True:
                rule = self.rules.next_match(row, at)
                if rule == self.rules.count:
                    break
                a = &self.actions.items[rule]
                tag, tag2 = tagged(&a.tag, tag), tagged(&a.tag2, tag2)
                label = self.labelled(label, self.labels[a.label])
                if a.tos >= 0 and self.tos_at >= 0:
                    row[self.tos_at] = <uint8_t>a.tos
                    self.rules.framed = NULL
                if not self.rules.rules[rule].resume:
                    break
                at = self.rules.rules[rule].resume - 1
            if tag and self.tag_at >= 0:
                memcpy(row + self.tag_at, &tag, 8)
            if tag2 and self.tag2_at >= 0:
                memcpy(row + self.tag2_at, &tag2, 8)
            if label and self.label_at >= 0:
                memcpy(row + self.label_at, &label, 4)

    cdef uint32_t labelled(self, uint32_t before, uint32_t label) except? 0xFFFFFFFF:
        """The label so far and that of one more rule, joined by a comma."""
        if not before or not label:
            return before or label
        text = self.joined.get((before, label))
        if text is None:
            text = self.texts.id_of(self.texts.octets_of(before) + b"," + self.texts.octets_of(label))
            hold_text(self.texts, text)
            self.joined[before, label] = text
        return text


cdef take_tag(tag_t *to, tag):
    if tag is not None:
        to.is_set = True
        to.value, to.counts, to.stack = tag


cdef uint64_t tagged(tag_t *action, uint64_t before) noexcept nogil:
    """The tag after a match, from the one before it; a tag that counts on takes the next number."""
    cdef uint64_t value = action.value
    if not action.is_set:
        return before
    if action.counts:
        action.value += 1
    if action.stack == SUM:
        return before + value
    return before | value if action.stack == OR else value
