"""What runtimes.py measured, as tables in Markdown and as a plot."""

from pathlib import Path
from typing import Any


def report(found: dict[str, Any]) -> str:
    """Return the tables in Markdown."""
    machine, speeds = found["machine"], found["speed"]
    rows = {row["name"]: row["rows"] for row in speeds["rows"]}
    pipe, setfit = rows["transformers pipeline, batches of 32"], rows["SetFit predict, batches of 32"]
    lines = [
        "# Models and runtimes",
        "",
        f"`python experiments/bench/runtimes.py --texts {found['texts']} --rounds {found['rounds']}`, "
        f"commit {found['commit']}: "
        f"{machine['processor']}, {machine['threads']} threads, torch {machine['torch']}, "
        f"ONNX Runtime {machine['onnxruntime']}, load {machine['load']:.1f} at the start. "
        f"Matrix products in float32: {speeds['rate'] / 1e9:.0f} GFLOP/s.",
        "",
        *(line for refused in found["refused"] for line in (f"Left out, as its check refuses it: {refused}", "")),
        f"{found['texts']:,} texts of mixed lengths, {speeds['tokens']:,.0f} tokens, medians of {found['rounds']} "
        "interleaved rounds:",
        "",
        "| | rows a second | tokens a second | of the rate of products | by the pipeline | by SetFit |",
        "|---|---|---|---|---|---|",
    ]
    for row in speeds["rows"]:
        share = "" if row["share"] is None else f"{row['share']:.0%}"
        lines.append(
            f"| {row['name']} | {row['rows']:,.0f} | {row['tokens']:,.0f} | {share} | {row['rows'] / pipe:.2f} | "
            f"{row['rows'] / setfit:.2f} |"
        )
    lines += ["", "| one statement, a new process | seconds | peak memory, MB |", "|---|---|---|"]
    lines += [f"| {row['name']} | {row['seconds']:.1f} | {row['megabytes']:.0f} |" for row in found["start"]]
    lines += [
        "",
        "| split | runtime | macro-F1 | labels as by torch | probabilities apart by at most |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['split']} | {row['runtime']} | {row['f1']:.4f} | {row['alike']:.1%} | {row['apart']:.4f} |"
        for row in found["quality"]
    ]
    return "\n".join([*lines, *_files_and_cascade(found)]) + "\n"


def _files_and_cascade(found: dict[str, Any]) -> list[str]:
    linear = found["files"]["linear"]
    lines = [
        "",
        "| `stance predict`, Parquet | rows | seconds | rows a second | peak memory, MB |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['name']} | {row['rows']:,} | {row['seconds']:.1f} | {row['rows'] / row['seconds']:,.0f} | "
        f"{row['megabytes']:.0f} |"
        for row in found["files"]["grown"]
    ]
    lines += [
        "",
        f"TF-IDF, {linear['rows']:,} rows from Parquet to Parquet: {linear['stance']:,.0f} rows a second, "
        f"scikit-learn's own pipeline in batches of 4,096 {linear['plain']:,.0f}: "
        f"{linear['stance'] / linear['plain']:.1f} times.",
        "",
        f"Cascade, threshold {found['cascade']['threshold']:.3f} (loss of 0.005 on validation):",
        "",
        f"| split | TF-IDF | MiniLM {found['fastest']} | cascade | read by MiniLM |",
        "|---|---|---|---|---|",
    ]
    for split, row in found["cascade"]["splits"].items():
        low, high = row["interval"]
        lines.append(
            f"| {split} (n = {row['n']}) | {row['first']:.3f} | {row['second']:.3f} | {row['f1']:.3f} "
            f"[{low:.2f}, {high:.2f}] | {row['deferred']:.0%} |"
        )
    lines += [
        "",
        "By the share of the statements that MiniLM reads, on validation:",
        "",
        "| share | macro-F1 |",
        "|---|---|",
    ]
    points = found["cascade"]["splits"]["validation"]["curve"]
    for wanted in (0, 0.25, 0.5, 0.75, 1):
        _, share, score = min(points, key=lambda point: abs(point[1] - wanted))
        lines.append(f"| {share:.0%} | {score:.3f} |")
    return lines


def plot(found: dict[str, Any], path: Path) -> None:
    """Draw speed, growth and the cascade's curve."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    rows = [row for row in found["speed"]["rows"] if row["name"] != "TF-IDF"]
    left.barh([row["name"].replace(", ", ",\n", 1) for row in rows], [row["rows"] for row in rows], color="tab:blue")
    left.invert_yaxis()
    left.set(title="Texts of mixed lengths", xlabel="rows a second")
    for name in dict.fromkeys(row["name"] for row in found["files"]["grown"]):
        points = [row for row in found["files"]["grown"] if row["name"] == name]
        middle.loglog([row["rows"] for row in points], [row["seconds"] for row in points], marker="o", label=name)
    middle.set(title="stance predict, Parquet, start included", xlabel="rows", ylabel="seconds")
    middle.legend()
    for split, row in found["cascade"]["splits"].items():
        shares, scores = zip(*[(share, score) for _, share, score in row["curve"]], strict=True)
        right.plot(shares, scores, label=split)
    right.set(title="Cascade", xlabel="share read by MiniLM", ylabel="macro-F1")
    right.legend()
    for axis in (left, middle, right):
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
