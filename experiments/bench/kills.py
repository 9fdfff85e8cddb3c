"""Kill `stance predict` at random moments, resume it each time, and compare the end with a run that nobody disturbed.

Run: python experiments/bench/kills.py [--rows 200000] [--kills 20] [--model FOLDER] [--seed 0]

Each case (CSV to CSV, Parquet to Parquet, packed JSON lines to a folder of parts) is killed with SIGKILL after a time
drawn evenly from nothing to half of what the undisturbed run took, resumed, killed again and so on; then it is left to
end. The rows repeat in part, so that the cache of scores has to come back, too. The table shows how many rows stood on
the disk at each kill.
"""

import argparse
import contextlib
import csv
import gzip
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from rich.console import Console
from rich.table import Table

STATEMENTS = Path("data/annotations/statements.jsonl")


def main() -> None:
    """Disturb each case, and print what came of it; the exit status is 1 if an output differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--model", default="experiments/models/tfidf")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    shown = Table("case", "kills", "rows on the disk at each kill", "output", title=f"{options.rows:,} rows, SIGKILL")
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, options.rows, chance)
        cases = [("in.csv", "out.csv"), ("in.parquet", "out.parquet"), ("in.jsonl.gz", "parts")]
        for number, (source, output) in enumerate(cases):
            kills = options.kills // len(cases) + (number < options.kills % len(cases))
            done, same = _disturb(folder, source, output, options.model, kills, chance)
            failed = failed or not same
            rows = ", ".join(f"{rows:,}" for rows in done)
            shown.add_row(f"{source} to {output}", str(len(done)), rows, "identical" if same else "DIFFERENT")
    Console().print(shown)
    sys.exit(failed)


def _write(folder: Path, rows: int, chance: random.Random) -> None:
    texts = [json.loads(line)["text"].split() for line in STATEMENTS.read_text(encoding="utf-8").splitlines()]
    with (
        (folder / "in.csv").open("w", encoding="utf-8", newline="") as file,
        gzip.open(folder / "in.jsonl.gz", "wt", encoding="utf-8") as lines,
    ):
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        for number in range(rows):
            words = texts[number % len(texts)].copy()
            if number % 4:  # a quarter comes as it is, again and again
                chance.shuffle(words)
            writer.writerow([number, " ".join(words)])
            lines.write(json.dumps({"id": number, "text": " ".join(words)}) + "\n")
    table = pa.csv.read_csv(folder / "in.csv", parse_options=pa.csv.ParseOptions(newlines_in_values=True))
    pa.parquet.write_table(table, folder / "in.parquet", row_group_size=50_000)


def _disturb(
    folder: Path, source: str, output: str, model: str, kills: int, chance: random.Random
) -> tuple[list[int], bool]:
    """Rows on the disk at each of the kills, and whether the output is that of an undisturbed run."""
    command = [
        sys.executable,
        "-m",
        "stance",
        "predict",
        str(folder / source),
        "--model",
        model,
        "--part-rows",
        "50000",
    ]
    whole = folder / f"whole{Path(output).suffix}"
    start = time.perf_counter()
    subprocess.run([*command, "--output", str(whole)], check=True, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    command += ["--output", str(folder / output), "--resume"]
    done = []
    while len(done) < kills:
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, seconds / 2))
        if process.poll() is not None:  # it was done before it could be killed: once more from the beginning
            _remove(folder / output)
            continue
        process.send_signal(signal.SIGKILL)
        process.wait()
        done.append(_rows_done(folder / f".{output}.partial"))
    if not (folder / output).exists():
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return done, _digest(whole) == _digest(folder / output) and not list(folder.glob(".*"))


def _rows_done(partial: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return int(json.loads((partial / "state.json").read_text())["counts"].get("rows", 0))
    return 0


def _remove(output: Path) -> None:
    for path in sorted(output.iterdir()) if output.is_dir() else [output]:
        path.unlink()
    if output.is_dir():
        output.rmdir()


def _digest(output: Path) -> dict[str, str]:
    files = sorted(output.iterdir()) if output.is_dir() else [output]
    return {file.name if output.is_dir() else "": hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


if __name__ == "__main__":
    main()
