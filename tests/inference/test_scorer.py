"""What is asked, what is kept, and how the answers are counted."""

import pytest

from stance.errors import ConfigError
from stance.inference import Predictor, cache, predict_file
from stance.inference.cache import Cache, Mark, digest
from stance.inference.language import LEAST_LETTERS, language_of
from stance.inference.rows import Broken
from stance.inference.scorer import Counts, Scorer

ANTI = "We will never hand over our guns."
PRO = "They must lay down their weapons."
GERMAN = (
    "Die Miliz hat am Dienstag erklärt, dass sie ihre Waffen unter keinen Umständen abgeben werde, solange die "
    "Regierung ihre Gefangenen nicht freilasse und die Truppen nicht aus dem Norden abziehe."
)


class Asked(Predictor):
    """A predictor that notes what it is asked."""

    def __init__(self, predictor):
        super().__init__(predictor.classifier, predictor.target)
        self.texts = []

    def predict(self, texts):
        self.texts += texts
        return super().predict(texts)


def scorer(predictor, languages=False, least=None):
    return Scorer(predictor, Cache(), languages, least)


def test_a_text_is_scored_once_in_a_run_and_answered_each_time(predictor):
    asked = Asked(predictor)
    one = scorer(asked)
    first = one.score([ANTI, PRO, ANTI, None, Broken("not a string"), " "])
    second = one.score([PRO, ANTI])
    assert asked.texts == [ANTI, PRO, " "]
    assert [answer and answer.label for answer in first] == ["anti", "pro", "anti", None, None, None]
    assert second == [first[1], first[0]]
    counts = one.counts
    assert (counts.rows, counts.scored, counts.repeated) == (8, 5, 3)
    assert counts.missing == {"missing": 1, "not a string": 1, "blank": 1}


def test_a_text_that_is_not_met_for_long_is_forgotten_and_others_are_not(predictor, monkeypatch):
    monkeypatch.setattr(cache, "GENERATION", 3)
    asked = Asked(predictor)
    one = scorer(asked)
    for number in range(12):
        one.score([ANTI, f"{PRO} {number}"])
    one.score([f"{PRO} 0", f"{PRO} 11"])
    assert asked.texts.count(ANTI) == 1
    assert asked.texts[-1] == f"{PRO} 0"
    assert len(asked.texts) == 14


def test_the_answers_are_those_of_the_predictor(predictor):
    texts = [ANTI, PRO, f"{ANTI} {PRO}"]
    one = scorer(predictor)
    for _ in range(2):
        for answer, prediction in zip(one.score(texts), predictor.predict(texts), strict=True):
            assert (answer.label, answer.probabilities) == (prediction.label, prediction.probabilities)


def test_a_label_below_the_confidence_becomes_abstain_and_is_counted(predictor):
    (prediction,) = predictor.predict([ANTI])
    largest = max(prediction.probabilities)
    for least, label, counts in ((largest, "anti", (1, 0)), (largest + 1e-9, "abstain", (0, 1))):
        one = scorer(predictor, least=least)
        (answer,) = one.score([ANTI])
        assert (answer.label, answer.probabilities) == (label, prediction.probabilities)
        assert (one.counts.labels["anti"], one.counts.abstained) == counts
        assert one.counts.scored == 1


@pytest.mark.parametrize("least", [0.0, 1 / 3, 1.01, float("nan")])
def test_a_confidence_that_decides_nothing_is_refused(predictor, least):
    with pytest.raises(ConfigError) as caught:
        predict_file("in.csv", "out.csv", predictor, min_confidence=least)
    assert str(caught.value) == (
        f"--min-confidence: expected a probability above 1/3, up to 1, got {least:g}. "
        "The largest of 3 probabilities is never below 0.33: change it."
    )


def test_counts_survive_being_written():
    counts = Counts(rows=3, scored=2, cut=1)
    counts.labels["pro"] += 2
    counts.missing["blank"] += 1
    assert Counts.read(counts.as_dict()).as_dict() == counts.as_dict()


def test_the_language_is_a_column_on_request_and_others_are_counted(rewritten, fields):
    table = f'text\n{ANTI}\n"{GERMAN}"\nHola\n""\n'
    output, summary = rewritten(".csv", table.encode(), language="en")
    assert output.decode() == (
        "text,label,p_anti,p_neutral,p_pro,language\n"
        f'{ANTI},{fields(ANTI)},\n"{GERMAN}",{fields(GERMAN)},de\nHola,{fields("Hola")},\n"",,,,,\n'
    )
    assert summary.languages == {"de": 1}


def test_the_language_in_json_lines_is_a_string_or_null(rewritten, members):
    text = f"What they have said is that {ANTI}"
    lines = f'{{"text": "{text}"}}\n{{"text": "Hola"}}\n{{"text": null}}\n'
    output, _ = rewritten(".jsonl", lines.encode(), language="en")
    assert output.decode() == (
        f'{{"text": "{text}", {members(text)}, "language": "en"}}\n'
        f'{{"text": "Hola", {members("Hola")}, "language": null}}\n'
        '{"text": null, "label": null, "p_anti": null, "p_neutral": null, "p_pro": null, "language": null}\n'
    )


@pytest.mark.parametrize(
    "text, code",
    [
        ("They said that the men would not disarm.", "en"),
        ("THEY SAID THAT THE MEN WOULD NOT DISARM.", "en"),
        (GERMAN, "de"),
        (f"{GERMAN} «They would not disarm, they said, and that is that.» {GERMAN} {GERMAN} {GERMAN}", "de"),
        (GERMAN[: LEAST_LETTERS - 20], None),
        ("Militia commander Abdullah al-Rashid: disarmament unthinkable! " * 3, "en"),
        ("مسلح گروہ اپنے ہتھیار نہیں ڈالیں گے جب تک حکومت ان کے قیدیوں کو رہا نہیں کرتی۔ " * 3, "ur"),
        ("", None),
    ],
)
def test_the_language_is_told_by_common_words_or_else_from_enough_letters(text, code):
    assert language_of(text) == code


def test_a_cache_on_the_disk_comes_back_to_any_mark(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "GENERATION", 4)
    keys = [digest(str(number)) for number in range(11)]

    def known(one):
        return {key: scores for key in keys if (scores := one._newer.get(key) or one._older.get(key))}

    one = Cache()
    one.attach(tmp_path, Mark())
    marks = {}
    for number, key in enumerate(keys):
        one.put(key, (number / 16, 0.5, 0.5 - number / 16), "en" if number % 2 else None)
        if number >= 6:
            marks[one.save()] = known(one)
    assert list(marks) == [Mark(1, 3), Mark(1, 4), Mark(2, 1), Mark(2, 2), Mark(2, 3)]
    for mark, expected in reversed(marks.items()):
        again = Cache()
        again.attach(tmp_path, mark)
        assert known(again) == expected
        assert again.get(keys[6]) == ((6 / 16, 0.5, 2 / 16), None)
        again.close()
    first = next(iter(marks))
    again.attach(tmp_path, first)  # what was written after this mark must not come back in the place of what follows
    again.put(digest("new"), (0.2, 0.3, 0.5), None)
    last = Cache()
    last.attach(tmp_path, again.save())
    assert last.get(digest("new")) == ((0.2, 0.3, 0.5), None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache-000000", "cache-000001", "cache-000002"]


def test_files_of_the_cache_that_no_mark_needs_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "GENERATION", 2)
    one = Cache()
    one.attach(tmp_path, Mark())
    for number in range(9):
        one.put(digest(str(number)), (0.2, 0.3, 0.5), None)
    one.save()
    one.prune()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache-000003", "cache-000004"]
