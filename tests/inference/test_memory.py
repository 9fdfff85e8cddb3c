"""Memory does not grow with the file, measured in a process of its own on rows that need no model."""

import json
import random
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 800
ROW_BYTES = 100_000

CHILD = """
import resource, sys
from pathlib import Path
import pyarrow as pa
from stance.config import Settings
from stance.inference import Predictor, parquet, predict_file
from stance.models import Classifier

parquet._GROUP_BYTES = 2**20
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

before = resident()
peaks = []
predict_file(
    sys.argv[1], sys.argv[2], Predictor(Classifier("none", Settings(), None)), batch_rows=10,
    progress=lambda rows: peaks.append(resident()),
)
# Arrow gives back late what it frees, so its own count is taken.
print(pa.default_memory_pool().max_memory() if sys.argv[1].endswith(".parquet") else max(peaks) - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_run_needs_less_memory_than_half_the_file(tmp_path, suffix):
    generator = random.Random(0)
    rest = [generator.randbytes(ROW_BYTES // 2).hex() for _ in range(ROWS)]
    source, output = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    if suffix == ".csv":
        source.write_text("text,rest\n" + "".join(f",{value}\n" for value in rest))
    elif suffix == ".jsonl":
        source.write_text("".join(json.dumps({"text": None, "rest": value}) + "\n" for value in rest))
    else:
        table = pa.table({"text": pa.nulls(ROWS, pa.string()), "rest": rest})
        pq.write_table(table, source, row_group_size=20, compression="none", use_dictionary=False)
    assert source.stat().st_size > ROWS * ROW_BYTES
    run = subprocess.run([sys.executable, "-c", CHILD, source, output], capture_output=True, text=True)
    assert run.stderr == ""
    assert int(run.stdout) < ROWS * ROW_BYTES / 2
