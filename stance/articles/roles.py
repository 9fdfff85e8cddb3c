"""Titles, roles and words for bodies: how news calls those who speak."""

from collections.abc import Sequence
from typing import Final

from stance.articles.wordlists import words

TITLES: Final = words(
    "mr mrs ms miss mx sir dame lord lady dr prof professor doctor president vice prime premier minister "
    "chancellor secretary sen senator rep representative congressman congresswoman gov governor mayor judge "
    "justice attorney general gen colonel col major maj captain capt lieutenant lt sergeant sgt commander "
    "comandante admiral adm brigadier marshal chief chairman chairwoman chairperson chair leader majority "
    "minority speaker deputy ambassador envoy special commissioner inspector superintendent director "
    "executive archbishop bishop cardinal father sister brother reverend rev rabbi imam sheikh ayatollah "
    "sayyid pope king queen prince princess emir sultan spokesman spokeswoman spokesperson foreign defence "
    "defense interior finance justice health transport trade former acting state assistant under senate house "
    "us u.s. national security adviser advisor officer"
)
"""Words, capitalised in print, that stand before a name without being a part of it."""

_CAPITALISED: Final = words(
    "chairman chairwoman chairperson president minister secretary director spokesman spokeswoman spokesperson leader "
    "envoy ambassador commissioner governor senator speaker chancellor mayor"
)
"""Titles that close what stands before a name, however long it is."""
_LONGEST_NAME: Final = 4
"""Words of a name behind such a title."""

MODIFIERS: Final = words(
    "foreign defence defense interior finance justice health transport trade former acting state assistant "
    "under senate house us u.s. national security special prime vice majority minority attorney"
)
"""Titles that are none without another one behind them."""

ROLES: Final = words(
    "spokesman spokeswoman spokesperson minister president premier chancellor secretary senator "
    "representative congressman congresswoman governor mayor judge justice attorney lawyer general colonel "
    "major captain commander admiral chief chairman chairwoman chairperson chair leader head speaker deputy "
    "ambassador envoy commissioner director archbishop bishop cardinal priest pastor rabbi imam sheikh king "
    "queen prince official officer aide adviser advisor analyst economist strategist scientist professor "
    "lecturer researcher author doctor physician nurse engineer teacher principal farmer shepherd resident "
    "villager activist founder co-founder owner manager executive negotiator mediator diplomat inspector "
    "lawmaker legislator candidate nominee politician councillor councilman councilwoman counterpart "
    "successor predecessor veteran fighter rebel boss clerk driver worker student father mother son daughter "
    "brother sister wife husband widow member partner prosecutor historian expert scholar fellow columnist "
    "editor journalist reporter writer pollster organizer organiser coordinator manager consultant operative "
    "treasurer republican democrat conservative liberal prisoner commentator trader investor banker broker "
    "vice-president ceo man woman boy girl voter supporter critic opponent rival prelate cleric warlord "
    "strongman chieftain"
)
"""Nouns for one person, in small letters."""

BODIES: Final = words(
    "group movement organisation organization party militia brigade faction front union company firm bank "
    "agency ministry department government cabinet administration council committee commission court army "
    "police force forces association alliance coalition federation league network team board panel mission "
    "delegation campaign club trust university college hospital institute centre center foundation charity "
    "regulator watchdog authority manufacturer gang units unit column army rebels it parliament senate "
    "congress assembly"
)
"""Nouns for one body of people."""

GENERIC: Final = words(
    "group movement organisation organization party militia faction company firm agency rebels they it body "
    "insurgents guerrillas outfit corporation business retailer bank"
)
"""Words for a body that was named before in whatever way."""

ORGANISATION_WORDS: Final = BODIES - {"it"} | words(
    "brigades parties ministries office house treasury pentagon kremlin inc corp ltd llc plc co foods bank "
    "times post journal tribune news radio television states nations kingdom republic union watch "
    "international society states school schools church synod republicans democrats partners capital group "
    "corporation press bureau service services department framework initiative bloc forces command ltd. inc."
)

MALE: Final = frozenset({"m"})
FEMALE: Final = frozenset({"f"})
HONORIFICS: Final = {
    "mr": MALE, "mr.": MALE, "sir": MALE, "lord": MALE, "king": MALE, "father": MALE, "congressman": MALE,
    "spokesman": MALE, "chairman": MALE, "mrs": FEMALE, "mrs.": FEMALE, "ms": FEMALE, "ms.": FEMALE, "miss": FEMALE,
    "dame": FEMALE, "lady": FEMALE, "queen": FEMALE, "sister": FEMALE, "congresswoman": FEMALE,
    "spokeswoman": FEMALE, "chairwoman": FEMALE, "councilwoman": FEMALE,
}  # fmt: skip
"""Titles that tell "he" from "she"."""

_GIVEN: Final = {
    MALE: "james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony "
    "mark donald steven paul andrew kenneth george joshua kevin brian edward ronald timothy jason jeffrey ryan "
    "jacob gary nicholas eric stephen jonathan larry justin scott brandon frank benjamin gregory samuel raymond "
    "patrick alexander jack dennis jerry tyler aaron jose henry adam douglas peter nathan zachary walter kyle "
    "harold carl jeremy keith roger gerald ethan arthur terry christian sean lawrence austin joe noah jesse "
    "albert bryan billy bruce willie dylan alan ralph gabriel roy juan wayne eugene logan randy louis russell "
    "vincent philip bobby johnny bradley ted bernie barack mike tim tom bill bob jim steve dan ben sam chris matt "
    "rick nick tony ken ron greg jeff ahmed mohammed muhammad mohamed ali hassan hussein omar ibrahim yusuf "
    "abdullah khalid mahmoud mustafa vladimir sergei ivan pavel",
    FEMALE: "mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty margaret sandra "
    "ashley kimberly emily donna michelle carol amanda dorothy melissa deborah stephanie rebecca sharon laura "
    "cynthia kathleen amy angela shirley anna brenda pamela emma nicole helen samantha katherine christine debra "
    "rachel carolyn janet catherine maria heather diane ruth julie olivia joyce virginia victoria kelly lauren "
    "christina joan evelyn judith megan andrea cheryl hannah jacqueline martha gloria teresa ann sara madison "
    "frances kathryn janice jean abigail alice judy sophia grace denise amber doris marilyn danielle beverly "
    "isabella theresa diana natalie brittany charlotte marie kayla alexis hillary kellyanne melania ivanka nina "
    "elena olga fatima aisha zainab amina layla leila mariam ana rosa ines lucia claire jane kate anne susana "
    "ilse ingrid ursula theresa priya",
}
GIVEN_NAMES: Final = {name: gender for gender, names in _GIVEN.items() for name in names.split()}
"""First names that tell "he" from "she": the commonest of the United States, and some of other countries."""

_SAME: Final = tuple(
    frozenset(alike.split())
    for alike in (
        "premier prime",
        "spokesman spokesperson",
        "spokeswoman spokesperson",
        "chief leader head commander founder boss comandante chieftain",
        "senator sen sen. lawmaker legislator republican democrat",
        "representative rep rep. congressman congresswoman lawmaker legislator republican democrat",
        "governor gov gov. republican democrat",
        "general gen gen.",
        "professor prof prof. academic",
        "doctor dr dr. physician",
        "attorney lawyer counsel",
        "bishop archbishop prelate",
        "chairman chairperson chair",
        "chairwoman chairperson chair",
        "adviser advisor aide",
        "ambassador envoy mediator",
        "candidate nominee",
        "deputy lawmaker legislator",
        "priest father cleric",
    )
)


def same_role(one: str, other: str) -> bool:
    """Tell whether two words may stand for the same role: "premier" and the "Prime" of "Prime Minister"."""
    return one == other or any(one in alike and other in alike for alike in _SAME)


def stripped_of_titles(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Return the titles before a name, joined, and the name: "Gen. Paul Degroot" -> "Gen." and ["Paul", "Degroot"]."""
    at = int(len(words) > 2 and words[0].lower() in ROLES)
    while at < len(words) and words[at].lower().rstrip(".") in TITLES:
        at += 1
    last = max((i for i, word in enumerate(words[:-1]) if word.lower() in _CAPITALISED), default=-1)
    if last >= at and len(words) - last - 1 <= _LONGEST_NAME:
        # "Republican National Committee Chairman Reince Priebus"
        return " ".join(words[: last + 1]), list(words[last + 1 :])
    ranked = any(word.lower().rstrip(".") not in MODIFIERS for word in words[:at])
    if at == len(words) or not ranked or words[at].lower() in ORGANISATION_WORDS:
        return None, list(words)
    return " ".join(words[:at]), list(words[at:])
