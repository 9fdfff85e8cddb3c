"""Names become role words, and role words say nothing more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.dataset.masking import mask_speaker
from stance.schema import ACTOR_TYPES, Annotation, Vote


def masked(text: str, speaker: str | None = None, affiliation: str | None = None, actor_type: str | None = None) -> str:
    votes = (Vote("a", "pro"),)
    return mask_speaker(
        Annotation("1", text, votes, "a:1", speaker=speaker, affiliation=affiliation, actor_type=actor_type)
    )


@pytest.mark.parametrize(
    ("text", "speaker", "result"),
    [
        ("Jane Doe said no.", "Jane Doe", "the speaker said no."),
        ("Jane Doe met Doe.", "Jane Doe", "the speaker met Doe."),
        ("Smith's aide met Smithson.", "Jane Smith", "the speaker's aide met Smithson."),
        ("Burhan's men; Burhanist clubs.", "Abdel Fattah al-Burhan", "the speaker's men; Burhanist clubs."),
        ("Abu Ali al-Askari and Askari.", "Abu Ali al-Askari", "the speaker and the speaker."),
        ("He met al-Askari.", "Abu Ali al-Askari", "He met the speaker."),
        ("Al-Askari refused.", "Abu Ali al-Askari", "the speaker refused."),
        ("Kim said Kim Il went.", "Kim Il", "Kim said the speaker went."),
        ("The KLA speaks.", "The KLA", "the speaker speaks."),
        ("A speaker stood up.", "speaker", "A speaker stood up."),
        ("Nothing to hide (X).", "", "Nothing to hide (X)."),
        ("Nothing to hide (X).", "   ", "Nothing to hide (X)."),
    ],
)
def test_a_speakers_name_becomes_a_role_word(text: str, speaker: str, result: str) -> None:
    assert masked(text, speaker) == result


@pytest.mark.parametrize(
    ("text", "affiliation", "result"),
    [
        ("The Sudanese Armed Forces agreed.", "Sudanese Armed Forces", "the organisation agreed."),
        ("The SAF agreed with SAFE.", "Sudanese Armed Forces", "the organisation agreed with SAFE."),
        ("The UN and the UNO.", "United Nations", "The UN and the UNO."),
        ("Forces moved.", "Sudanese Armed Forces", "Forces moved."),
        ("The Lord's Army (LA).", "Lord's Army", "the organisation (LA)."),
        ("C++ (X) army.", "C++ (X)", "the organisation army."),
        ("the local council met.", "local council", "the local council met."),
    ],
)
def test_an_affiliation_and_its_acronym_become_a_role_word(text: str, affiliation: str, result: str) -> None:
    assert masked(text, affiliation=affiliation) == result


def test_a_group_that_speaks_for_itself_is_masked_as_one() -> None:
    text = "Kataib Hezbollah will not disarm."
    assert masked(text, "Kataib Hezbollah", "Kataib Hezbollah") == "the organisation will not disarm."


def test_role_words_do_not_depend_on_the_type_of_actor() -> None:
    texts = {masked("Jane Doe of the UN Mission spoke.", "Jane Doe", "UN Mission", actor) for actor in ACTOR_TYPES}
    assert texts == {"the speaker of the organisation spoke."}


@given(st.text(alphabet="abc d.,’é-", max_size=40))
def test_a_text_without_the_names_is_not_changed(text: str) -> None:
    assert masked(text, "Jane Doe-Smith", "Sudanese Armed Forces") == text
