"""The words that tell of speech and thought, and what each takes as its content.

The verbs follow the classes that PARC3 (Pareti 2016, "PARC 3.0: a corpus of attribution relations") and VerbNet call
communication, propositional attitude and intention. A verb's frames are letters:

    c  a clause         said that, believes, asked whether
    i  an infinitive    vowed to, hopes to, refused to
    o  somebody to do   urged the army to leave, wants him to go
    n  a noun phrase    rejected the plan, announced a truce
    s  a small clause   called it a farce, sees inflation easing
    q  quoted words     "...", she quipped

and `PREPOSITIONS` has those that take their content behind a preposition ("called for calm").
"""

from typing import Final

from stance.articles.wordlists import words

_FRAMES: Final = {
    "cq": "say add argue note explain reply respond continue conclude remark observe comment insist maintain recall "
    "assert contend declare emphasise emphasize stress reiterate repeat warn caution concede acknowledge claim suggest "
    "point write tweet post testify state read assure reassure joke quip counter retort complain lament boast muse "
    "answer predict confirm disclose reveal admit allege affirm report mention recount relate remind vow pledge "
    "promise agree announce deny confess hint signal indicate elaborate tell ask clarify specify opine underline "
    "underscore highlight charge object protest fume wonder interject exclaim shout whisper murmur mutter yell chant "
    "cry sigh laugh gush crow thunder rage demand plead beg urge speculate theorize reason advise inform notify swear "
    "attest proclaim profess volunteer offer echo press inquire enquire query declare rule caution interrupt intone "
    "bellow scoff jibe gripe grumble groan shrug",
    "c": "believe think feel know hope fear worry expect understand realise realize doubt suspect assume imagine guess "
    "figure reckon consider conclude decide determine find show see hear learn discover estimate calculate judge "
    "forecast anticipate foresee project dream regret forget remember trust pray ensure prove demonstrate imply "
    "envision envisage bet surmise conjecture deem hold posit propose recommend request require stipulate order rule "
    "insinuate intimate gather presume question ponder care mind wish prefer mean accept appreciate recognise "
    "recognize perceive sense signify guarantee dispute argue document discern postulate concur",
    "i": "vow pledge promise threaten offer agree refuse decline want hope plan intend expect wish prefer "
    "choose aim demand claim propose ask beg swear love desire aspire long yearn consent volunteer "
    "determine hate plot",
    "o": "urge ask tell order call want expect beg press advise warn encourage instruct direct invite request command "
    "exhort implore beseech entreat persuade remind require challenge counsel like prefer need believe consider allow",
    "n": "reject refuse urge announce welcome condemn deny demand dismiss criticise criticize denounce praise "
    "propose promise "
    "pledge support oppose rebuff reiterate stress emphasise emphasize highlight question confirm predict forecast "
    "expect fear hail applaud acknowledge admit express recommend favour favor endorse defend deplore decry blast slam "
    "lambast lambaste mock ridicule request estimate anticipate doubt want advocate back disavow bemoan "
    "lament blame underline underscore warn offer vow repeat affirm reaffirm report note allege describe outline "
    "detail claim protest echo tout repudiate disclose reveal explain declare hint "
    "suggest voice believe dispute support plan rebut",
    "s": "call label brand dub deem consider see hear find name",
}
PREPOSITIONS: Final = {
    "call": ("for",),
    "appeal": ("for", "to"),
    "push": ("for",),
    "press": ("for",),
    "ask": ("for",),
    "plead": ("for",),
    "hope": ("for",),
    "warn": ("of", "against", "about"),
    "complain": ("of", "about"),
    "speak": ("of", "against"),
    "talk": ("of",),
    "boast": ("of", "about"),
    "worry": ("about",),
    "object": ("to",),
    "apologise": ("for",),
    "apologize": ("for",),
    "hint": ("at",),
    "agree": ("with", "on"),
    "disagree": ("with",),
    "argue": ("for", "against"),
    "caution": ("against",),
    "campaign": ("for",),
    "insist": ("on",),
    "dream": ("of",),
    "believe": ("in",),
    "think": ("of", "about"),
}
"""Verbs whose content is the object of one of these prepositions."""

PARTICLES: Final = {"rule": "out", "shrug": "off", "point": "out", "lay": "out", "spell": "out", "play": "down"}
"""Verbs that take a noun phrase as their content only with this particle."""

JUDGEMENTS: Final = {
    "accuse": ("of",),
    "blame": ("for", "on"),
    "criticise": ("for",),
    "criticize": ("for",),
    "praise": ("for",),
    "condemn": ("for",),
    "thank": ("for",),
    "describe": ("as",),
    "denounce": ("as",),
    "dismiss": ("as",),
    "hail": ("as",),
    "portray": ("as",),
    "characterize": ("as",),
    "characterise": ("as",),
    "depict": ("as",),
    "regard": ("as",),
    "view": ("as",),
    "slam": ("for", "as"),
    "blast": ("for", "as"),
    "attack": ("for", "as"),
    "mock": ("for", "as"),
    "fault": ("for",),
    "suspect": ("of",),
    "warn": ("of", "against"),
    "compare": ("to", "with"),
}
"""Verbs with an object and, behind a preposition, what is said of it: both are the content."""

ADJECTIVES: Final = words(
    "confident convinced hopeful optimistic pessimistic worried concerned sure certain afraid sceptical "
    "skeptical adamant aware unaware sorry glad happy pleased proud relieved disappointed surprised angry "
    "clear positive doubtful fearful determined unsure uncertain delighted eager willing unwilling ready "
    "prepared reluctant keen anxious grateful thrilled"
)
"""Adjectives of thought and feeling: "is confident that", "was prepared to"."""

NOUNS: Final = words(
    "claim belief statement suggestion allegation assertion argument warning promise pledge vow demand call "
    "hope fear view opinion idea concern announcement admission threat offer refusal desire decision plan "
    "conviction prediction insistence contention accusation appeal request wish notion intention proposal "
    "determination"
)
"""Nouns with a content clause: "his demand that", "her promise to"."""

SOURCE_NOUNS: Final = words(
    "statement letter report communique communiqué article tweet message memo note survey poll study release "
    "document transcript minutes editorial book speech interview email post filing complaint lawsuit "
    "affidavit indictment resolution declaration"
)
"""Things that speak for those who wrote them."""

_IRREGULAR: Final = {
    "say": "says said saying",
    "tell": "tells told telling",
    "write": "writes wrote written writing",
    "read": "reads read reading",
    "think": "thinks thought thinking",
    "feel": "feels felt feeling",
    "know": "knows knew known knowing",
    "understand": "understands understood understanding",
    "swear": "swears swore sworn swearing",
    "find": "finds found finding",
    "show": "shows showed shown showing",
    "see": "sees saw seen seeing",
    "hear": "hears heard hearing",
    "foresee": "foresees foresaw foreseen foreseeing",
    "hold": "holds held holding",
    "mean": "means meant meaning",
    "bet": "bets bet betting",
    "forget": "forgets forgot forgotten forgetting",
    "seek": "seeks sought seeking",
    "choose": "chooses chose chosen choosing",
    "learn": "learns learned learnt learning",
    "speak": "speaks spoke spoken speaking",
    "beg": "begs begged begging",
    "plan": "plans planned planning",
    "admit": "admits admitted admitting",
    "quip": "quips quipped quipping",
    "slam": "slams slammed slamming",
    "rebut": "rebuts rebutted rebutting",
    "plot": "plots plotted plotting",
    "opt": "opts opted opting",
    "forecast": "forecasts forecast forecasted forecasting",
    "dub": "dubs dubbed dubbing",
    "chat": "chats chatted chatting",
    "shrug": "shrugs shrugged shrugging",
    "beseech": "beseeches besought beseeched beseeching",
    "label": "labels labelled labeled labelling labeling",
    "signal": "signals signalled signaled signalling signaling",
    "counsel": "counsels counselled counseled counselling counseling",
    "prefer": "prefers preferred preferring",
    "disagree": "disagrees disagreed disagreeing",
    "agree": "agrees agreed agreeing",
    "foretell": "foretells foretold foretelling",
}


def _forms(verb: str) -> list[str]:
    """Return the forms of a verb, by the rules of regular spelling or from the list of the others."""
    if verb in _IRREGULAR:
        return [verb, *_IRREGULAR[verb].split()]
    if verb.endswith("e"):
        return [verb, f"{verb}s", f"{verb}d", f"{verb[:-1]}ing"]
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return [verb, f"{verb[:-1]}ies", f"{verb[:-1]}ied", f"{verb}ing"]
    sibilant = verb.endswith(("s", "sh", "ch", "x", "z"))
    return [verb, f"{verb}es" if sibilant else f"{verb}s", f"{verb}ed", f"{verb}ing"]


def _gather() -> dict[str, str]:
    frames: dict[str, str] = {}
    for letters, verbs in _FRAMES.items():
        for verb in verbs.split():
            frames[verb] = "".join(sorted(set(frames.get(verb, "") + letters)))
    for verb in (*PREPOSITIONS, *PARTICLES, *JUDGEMENTS):
        frames.setdefault(verb, "")
    return frames


FRAMES: Final = _gather()
"""Verb -> the letters of its frames."""

LEMMAS: Final = {form: verb for verb in sorted(FRAMES) for form in _forms(verb)}
"""Form in small letters -> verb: "denies" -> "deny". It takes the place of a lemmatiser, which costs more time than all
rules together."""

STRONG: Final = words(
    "say tell add argue warn insist stress note claim announce declare write explain reply vow pledge deny "
    "reiterate emphasise emphasize assert contend maintain acknowledge concede caution testify urge suggest "
    "describe call ask reject accuse question demand promise"
)
"""Verbs that, coordinated with another one of speech, open an attribution of their own ("said A but warned B")."""

QUOTING: Final = frozenset(verb for verb, letters in FRAMES.items() if "q" in letters) | {
    "call", "describe", "put", "go", "open", "begin", "finish", "hear", "agree", "dub", "label", "offer", "accuse",
    "appeal", "speak", "know", "think", "believe", "recommend", "order", "criticise", "criticize", "dismiss",
}  # fmt: skip
"""Verbs that stand beside quoted words."""

LEMMAS_OF_QUOTING: Final = {form: verb for verb in sorted(QUOTING) for form in _forms(verb)} | {
    "went": "go", "goes": "go", "began": "begin", "puts": "put", "putting": "put", "gone": "go",
}  # fmt: skip
"""Form -> verb, of those that stand beside quoted words."""
