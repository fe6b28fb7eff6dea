from routed.plumbing.queue import MAX_BATCH_BUFFERS, MAX_BATCH_OCTETS, BufferQueue


def test_the_queue_knows_its_octets_and_rows() -> None:
    queue = BufferQueue()
    queue.put(b"a\nb\n", 2)
    queue.put(b"c\n", 1)
    assert (queue.octets, queue.rows, bool(queue)) == (6, 3, True)
    assert queue.discard(1) == 2
    assert (queue.octets, queue.rows) == (2, 1)
    assert queue.clear() == 1
    assert (queue.octets, queue.rows, bool(queue)) == (0, 0, False)


def test_a_batch_ends_at_a_mark_and_stays_queued() -> None:
    queue = BufferQueue()
    queue.put(b"old\n", 1)
    queue.mark()
    queue.put(b"new\n", 1)
    assert [buffer.octets for buffer in queue.batch()] == [b"old\n"]
    assert not queue.take_mark()
    queue.discard(1)
    assert queue.batch() == []
    assert queue.take_mark()
    assert [buffer.octets for buffer in queue.batch()] == [b"new\n"]


def test_a_batch_is_bounded_in_buffers() -> None:
    queue = BufferQueue()
    for _ in range(MAX_BATCH_BUFFERS + 1):
        queue.put(b"\n", 1)
    assert len(queue.batch()) == MAX_BATCH_BUFFERS


def test_a_batch_is_bounded_in_octets_but_never_empty() -> None:
    queue = BufferQueue()
    large = bytes(MAX_BATCH_OCTETS + 1)
    queue.put(large, 1)
    queue.put(large, 1)
    assert len(queue.batch()) == 1
