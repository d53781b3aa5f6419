"""What Python has in memory, for tests of what must not grow."""

import gc
import tracemalloc

TABLE_BYTES = 500_000  # one block as large as that is the interpreter's table of names, which doubles now and then


def live_bytes() -> int:
    """What was allocated since `tracemalloc.start()` and is in use."""
    gc.collect()
    sizes = (trace.size for trace in tracemalloc.take_snapshot().traces)
    return sum(size for size in sizes if size < TABLE_BYTES)
