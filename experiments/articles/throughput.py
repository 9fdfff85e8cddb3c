"""How many articles a second, in how much memory, and what of it the parser costs.

    python experiments/articles/throughput.py --articles 2000 --jobs 2
    python experiments/articles/throughput.py --articles 200 --profile

Articles are the annotated ones over and over, each with words of its own at the end, so that a cache that grows with
new words would show. CPU seconds are those of all processes: where others use the machine they tell more
than the clock.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from stance.articles import Article, extract_all, only_articles, read
from stance.articles.parsing import parser, prepared
from stance.articles.quotemarks import marked, paragraphs

ROOT = Path(__file__).resolve().parents[2]


def articles(n: int) -> Iterator[Article]:
    """Yield `n` articles of some 270 words."""
    base = list(only_articles(read([str(ROOT / "data/articles")]), lambda one: None))
    for i in range(n):
        yield Article(str(i), f"{base[i % len(base)].text}\nMinister Aba{i}son said that street xy{i} was closed.")


def cpu() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in both)


def memory() -> str:
    """The most memory that this process and the largest of its children have held."""
    own, child = (resource.getrusage(who).ru_maxrss // 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return f"{own} MB here, {child} MB in the largest worker"


def profile(n: int) -> None:
    """Print the CPU seconds of each step over `n` articles."""
    taken, nlp = list(articles(n)), parser()
    start = cpu()
    layouts = [(within := paragraphs(a.text), marked(a.text, within)) for a in taken]
    marks = cpu()
    docs = [prepared(nlp, a.text, *layout) for a, layout in zip(taken, layouts, strict=True)]
    tokens = cpu()
    for _ in nlp.pipe(docs, batch_size=32):
        pass
    parsed = cpu()
    for _ in extract_all(taken):
        pass
    everything = cpu() - parsed
    steps = {"marks": marks - start, "tokens": tokens - marks, "tagger and parser": parsed - tokens}
    steps["rules and names"] = everything - sum(steps.values())
    for name, seconds in steps.items():
        print(f"{name:<18} {1000 * seconds / n:6.2f} ms an article  {seconds / everything:6.1%}")
    print(f"{'together':<18} {1000 * everything / n:6.2f} ms an article, {n / everything:.0f} a CPU second")


def main() -> None:
    """Read the options, run, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--articles", type=int, default=500)
    options.add_argument("--jobs", type=int, default=1)
    options.add_argument("--profile", action="store_true")
    chosen = options.parse_args()
    if chosen.profile:
        profile(chosen.articles)
        return
    used, started = cpu(), time.perf_counter()
    quotes = 0
    for done, (_, found) in enumerate(extract_all(articles(chosen.articles), jobs=chosen.jobs), start=1):
        quotes += len(found)
        if done % 1000 == 0:
            print(f"{done:,} articles, {memory()}")
    seconds, busy = time.perf_counter() - started, cpu() - used
    print(f"{chosen.articles / seconds:.1f} articles a second by the clock, {chosen.articles / busy:.1f} a CPU second;")
    print(f"{quotes:,} quotes; {memory()}")


if __name__ == "__main__":
    main()
