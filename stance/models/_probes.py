"""A few hundred made-up statements, for an export whose data is not there: something to set scales on and to check."""

from itertools import product
from typing import Final

from stance.schema import Query

_WHO: Final = (
    "We",
    "The commander of the northern brigade says they",
    "“Our fighters,” a spokesman told reporters on Tuesday, “",
    "According to the ministry of defence, the armed groups",
    "After two weeks of talks in the capital, the movement's leaders",
    "Some residents of the border villages, who fled twice last year, believe that the militias",
    "The envoy of the United Nations, quoted by the state news agency, repeated that all parties",
    "In a statement of 3 March the front's political wing, which split from the army in 2014, announced that its units",
)
_WHAT: Final = (
    "will never hand over their weapons.",
    "are ready to disarm at once, and without conditions!",
    "met in the capital to discuss the next round of talks.",
    "must be dissolved and their arms put under the control of the state.",
    "would rather die than give up the guns that protect their families",
    "have handed in 1,200 rifles, 37 mortars and some 40,000 rounds of ammunition since April, the commission counted.",
    "keep their arms until the other side does: first the guarantees, then the weapons",
    "welcome the agreement, although nobody has told them what becomes of the heavy weapons, of the prisoners, or of "
    "the men who were promised places in the new army.",
    "refuse.",
    "cannot be asked to lay down arms while the bombing goes on; whoever asks for it wants them dead.",
    "urged the government to speed up demobilisation and to pay what it had promised to former combatants.",
    "do not comment on reports about disarmament.",
    "hope that the last gun is gone before the elections, for arms and ballots do not go together.",
    "said it again and again, in every interview: the resistance's weapons are a red line, today, tomorrow and as long "
    "as there is an occupation, whatever Washington, Paris or the council may decide.",
    "laid down their arms last week.",
    "are to register every weapon by 30 June; those who do not will be prosecuted under the law.",
    "had no choice.",
    "call disarmament a trap, yet they signed it.",
    "want peace, not surrender.",
    "think that only a disarmed country can be rebuilt, and that it cannot wait.",
    "did not say when the camps will open, how many fighters are in them, or who pays.",
    "were seen with new rifles at a checkpoint north of the river.",
    "“trust the state”, as he put it, and give their guns to it.",
    "shall be integrated into the police, provided that they pass a medical test.",
)


def probes(target: str) -> list[Query]:
    """Return 192 statements about `target`, of 2 to some 60 words."""
    return [Query(f"{who} {what}", target) for what, who in product(_WHAT, _WHO)]
