"""What people say, by intent: [a|b] is a choice, [a|] may be left out, {x} is the thing, {n} its bare name.

Each intent has phrasings for training and, after them, phrasings that only the held-out split may use.
"""

BOOK: dict[str, tuple[list[str], list[str]]] = {
    "click": (
        ["click [on |]{x}", "click {x}", "[press|tap|hit|push|select|choose|use|activate] {x}", "tap [on |]{x}",
         "[go ahead and|now|just] click {x}", "[left-click|left click] [on |]{x}", "[make a click|do a click|click once] on {x}",
         "[press|click] {x} [for me|now|once]", "I [want|would like] [you |]to [click|press] {x}", "[find|locate] {x} and [click|press|tap] it"],
        ["give {x} a click", "pick {x}", "trigger {x}", "I need you to click {x}", "hit {x} once", "{x} should be clicked"],
    ),
    "open": (
        ["[open|visit|follow|view|show] {x}", "[go|navigate|move|jump|switch] to {x}", "show [me |]{x}", "[open|go to] the {n} [page|section|area]",
         "[let me see|I want to see|take a look at] {x}", "[access|call up] {x}"],
        ["head over to {x}", "bring up {x}", "take me to {x}"],
    ),
    "tick": (
        ["[tick|check|mark|enable|select|choose|set] {x}", "turn [on {x}|{x} on]", "[put|place|set] a [tick|check mark|check] [in|at|on] {x}",
         "make sure [that |]{x} is [ticked|checked|selected]", "[switch|turn] on {x}", "{x} [should|must] be [ticked|checked]"],
        ["let {x} be ticked", "have {x} checked", "add a tick to {x}"],
    ),
    "untick": (
        ["[untick|uncheck|unmark|deselect|disable|unselect] {x}", "turn [off {x}|{x} off]", "[remove|take] the [tick|check mark|check] [from|off] {x}",
         "make sure [that |]{x} is not [ticked|checked|selected]", "{x} [should|must] not be [ticked|checked]", "clear {x}"],
        ["{x} must be left unticked", "have {x} unchecked"],
    ),
    "switch_on": (
        ["[turn|switch] on {x}", "[turn|switch] {x} on", "[enable|activate] {x}", "set {x} to on", "make sure {x} is [on|enabled|active]"],
        ["{x} has to be on", "get {x} switched on"],
    ),
    "switch_off": (
        ["[turn|switch] off {x}", "[turn|switch] {x} off", "[disable|deactivate] {x}", "set {x} to off", "make sure {x} is [off|disabled]"],
        ["{x} has to be off", "get {x} switched off"],
    ),
    "ticks": (
        ["[tick|check|select|mark|choose] {list}", "[tick|check|select] [the boxes|the options|the following:|these:] {list}",
         "[I want|make sure that] {list} [are|to be] [ticked|checked|selected]", "[put|set] ticks at {list}"],
        ["{list} should all be ticked", "go through the boxes and tick {list}"],
    ),
    "all_ticks": (
        ["[tick|check|select] [all|every one] of the boxes", "[tick|check|select] [all boxes|every box|everything|all the options]",
         "make sure [every box is|all boxes are] [ticked|checked]"],
        ["leave no box unticked"],
    ),
    "no_ticks": (
        ["[untick|uncheck|deselect|clear] [all boxes|every box|everything|all the options]", "make sure no box is [ticked|checked]"],
        ["leave every box empty"],
    ),
    "only_ticks": (
        ["[tick|check|select] only {list}", "[tick|check|select] {list} and nothing else", "only {list} should be [ticked|checked|selected]",
         "[tick|check] {list} and [untick|uncheck] the others"],
        ["have just {list} ticked"],
    ),
    "type": (
        ["[type|enter|write|put] {t} [into|in] {x}", "[type|enter|put|fill|write] {t} [into|in] {x}", "fill [in |out |]{x} with {t}",
         "set {x} to {t}", "in {x}, [type|enter|write] {t}", "[use|enter] {t} for {x}", "for {x} [enter|type|use|put] {t}",
         "[type|enter|give|use] {t} as [the |]{n}", "[enter|type|write] the {n} {t}", "[change|update] {x} to {t}", "{x} [should be|is] {t}",
         "{x}: {t}", "replace [what is|the text|whatever stands] in {x} [with|by] {t}"],
        ["key {t} into {x}", "let {x} be {t}", "make {x} say {t}", "pop {t} into {x}"],
    ),
    "type_enter": (
        ["[type|enter|write] {t} [into|in] {x} and [press|hit] [Enter|enter|return|the enter key]", "[enter|type] {t} in {x}, then [press|hit] Enter"],
        ["put {t} in {x} and confirm with Enter"],
    ),
    "focus": (
        ["[click|focus|click into|click in|click on|select|activate] {x}", "put the [cursor|caret|focus] [in|into] {x}", "[set|move|give] [the |]focus to {x}"],
        ["make {x} the active field"],
    ),
    "clear": (
        ["[clear|empty|erase] {x}", "[delete|remove|erase] [the text|what is|everything|the contents] in {x}", "make {x} empty"],
        ["wipe {x}", "leave {x} blank"],
    ),
    "search": (
        ["[search|look|do a search|run a search] for {t}", "search [for |]{t}", "[look up|find] {t}", "search the [site|page|shop|catalog] for {t}",
         "use the search [box|field|bar] to find {t}", "[type|enter] {t} [into|in] the search [box|field|bar] and [search|press Enter]"],
        ["have a look for {t}", "query {t}"],
    ),
    "pick": (
        ["[choose|select|pick] {q} [from|in] {x}", "[set|change|switch] {x} to {q}", "[choose|select|pick] {q} [as|for] [the |]{n}",
         "in {x}, [choose|select|pick] {q}", "[from|in] {x} [choose|select|pick|take] {q}", "{x}: [choose|select] {q}"],
        ["{q} is what I want for {n}", "let {x} show {q}"],
    ),
    "choose": (
        ["[choose|select|pick|take|mark] {x}", "[set|switch|change] [it |]to {x}", "[choose|select] {x} [for me|there]", "go for {x}"],
        ["{x} is the right one, choose it"],
    ),
    "double": (
        ["[double-click|double click|doubleclick] [on |]{x}", "click {x} twice", "[do|make] a double [click|-click] on {x}", "open {x} with a double click"],
        ["click twice on {x}"],
    ),
    "right": (
        ["[right-click|right click|rightclick] [on |]{x}", "[open|show] the context menu of {x}", "click {x} with the right [mouse |]button"],
        ["use the right mouse button on {x}"],
    ),
    "hover": (
        ["[hover|move the mouse|move the pointer|point] over {x}", "hover [over|on] {x}", "[move|put|place] the [mouse|pointer|cursor] [on|over|onto] {x}",
         "point [the mouse |]at {x}"],
        ["let the mouse rest on {x}"],
    ),
    "drag": (
        ["[drag|move|pull] {x} [{w} {y}]", "[drag|move] {x} so that it is {w} {y}", "[put|place] {x} {w} {y}", "[drag and drop|reorder:] {x} {w} {y}"],
        ["{x} belongs {w} {y}, drag it there"],
    ),
    "slide": (
        ["[set|move|change|adjust] {x} to {t}", "[set|move] the {n} slider to {t}", "{n} [should be|must be] {t}", "[put|turn] {n} [to|at] {t}", "slide {x} to {t}"],
        ["bring {n} to {t}", "make it {t} for {n}"],
    ),
    "slide_drag": (
        ["drag {x} to {t}", "[drag|pull] the [handle|knob|thumb] of {x} to {t}", "drag the {n} slider [to|until it shows] {t}"],
        ["use dragging to bring {n} to {t}"],
    ),
    "step": (
        ["[set|change] {x} to {t}", "make [the |]{n} {t}", "I [want|need] {t} for {n}", "[choose|select|enter] {t} as [the |]{n}",
         "[increase|change|set|bring] {n} [to|until it is] {t}", "{n}: {t}"],
        ["get {n} to {t}"],
    ),
    "rate": (
        ["[rate|give] [it |]{x} [with |]{t} stars", "give {t} stars for {n}", "set {n} to {t} stars", "[rate|mark] {n} {t} [out of 5|of 5|stars]",
         "give {n} a rating of {t}", "[choose|select] {t} stars [for|as] {n}"],
        ["{n} deserves {t} stars"],
    ),
    "date": (
        ["[pick|choose|select|set|enter] {t} [as|for] [the |]{n}", "set {x} to {t}", "[choose|pick] the date {t} [in|for] {x}", "{n}: {t}",
         "in {x}, [pick|choose|select] {t}", "[make|let] the {n} [be |]{t}"],
        ["{n} will be {t}"],
    ),
    "menu": (
        ["[open|go to|choose|use] {n} > {t}", "[choose|select|click|pick] {t} [from|in] the {n} menu", "in the {n} menu[,|] [choose|click|select] {t}",
         "use {n} -> {t}", "[run|call] {t} from [the |]{n}[ menu|]", "{n}, then {t}"],
        ["you will find {t} under {n}; click it"],
    ),
    "row_menu": (
        ["[choose|select|click] {t} in the menu of {c}", "[open|use] the menu of {c} and [choose|click|select] {t}", "{t} {c} [with|from|using] its menu",
         "in the row of {c}, open the menu and [choose|click] {t}", "from the [three dots|menu] next to {c} choose {t}"],
        ["use the dots beside {c} to {t} it"],
    ),
    "expand": (
        ["[expand|open|unfold] {x}", "[show|reveal] [what is in|the contents of|what is under] {x}", "click {x} to [expand|open] it"],
        ["unfold what hides in {x}"],
    ),
    "collapse": (
        ["[collapse|close|fold|hide] {x}", "fold {x} [up|away|in]", "hide [what is in|the contents of] {x}"],
        ["shut {x}"],
    ),
    "path": (
        ["[open|go to|find|show|click] {t} in [the folder |]{n}", "in [the folder |]{n}[,|] [open|click|select] {t}", "open {n} > {t}", "open {n} and [click|select] {t}"],
        ["get to {t} inside {n}"],
    ),
    "suggest": (
        ["[type|enter] {p} in {x} and [choose|pick|select] {q} [from the list|from the suggestions|]", "[choose|pick|select] {q} [from|among] the suggestions of {x}",
         "use {x} to [choose|pick|find] {q}: type {p} and take it from the list", "start with {p} in {x}, then [click|choose] {q}"],
        ["let {x} complete {p} to {q}"],
    ),
    "sort": (
        ["sort [the table |the list |the rows |]by {n}", "order [the table|the rows|them] by {n}", "[click|use] the {n} [heading|column] to sort", "sort by {n} [first|ascending|from low to high|A to Z]"],
        ["put the rows in order of {n}"],
    ),
    "sort_down": (
        ["sort [the table |the list |]by {n}[,|] [descending|in descending order|from high to low|highest first]", "order [the rows |]by {n} descending"],
        ["have the largest {n} on top"],
    ),
    "remove": (
        ["[remove|delete|take away] {c}", "take {c} [off|out]", "[find|locate] {c} and [delete|remove] it", "[I want|please have] {c} removed", "{c} [should go|can be deleted]"],
        ["get rid of {c}"],
    ),
    "page": (
        ["[go|jump|turn|move|switch] to page {n}", "[open|show] page {n}", "click page {n}", "show me page {n}"],
        ["page {n} please", "flip to page {n}"],
    ),
    "confirm": (
        ["{a}", "{a}[ and confirm it|, yes, really|]", "[I want to|go ahead and] {a}", "confirm [that you want to|to] {a}"],
        ["yes, {a}"],
    ),
    "refuse": (
        ["[do not|don't] {a}", "cancel [this|the dialog|it]", "[answer no|say no|decline]", "do not {a}, [cancel|close the dialog]"],
        ["better not {a}"],
    ),
    "dismiss": (
        ["[close|dismiss|get rid of] the [popup|dialog|message|notice|window|overlay|pop-up]", "close it", "make the [popup|message|dialog] go away"],
        ["let the popup vanish"],
    ),
    "cookies": (
        ["[close|dismiss|get rid of] the cookie [banner|notice|message]", "make the cookie [banner|notice] go away"],
        ["deal with the cookie banner"],
    ),
    "ask": (
        ["what is the {a}[ shown|]?", "what is the {a}[ here| on this page|]?", "[tell me|read|find|look up|report|give me] the {a}", "which {a} [is shown|does the page show]?",
         "{a}?", "answer with the {a}"],
        ["I would like to know the {a}", "how does the {a} read?"],
    ),
    "ask_of": (
        ["what is the {a} of {s}?", "[tell me|read|find|look up|give me] the {a} of {s}", "[what|which] {a} does {s} have?", "{a} of {s}?",
         "for {s}, what is the {a}?", "answer with the {a} [of|for] {s}", "what is {s}'s {a}?"],
        ["I would like to know the {a} of {s}", "how does the {a} for {s} read?"],
    ),
    "ask_price": (
        ["how much [is|does] {s}[ cost|]?", "what does {s} cost?", "what is the price of {s}?", "[tell me|find] the price of {s}"],
        ["what would I pay for {s}?"],
    ),
    "which": (
        ["[which one|which row|what|who] has [the |]{a} {v}?", "[whose|for which is the] {a} is {v}?", "find the [one|row] whose {a} is {v} and tell me its name", "which [entry|row|item] shows {v} as [the |]{a}?"],
        ["name the one with {v} as {a}"],
    ),
    "most": (
        ["which [one|row|item] has the [highest|largest|greatest|biggest] {a}?", "[who|what] has the [highest|largest] {a}?", "name the one with the [highest|largest] {a}"],
        ["whose {a} tops the others?"],
    ),
    "least": (
        ["which [one|row|item] has the [lowest|smallest|least] {a}?", "[who|what] has the [lowest|smallest] {a}?", "name the one with the [lowest|smallest] {a}"],
        ["whose {a} is below all others?"],
    ),
    "count": (
        ["how many {w} are [there|shown|on the page]?", "count the {w}", "[tell me|answer with] the number of {w}", "how many {w} [do you see|can you see]?"],
        ["I wonder how many {w} there are"],
    ),
    "is_on": (
        ["is {x} [ticked|checked|selected]?", "[tell me|check] whether {x} is [ticked|checked]", "is {x} on or off? Answer yes [for|if] on, else no"],
        ["would you say that {x} is ticked?"],
    ),
    "is_chosen": (
        ["what is [chosen|selected] [in|for] {x}?", "which [option|value] is [chosen|selected] in {x}?", "[tell me|read] [the value of|what is in] {x}", "what [is typed|stands] in {x}?"],
        ["what does {x} hold?"],
    ),
    "copy": (
        ["copy the {a} into {x}", "[type|enter|write|put] the {a} [into|in] {x}", "[read|take|look up] the {a} and [type|enter|put] it [into|in] {x}", "fill {x} with the {a}[ shown on the page|]",
         "use the {a} for {x}"],
        ["carry the {a} over into {x}"],
    ),
    "result": (
        ["[open|click|go to|follow|show] the {o} [result|search result|hit|link in the results]", "[find|locate] the {o} [search |]result and click it"],
        ["the {o} result is the one to open"],
    ),
}  # fmt: skip

# noun phrases for elements, by role; {q} is the name
NOUNS: dict[str, list[str]] = {
    "button": ["{q}", "{q}", "the {q} button", "the {q} button", "the button {q}", "button {q}", "the button [labeled|labelled|named|called|marked] {q}",
               "the button [that says|saying|with the text|reading] {q}", "the {q} control", "the one that says {q}", "the button with {q} on it"],
    "link": ["{q}", "{q}", "the {q} link", "the link {q}", "link {q}", "the {q} menu item", "the link [called|named|that says|with the text] {q}", "the {q} entry", "the hyperlink {q}"],
    "tab": ["{q}", "the {q} tab", "the tab {q}", "tab {q}", "the {q} section", "the tab [called|named] {q}"],
    "checkbox": ["{q}", "the {q} checkbox", "the {q} box", "the checkbox {q}", "the option {q}", "the checkbox [next to|beside|labeled|for] {q}", "the {q} check box"],
    "radio": ["{q}", "the {q} option", "the option {q}", "the {q} radio button", "the choice {q}", "the radio button [for|next to|labeled] {q}"],
    "option": ["{q}", "the option {q}", "the entry {q}", "the {q} entry", "the item {q}"],
    "field": ["{q}", "the {q} field", "the field {q}", "the {q} box", "the {q} input", "the {q} text [field|box]", "the input {q}", "the field [labeled|named|called] {q}"],
    "search": ["{q}", "the {q} box", "the {q} field", "the {q} input"],
    "select": ["{q}", "the {q} [dropdown|drop-down|list|selector|menu]", "the dropdown {q}", "the drop-down [called|labeled|for] {q}", "the {q} select box"],
    "date": ["{q}", "the {q} field", "the {q} date field", "the {q} date picker", "the date field {q}"],
    "switch": ["{q}", "the {q} [switch|toggle|setting]", "the [switch|toggle] [{q}|for {q}|next to {q}]"],
    "slider": ["{q}", "the {q} slider", "the slider {q}", "the slider for {q}"],
    "menu": ["{q}", "the {q} menu", "the menu {q}"],
    "section": ["{q}", "the {q} section", "the section {q}", "the {q} panel", "the panel {q}", "the heading {q}"],
    "folder": ["{q}", "the {q} folder", "the folder {q}", "the folder [named|called] {q}"],
    "leaf": ["{q}", "the {q} entry", "the item {q}", "the file {q}", "{q} in the tree"],
    "page": ["page {q}", "the page {q}", "the {q} in the list of pages", "number {q}"],
    "day": ["{q}", "day {q}", "the day {q}", "the {q} in the calendar"],
    "item": ["{q}", "the {q} row", "the item {q}", "the row {q}"],
}  # fmt: skip
ICON = [
    "the {i} icon",
    "the {i} icon",
    "the {i} button",
    "the {i} symbol",
    "the button with the {i}",
    "the icon [that looks like|showing|of] a {i}",
    "the {i}",
]
PURPOSE = ["the {p} icon", "the {p} button", "the icon for {p}", "the [button|icon] [to|that means] {p}"]

OF = [
    "{x} of {c}",
    "{x} for {c}",
    "{x} [next to|beside|at|by] {c}",
    "{x} in the row of {c}",
    "{x} in the {c} row",
    "{x} [on|under|belonging to|that goes with] {c}",
    "{c}'s {y}",
]

CONCEPT = {
    "cart_of": ["[add|put] {c} [to|in|into] [the|my] [cart|basket|shopping cart]", "[buy|order|get] {c}", "add the {c} to the [cart|basket]"],
    "cart_nth": ["[add|put] the {o} [product|result|item|one] [to|in|into] [the|my] [cart|basket]", "buy the {o} [item|product|one]"],
    "cart": ["[add|put] it [to|in|into] [the|my] [cart|basket]", "add [this|the product] to the [cart|basket]", "put the item in the cart", "buy it"],
    "open_cart": ["[open|go to|view|see] [the|my] [cart|basket]", "show my cart", "look at the shopping cart"],
    "checkout": ["[go|proceed] to [the |]checkout", "check out", "start the checkout"],
    "order": ["[place|complete|confirm|submit] the order", "place the order", "order it"],
    "pay": ["pay[ now|]", "make the payment"],
    "login": ["log in", "sign in", "login", "press the login button", "log me in"],
    "signup": ["sign up", "register", "create [the|an] account", "join"],
    "continue": ["continue", "go [on |]to the next step", "proceed", "move on"],
    "search": ["[start|run] the search", "click the search button", "press search"],
    "send": ["send [it|the message|the form]", "submit it"],
    "save": ["save [it|the changes|my changes|everything]", "save"],
    "submit": ["submit[ the form| it|]", "send the form", "press the submit button", "confirm"],
}  # fmt: skip

PAIR = [
    "{n}: {t}",
    "{n} {t}",
    "{n} with {t}",
    "{n} = {t}",
    "{t} as {n}",
    "{t} as the {n}",
    "{t} in {n}",
    "{t} for {n}",
    "{n} is {t}",
    "{n} - {t}",
]
FORM = ["fill [in|out] [the form with |the form: |]{pairs}", "enter {pairs}", "use {pairs}", "complete the form with {pairs}", "fill in the details ({pairs})", "fill {pairs}",
        "[here is|this is] what goes into the form: {pairs}", "fill in the [fields|form] as follows: {pairs}"]  # fmt: skip
WITH = [
    "{verb} with {pairs}",
    "{verb} with {pairs}",
    "{verb} using {pairs}",
    "{verb} ({pairs})",
    "{verb}: {pairs}",
]

SYNONYMS = [{"delete", "remove", "erase"}, {"edit", "modify", "change"}, {"close", "dismiss"}, {"cancel", "abort"}, {"buy", "purchase"}, {"begin", "start"},
            {"find", "search"}, {"send", "submit"}, {"show", "view", "display"}, {"make", "create"}, {"log in", "sign in", "login"}, {"sign up", "register"}, {"picture", "image"}]  # fmt: skip

ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
JOINS = [
    ", then ",
    ", then ",
    " and then ",
    ". Then ",
    ", and then ",
    "; then ",
    ", after that ",
    ". After that, ",
    ". Next, ",
    "; ",
    " and ",
]
OPENERS = ["", "", "", "", "", "", "please ", "[can|could|would] you [please |]", "I want you to ", "your task: ", "now ", "help me: ", "first, ", "[hi|hello], ", "kindly ", "on this page, ", "we need to "]  # fmt: skip
CLOSERS = [
    "",
    "",
    "",
    "",
    "",
    ".",
    ".",
    ".",
    "!",
    " please",
    ", please.",
    " [thanks|thank you]",
    ", [thanks|thank you].",
    " for me",
]
