"""Arrow files and streams, as the library of a data hub keeps its tables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa

# First bytes of a stream and of a file.
SIGNATURES = (b"\xff\xff\xff\xff", b"ARROW1")
# Last bytes of a stream.
_END = b"\xff\xff\xff\xff\0\0\0\0"


class ArrowFile:
    """An Arrow file or stream, with the part of `pyarrow.parquet.ParquetFile` that is read.

    Raises pyarrow's exceptions if the content is damaged.
    """

    def __init__(self, file: BinaryIO) -> None:
        import pyarrow as pa

        self._is_file = file.read(6) == SIGNATURES[1]
        file.seek(0)
        if not self._is_file:
            # pyarrow takes a file that was cut between two batches for a whole one.
            file.seek(-len(_END), os.SEEK_END)
            if file.read() != _END:
                msg = "truncated: no end marker"
                raise pa.ArrowInvalid(msg)
            file.seek(0)
        source = pa.PythonFile(file, "r")
        open_ = pa.ipc.open_file if self._is_file else pa.ipc.open_stream
        self._reader = open_(source)
        self.schema_arrow: pa.Schema = self._reader.schema
        # The number of rows is not known before they are read.
        self.metadata = SimpleNamespace(num_rows=0, num_row_groups=0)

    def iter_batches(
        self,
        batch_size: int,
        columns: Sequence[str],
        use_threads: bool = False,
    ) -> Iterator[pa.RecordBatch]:
        """Yield rows of some columns, at most `batch_size` at a time."""
        for batch in self._batches():
            # Offsets out of the data would be read.
            batch.validate(full=True)
            chosen = batch.select(list(columns))
            for start in range(0, len(chosen), batch_size):
                yield chosen.slice(start, batch_size)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if self._is_file:
            return (self._reader.get_batch(i) for i in range(self._reader.num_record_batches))
        return iter(self._reader)
