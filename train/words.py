"""Words, names and values that fill synthetic pages. A share of all words is held out for evaluation, by hash.

Nothing here comes from a benchmark: lists of common words of user interfaces, and, so that reading cannot be replaced by
remembering, pseudo-words from syllables, the system's word list, and words with a letter changed.
"""

import os
import random
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

NOUNS = """account address album alert amount animal answer apple archive area arrow article atlas attic author autumn
avenue badge bakery balance ball banana band bank banner barrel basket battery beach bean bear bell bench berry bicycle
bill bird blanket block boat body bolt book boot border bottle bowl box branch bread brick bridge brush bucket budget
building bundle butter button cabin cable cake calendar camera camp candle canvas canyon captain car card cargo carpet
castle cat category ceiling cell center chain chair chamber channel chapter chart cherry city clay client clock cloud
coast coat code coffee coin collar color column comet comment company compass concert contact cookie copper corner
cotton country course cover craft cream credit crown cup curtain customer cycle daily dance data deal degree delivery
demand desert design desk device diary dinner document dog door draft dragon drawer dream dress drink driver dust eagle
earth editor egg elbow email employee engine error estate event exam expense export fabric factory falcon family farm
feather feature fence ferry field file film filter finger fire fish flag flight floor flower folder forest fork form
forum fossil fountain fox frame friend fruit galaxy gallery game garden gate ghost giant gift glass glove goal gold
grain grape graph grass group guest guide guitar hammer harbor hat hazel header heart helmet history hobby holiday home
honey horse hotel hour house iceberg idea image inbox income index insect invoice iron island item ivory jacket jar
jewel job journal journey juice jungle kettle key keyboard kitchen kite knife label ladder lagoon lake language lantern
laptop laundry lawn layer leader leaf leather lemon lens lesson letter level library light lily lime line lion list lock
log lunch machine magnet mail manager map marble margin market mask meadow meal measure medal member memory menu message
meter metro middle mill minute mirror mobile model module moment money monitor month moon morning motor mountain mouse
museum music nation nature needle nest network news night noodle note number oasis object ocean offer office olive onion
orange orbit orchard order organ owner package page paint palace panel paper parcel park partner password path patient
pattern payment peach peak pearl pencil people pepper permit person petal phone photo piano picture pilot pine pixel
planet plant plate player plaza pocket poem point policy pond pool portal post poster potato pound powder prairie price
printer product profile program project prompt puzzle quality quarter queen question queue quote rabbit radio rain ranch
range rate reader receipt recipe record region reply report request review reward ribbon rice river road robot rocket
role roof room root rose route rule saddle safety sail salad sale salt sample sand scale scene schedule school science
score screen season seat section seed server service session shadow shape shelf shield ship shirt shoe shop shower side
signal silver singer sister sketch skill sky sleep slide smile smoke snow soap society sofa soil song sound soup source
space spark speaker spider spoon sport spring square stage stamp star station statue status steam steel step stone
storage store storm story street string studio study style subject sugar summary summer sun supply surface survey
system table tablet tail talent target task team temple tennis tent theme thread thunder ticket tiger timber time title
toast token tomato tool topic total tower town toy track trade trail train transfer travel tree trend trip trophy truck
tunnel turtle unit update user valley value vault vehicle vendor version video village violet vision visit voice volume
voucher walnut wallet warehouse watch water wave weather website week whale wheat wheel willow window wine winter wolf
wood word work world yard year zebra zone""".split()

ADJECTIVES = """active advanced all annual archived basic best big black blue bold brave bright broad brown calm cheap
clean clear clever cold common complete cool crisp current custom daily dark deep default digital direct double dry early
easy empty exact extra fair famous fancy fast featured final fine first flat free fresh full general gentle giant global
golden grand great green grey happy heavy hidden high hot huge initial inner internal iron joint junior kind large last
late latest light little local long lost loud low lucky main major manual maximum mini minor modern monthly narrow new
next nice noisy normal north old online open optional original other outer pale partial past personal plain popular
premium primary prime private proper public pure quick quiet random rapid rare raw ready recent red regular related
remote rich rough round royal safe second secret senior shared sharp short silent silver similar simple single slim slow
small smart smooth soft solid special spicy stable standard steady strict strong sunny super sweet tall thick thin tiny
top total tough true unique upper urban useful vast vivid warm weekly west white whole wide wild wise yellow young""".split()

VERBS = """Accept Activate Add Adjust Allow Analyse Apply Approve Archive Arrange Assign Attach Block Book Browse Build
Buy Calculate Call Cancel Capture Change Check Choose Clear Clone Close Collapse Compare Complete Confirm Connect
Continue Convert Copy Create Customise Deactivate Decline Delete Deploy Detach Disable Discard Dismiss Display Donate
Download Duplicate Edit Empty Enable Enter Erase Exit Expand Export Extend Filter Find Finish Follow Forward Generate
Hide Ignore Import Insert Install Invite Join Keep Launch Leave Like Link Load Lock Log Manage Mark Merge Move Mute Next
Open Order Pause Pay Pin Play Post Preview Previous Print Proceed Process Publish Purchase Quit Read Rebuild Record
Redo Refresh Register Reject Reload Remind Remove Rename Renew Reopen Repair Replace Reply Report Request Reserve Reset
Resize Restart Restore Resume Retry Return Revert Review Revoke Rotate Run Save Scan Schedule Search Select Send Set
Share Show Shuffle Skip Sort Split Start Stop Submit Subscribe Suggest Swap Switch Sync Tag Test Track Transfer
Translate Try Undo Unfollow Unlock Unpin Update Upgrade Upload Use Verify View Vote Watch Withdraw Write Zoom""".split()

PARTICLES = "in out on off up down over back away again now later".split()  # "Hand in", "Send again"
WISHES = "it too|it first|it later|me a copy|us a message|them all|this one as well|mine".split("|")

FIRST = """Ada Alan Alice Amir Ana Anders Anita Anna Aria Arthur Ben Bianca Boris Carla Carlos Chen Chloe Clara Daniel
David Diana Diego Dora Edith Elena Eli Emma Eric Eva Farah Felix Fiona Frank Freya George Grace Hana Hannah Hans Hugo Ida
Igor Iris Isaac Ivan Jack James Jana Jonas Josef Julia Kai Karen Katya Kenji Lara Laura Lena Leo Liam Lina Louis Lucas
Lucy Maria Marta Mateo Max Maya Mei Mia Milan Mina Nadia Nina Noah Nora Olaf Olga Oliver Omar Oscar Paula Peter Petra
Priya Quinn Rafael Ravi Rita Robin Rosa Ruth Sam Sara Simon Sofia Stella Sven Tara Theo Tina Tom Uma Vera Victor Wanda
Yara Yusuf Zoe""".split()

LAST = """Adams Ahmed Alvarez Andersen Baker Bauer Becker Bell Bennett Bishop Blake Brooks Brown Carter Castro Chang
Clark Cohen Collins Cooper Costa Cruz Davies Diaz Dixon Dubois Edwards Ellis Evans Fischer Fisher Flores Ford Foster Fox
Garcia Gibson Gomez Grant Gray Green Gupta Hall Hansen Harper Harris Hayes Hill Holm Howard Hughes Hunt Ito Jackson
Jensen Jones Kelly Khan Kim King Klein Kumar Lambert Larsen Lee Lewis Lopez Lovelace Martin Mason Meyer Miller Moore
Morgan Morris Murphy Nelson Nguyen Novak Olsen Ortiz Owen Park Patel Perez Perry Petrov Porter Price Reed Reyes Rossi
Russell Ryan Sato Schmidt Scott Silva Singh Smith Stone Suzuki Tanaka Taylor Thomas Torres Turner Vance Vega Wagner Walker
Wang Ward Watson Weber West White Wong Wood Wright Young Zhang""".split()

CITIES = """Amsterdam Athens Austin Bangkok Barcelona Beirut Bergen Berlin Bern Bogota Boston Bremen Brussels Budapest
Cairo Chicago Copenhagen Dallas Delhi Denver Dublin Florence Geneva Genoa Hamburg Hanoi Helsinki Istanbul Jakarta Kyiv
Kyoto Lagos Leeds Leipzig Lima Lisbon London Lyon Madrid Malaga Manila Miami Milan Montreal Munich Nairobi Naples Nice
Osaka Oslo Ottawa Paris Phoenix Porto Prague Quebec Reykjavik Riga Rome Rotterdam Santiago Seattle Seoul Seville Sofia
Stockholm Sydney Tallinn Tokyo Toronto Tunis Turin Utrecht Valencia Venice Vienna Vilnius Warsaw York Zagreb Zurich""".split()

COUNTRIES = """Argentina Australia Austria Belgium Brazil Canada Chile China Croatia Denmark Egypt Estonia Finland France
Germany Ghana Greece Hungary Iceland India Ireland Israel Italy Japan Kenya Latvia Mexico Morocco Nepal Norway Peru Poland
Portugal Romania Serbia Slovenia Spain Sweden Thailand Tunisia Turkey Ukraine Uruguay Vietnam""".split()

FIELD_NAMES = """Name|Full name|First name|Last name|Email|Email address|E-mail|Password|Username|User name|Phone|Phone
number|Telephone|Mobile|Address|Street|Street address|City|Town|Postcode|Zip code|ZIP|State|Country|Company|Job title|
Website|Subject|Message|Comment|Notes|Title|Description|Quantity|Amount|Price|Budget|Age|Date|Start date|End date|Due
date|Birthday|Time|Department|Reference|Order number|Coupon code|Promo code|Gift code|Card number|Name on card|Account
number|Nickname|Keyword|Location|Destination|From|To|Guests|Room|Tag|Label|URL|Host|Port|Folder|Color|Size|Weight|Height|
Width|Search|Filter|Query|Question|Answer|Feedback|Language|Project|Team|Manager|Category""".replace(
    "\n", " "
).split("|")

SEARCH_NAMES = """Search|Search products|Search here|Search the site|Find products|Search items|What are you looking
for?|Search articles|Find a place|Search everything|Search shop|Search store|Looking for something?|Search catalog|Search
documents|Search by name|Find|Type to search|Search books|Search people""".replace("\n", " ").split("|")

ACCENTED = """Größe|Über uns|Café|Crème brûlée|Señales|Año nuevo|Łódź|Žlutý|Ångström|Façade|Über|Garçon|Niño|Città|Málaga|Zürich|
Köln|São Paulo|Brașov|Île|Œuvre|Smørrebrød|Hôtel|Preço|Müller|Élan""".replace("\n", "").split("|")

CONSONANTS = "b c d f g h j k l m n p r s t v w z br ch cl cr dr fl fr gl gr kl pl pr qu sh sk sl sp st str th tr".split()
VOWELS = "a e i o u a e i o ai ea ee ie oa oo ou".split()
ENDINGS = ["", "", "n", "r", "s", "t", "l", "m", "nd", "rk", "st", "ll", "ss", "x", "ng"]


CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
CODES = (
    "#-##",
    "##-####",
    "%%%",
    "%%%%",
    "%%%%%",
    "%%%%%%",
    "%%%%%%%",
    "@@",
    "@@@",
    "@@@@",
    "@@@@@",
    "#@@",
    "@##",
    "##",
    "####",
)
SCRIPTS = {
    "абвгдежзиклмнопрстухцчшэюя": "аеиоуя",
    "αβγδεζηθικλμνξοπρστυφχψω": "αεηιου",
    "bcdfghklmnprstvzčšžřğçłñ": "aeiouáéíöüåø",
}  # letters, and those of them that end a syllable


WORD_LIST = Path(os.environ.get("SACCADE_WORDS", "/usr/share/dict/words"))


@cache
def word_list() -> tuple[str, ...]:
    """The system's plain words (Debian: wamerican); none where there is no list. Only training draws from them."""
    lines = WORD_LIST.read_text("utf-8").split() if WORD_LIST.is_file() else []
    return tuple(word for word in lines if 3 <= len(word) <= 12 and word.isascii() and word.isalpha())


INFLECTED = ("s", "ed", "ing", "ly", "est")


def is_held_out(word: str) -> bool:
    """One word in eight is never seen in training; the hash is fixed for ever."""
    return zlib.crc32(word.lower().encode()) % 8 == 0


SMALL = "in into to of for and with at on as from by".split()


class Words:
    """Draws words for one split ("train" or "heldout") from one random stream."""

    def __init__(self, rng: random.Random, split: str = "train"):
        self.rng, self.held_out = rng, split == "heldout"
        self.is_wide = split == "train" and bool(word_list())
        self.currency = ""  # one for a whole page, drawn at its first price

    def pick(self, words: Sequence[str]) -> str:
        """A word of this split; multi-word entries belong to both."""
        for _ in range(60):
            word = self.rng.choice(words)
            if " " in word or is_held_out(word) == self.held_out:
                return word
        return word

    def pseudo(self) -> str:
        for _ in range(60):
            parts = [
                self.rng.choice(CONSONANTS) + self.rng.choice(VOWELS) for _ in range(self.rng.randint(1, 3))
            ]
            word = "".join(parts) + self.rng.choice(ENDINGS)
            if is_held_out(word) == self.held_out and len(word) > 2:
                return word
        return word

    def code(self) -> str:
        """Letters and figures that are no word, as of orders, rooms, versions and users: 'K-42', 'x7Rq', 'Bt'."""
        rng, signs = self.rng, {"#": "0123456789", "@": CODE_LETTERS + CODE_LETTERS.lower()}
        for _ in range(60):
            letters = {**signs, "%": signs["@"] + signs["#"]}
            word = "".join(rng.choice(letters.get(c, c)) for c in rng.choice(CODES))
            style = rng.random()
            word = word.upper() if style < 0.3 else word.lower() if style < 0.45 else word
            if is_held_out(word) == self.held_out:
                return word
        return word

    def foreign(self) -> str:
        """A word in letters beyond ASCII that nobody has read before."""
        letters, vowels = self.rng.choice(list(SCRIPTS.items()))
        parts = [self.rng.choice(letters) + self.rng.choice(vowels) for _ in range(self.rng.randint(1, 3))]
        word = "".join(parts) + self.rng.choice(["", self.rng.choice(letters)])
        return word.capitalize() if self.rng.random() < 0.7 else word

    def noun(self) -> str:
        if self.is_wide and (word := self._rare()):
            return word
        return self.pseudo() if self.rng.random() < 0.2 else self.pick(NOUNS)

    def _rare(self, share: float = 0.4) -> str:
        """In that share of cases, a word of the word list, at times misspelt. Half of such a list are inflected forms,
        which names of things seldom are: most of those are drawn again."""
        if self.rng.random() > share:
            return ""
        word = self.pick(word_list())
        for _ in range(3):
            if not word.endswith(INFLECTED) or self.rng.random() < 0.2:
                break
            word = self.pick(word_list())
        return self._misspelt(word) if self.rng.random() < 0.12 else word

    def _misspelt(self, word: str) -> str:
        """One letter twice, gone, or another: what is written must be read, not guessed."""
        at = self.rng.randrange(len(word))
        letter = self.rng.choice("abcdefghijklmnopqrstuvwxyz")
        middle = self.rng.choice((2 * word[at], "", letter, letter + word[at]))
        changed = word[:at] + middle + word[at + 1 :]
        return word if is_held_out(changed) else changed

    def city(self) -> str:
        return self._name(CITIES)

    def person(self) -> str:
        return f"{self._name(FIRST)} {self._name(LAST)}"

    def _name(self, names: Sequence[str]) -> str:
        rare = self._rare(0.3) if self.is_wide else ""
        return rare.capitalize() if rare else self.pick(names)

    def cased(self, text: str) -> str:
        style = self.rng.random()
        if style < 0.5:
            return text[:1].upper() + text[1:]
        if style < 0.8:
            return " ".join(w[:1].upper() + w[1:] for w in text.split(" "))
        return text if style < 0.93 else text.upper()

    def thing(self) -> str:
        """A product, document or article: 'Brass lantern', 'Zeemark 400'."""
        r = self.rng.random()
        if r < 0.4:
            text = f"{self.pick(ADJECTIVES)} {self.noun()}"
        elif r < 0.55:
            text = self.noun()
        elif r < 0.82:
            text = f"{self.noun()} {self.noun()}"
        elif r < 0.94:
            text = f"{self.pick(ADJECTIVES)} {self.noun()} {self.noun()}"
        else:
            model = self.rng.choice(["X{}", "Pro {}", "Mini", "II", "No. {}", "{}", "mk {}", "{} XL"])
            text = f"{self.noun()} {model.format(self.rng.randint(1, 900))}"
        return self.cased(text)

    def command(self) -> str:
        """The text of a button: 'Save', 'Export report', 'Mark all'."""
        r, verb = self.rng.random(), self._name(VERBS)
        if r < 0.4:
            return verb
        if r < 0.45:
            return self._sentence(f"{verb} {self.rng.choice(PARTICLES)}")
        if r < 0.85:
            return self._sentence(f"{verb} {self.noun()}")
        return (
            self._sentence(f"{verb} {self.pick(ADJECTIVES)} {self.noun()}")
            if r < 0.95
            else self.cased(self.noun())
            if r < 0.975
            else self.rng.choice([self.code, self.foreign])()
        )

    def wish(self) -> str:
        """What a box to tick says in a few words: 'Wash it too', 'Send me a copy'."""
        return self._sentence(f"{self._name(VERBS)} {self.rng.choice(WISHES)}")

    def _sentence(self, text: str) -> str:
        style = self.rng.random()
        if style < 0.65:
            return text
        return text.upper() if style > 0.95 else " ".join(w[:1].upper() + w[1:] for w in text.split(" "))

    def place(self) -> str:
        """The text of a link, tab or menu entry: 'Reports', 'Team settings', 'Sheet #4', 'About us'."""
        r = self.rng.random()
        if r > 0.985:
            return self.rng.choice(ACCENTED) if self.rng.random() < 0.4 else self.foreign()
        if r > 0.955:
            form = self.rng.choice(["{} {}", "{} #{}", "{} #{}", "{} No. {}", "#{1} {0}", "{} ({})", "{}-{}"])
            return form.format(self.cased(self.noun()), self.rng.randint(1, 20))
        if r < 0.05:
            return self.code()
        if r < 0.4:
            return self.cased(self.noun() + self.rng.choice(["s", ""]))
        if r < 0.6:
            return self.cased(f"{self.noun()} {self.noun()}")
        if r < 0.8:
            return self.cased(f"{self.pick(ADJECTIVES)} {self.noun()}")
        return self.rng.choice(
            [
                "Home",
                "About",
                "About us",
                "Contact",
                "Help",
                "Support",
                "Blog",
                "News",
                "Pricing",
                "Log in",
                "Sign in",
            ]
            + [
                "Sign up",
                "Register",
                "Settings",
                "Profile",
                "Cart",
                "Basket",
                "FAQ",
                "Careers",
                "Privacy",
                "Terms",
            ]
            + [
                "Deals",
                "Shop",
                "Products",
                "Orders",
                "My account",
                "Categories",
                "Docs",
                "Dashboard",
                "Help center",
            ]
        )

    def sentence(self, low: int = 4, high: int = 12) -> str:
        glue = [
            "the",
            "a",
            "of",
            "and",
            "in",
            "to",
            "for",
            "with",
            "is",
            "on",
            "our",
            "your",
            "this",
            "are",
            "by",
            "from",
        ]
        words = [
            self.rng.choice(glue) if self.rng.random() < 0.4 else self.noun()
            for _ in range(self.rng.randint(low, high))
        ]
        text = " ".join(words)
        return text[0].upper() + text[1:] + self.rng.choice([".", ".", ".", "!", "?", ""])

    def price(self) -> str:
        amount = f"{self.rng.randint(1, 999)}.{self.rng.choice(['00', '99', '50', '95', str(self.rng.randint(10, 99))])}"
        self.currency = self.currency or self.rng.choice(["${}", "${}", "€{}", "£{}", "{} €", "{} USD"])
        return self.currency.format(amount)

    def email(self) -> str:
        host = self.rng.choice(
            ["example.com", "example.org", "mail.test", f"{self.pseudo()}.com", f"{self.noun()}.net"]
        )
        user = self.rng.choice(
            [self._name(FIRST), self.noun(), f"{self._name(FIRST)}.{self._name(LAST)}", self.pseudo()]
        )
        return f"{user}{self.rng.choice(['', '', str(self.rng.randint(1, 99))])}@{host}".lower()

    def value_for(self, field: str) -> str:
        """Something that a person would type into a field of this name."""
        name, rng = field.lower(), self.rng
        if "mail" in name:
            return self.email()
        if any(w in name for w in ("phone", "mobile", "telephone")):
            return f"{rng.choice(['+1 ', '0', '555-', '+44 '])}{rng.randint(100000, 9999999)}"
        if any(w in name for w in ("date", "birthday")):
            return rng.choice(["{y}-{m:02}-{d:02}", "{d:02}/{m:02}/{y}", "{m}/{d}/{y}"]).format(
                y=rng.randint(1950, 2030), m=rng.randint(1, 12), d=rng.randint(1, 28)
            )
        if any(
            w in name
            for w in ("zip", "postcode", "number", "quantity", "amount", "age", "port", "code", "guests")
        ):
            return str(rng.randint(1, 10 ** rng.randint(1, 6)))
        if "name" in name and "user" not in name:
            return rng.choice([self.person(), self.person(), self._name(FIRST), self._name(LAST)])
        if "password" in name:
            return f"{self.pseudo()}{rng.randint(0, 999)}{rng.choice(['', '!', '#', '_x'])}"
        if any(w in name for w in ("address", "street")):
            return f"{rng.randint(1, 300)} {self.noun().capitalize()} {rng.choice(['Street', 'Road', 'Lane', 'Ave', 'St'])}"
        if any(w in name for w in ("city", "town", "from", "to", "destination", "location")):
            return self.city()
        if "country" in name:
            return self.pick(COUNTRIES)
        return self._free_text()

    def _free_text(self) -> str:
        r = self.rng.random()
        if r < 0.3:
            return self.noun()
        if r < 0.52:
            return f"{self.rng.choice([self.pick(ADJECTIVES), self.noun()])} {self.noun()}"
        if r < 0.65:
            return self.thing()
        if r < 0.74:  # with a word that could be the task's own
            return f"{self.noun()} {self.rng.choice(SMALL)} {self.rng.choice([self.noun, self.thing])()}"
        if r < 0.84:
            return self.sentence(3, 5).rstrip(".!?")
        if r < 0.93:
            return self.pseudo() + self.rng.choice(["", str(self.rng.randint(0, 99))])
        return "".join(
            self.rng.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHKLMNPQRSTUVW0123456789-_.") for _ in range(7)
        )
