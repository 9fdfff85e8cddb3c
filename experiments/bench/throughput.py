"""How fast `stance predict` is from file to file, and that its memory does not grow with the file.

Run: make bench, or python experiments/bench/throughput.py [--rows 10000 100000 1000000] [--model FOLDER]

Each row is an annotated statement with its words shuffled, so that all texts differ and are as long as real ones.
What is measured is the whole command, start-up included: wall time, rows a second and peak resident memory.
"""

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

STATEMENTS = Path("data/annotations/statements.jsonl")


def main() -> None:
    """Measure each number of rows once, smallest first, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--model", default="experiments/models/tfidf")
    options = parser.parse_args()
    table = Table("rows", "seconds", "rows a second", "peak memory, MB", title=f"stance predict, {options.model}, CSV")
    with tempfile.TemporaryDirectory() as folder:
        for rows in sorted(options.rows):
            source = Path(folder) / f"{rows}.csv"
            _write(source, rows)
            seconds, megabytes = _measure(source, options.model)
            table.add_row(f"{rows:,}", f"{seconds:.1f}", f"{rows / seconds:,.0f}", f"{megabytes:,.0f}")
            source.unlink()
    Console().print(table)


def _write(path: Path, rows: int) -> None:
    texts = [json.loads(line)["text"].split() for line in STATEMENTS.read_text(encoding="utf-8").splitlines()]
    shuffle = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        for number in range(rows):
            words = texts[number % len(texts)].copy()
            shuffle.shuffle(words)
            writer.writerow([number, " ".join(words)])


def _measure(source: Path, model: str) -> tuple[float, float]:
    """Seconds and peak megabytes of one call; the peak is that of the largest call so far, hence smallest first."""
    command = [sys.executable, "-m", "stance", "predict", str(source), "--output", f"{source}.csv", "--model", model]
    start = time.perf_counter()
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


if __name__ == "__main__":
    main()
