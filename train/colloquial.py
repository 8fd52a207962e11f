"""More of what people say, by intent, for training: other verbs, and wishes that are told by what comes of them.

Written as in `phrasebook.py`. None is a phrasing of the held-out split.
"""

COLLOQUIAL: dict[str, list[str]] = {
    "click": [
        "[poke|prod|jab|touch|tip on|ping|punch|thumb] {x}", "[fire|launch|invoke|engage|work|operate] {x}", "[place|land|put] a click on {x}",
        "the click goes [on|to] {x}", "what [you|we] [press|click|need] is {x}", "the [thing|control|one] to [press|click|use] is {x}",
        "I'd [press|click|use] {x}", "[aim for|reach for|make for] {x} and [click|press]", "{x} is [the one to press|what we press|your target]",
        "[as for|regarding] {x}: [click|press] it", "{x} needs [a press|pressing|clicking|to be pressed]", "{x} [waits|is waiting] to be [pressed|clicked]",
        "[be sure|make sure|see to it] that {x} [is|gets] [clicked|pressed]", "one [click|press|tap] on {x}[, no more|]", "[let's|shall we] [press|click|use] {x}",
        "{x} ought to be [pressed|clicked|tapped]", "[would|could] {x} be [pressed|clicked]", "[guide|steer|bring|take] the [mouse|pointer|cursor] to {x} and click",
        "the [finger|pointer|mouse] belongs on {x}, and [click|press]", "a [press|tap] of {x} [will|should] do it", "{x} is to be [pressed|clicked|used]",
    ],
    "open": [
        "[let's go|get us|lead us|off we go] to {x}", "[next stop|destination|target]: {x}", "{x} is where [I|we] [want|need] to [be|go]",
        "[hop|skip|step|wander] [over |across |]to {x}", "[step|walk|look] into {x}", "on to {x}", "[we|I] need {x} on the screen", "{x} ought to be [open|shown|on the screen]",
        "[how do I get|the way] to {x}? [Go|Click] there", "have {x} [opened|shown|on the screen]", "what does {x} have? Open it", "{x} is what [I|we] want to [see|read]",
    ],
    "tick": [
        "{x} [ought|needs] to be [on|ticked|checked|selected]", "give {x} a [tick|check mark|check]", "{x} should end up [ticked|checked|selected]", "I [accept|am fine with|say yes to] {x}",
        "with {x} [ticked|checked|selected]", "{x} - [yes please|sure|of course|by all means]", "[we|I] [do want|do need] {x}", "{x} [is in|applies|counts]",
        "have {x} [marked|enabled|selected]", "{x} must not stay [empty|unticked|unchecked]", "no empty box at {x}", "the box of {x} [should|must] [have|show] a [tick|check mark]",
        "{x} gets [ticked|checked|marked]", "[leave|see] {x} [ticked|checked]", "the tick [goes|belongs] [at|in|to] {x}",
    ],
    "untick": [
        "{x} [ought|needs] to be [off|unticked|empty]", "{x} should end up [unticked|unchecked|empty]", "leave {x} [unticked|unchecked|off|empty]", "{x} - [no thanks|certainly not|rather not]",
        "{x} [does not apply|is out|doesn't count]", "{x} must not stay [ticked|checked|on]", "without {x}", "[free|rid] {x} of its [tick|check mark]", "no tick belongs at {x}", "the tick at {x} has to go",
    ],
    "switch_on": [
        "{x} [ought|needs] to be [on|enabled|active]", "[flick|toggle|push|click] {x} to on", "{x} - on", "with {x} [on|enabled]", "have {x} [on|enabled|running]",
        "{x} should end up [on|enabled]", "leave {x} [on|enabled]", "[we|I] want to use {x}", "{x} must not stay off",
    ],
    "switch_off": [
        "{x} [ought|needs] to be [off|disabled]", "[flick|toggle|push|click] {x} to off", "{x} - off", "with {x} [off|disabled]", "have {x} [off|disabled]",
        "{x} should end up [off|disabled]", "leave {x} [off|disabled]", "{x} must not stay on", "[kill|silence|quit] {x}",
    ],
    "ticks": [
        "{list} should end up [ticked|checked]", "the ticks [go|belong] at {list}", "{list}: a tick at each", "give {list} a tick each", "[we|I] need ticks at {list}", "with {list} [ticked|checked]", "{list} [ought|need] to be [ticked|checked]",
    ],
    "type": [
        "[plug|slot|stick|tuck|load|feed|stuff|throw|dump] {t} [into|in] {x}", "[scribble|pencil|hammer|tap|bang|quill] {t} [into|in] {x}", "[as for|regarding|about|concerning] {x}: {t}",
        "[as for|when it comes to] {n}, [that is|that's|it is|it's] {t}", "{x} ought to [be|read|contain|have|hold] {t}", "I'd have {t} in {x}", "{x} should end up with {t}", "have {t} [written|typed|entered] [in|into] {x}",
        "get {t} [written|typed] [in|into] {x}", "{t}, that's what goes in {x}", "what I [need|want|would like] in {x} is {t}", "the right [text|value|entry] for {x} is {t}",
        "the {n} they ask for is {t}", "[just|simply] {t} in {x}", "[assign|attach|pass|hand] {t} to {x}", "[equip|furnish|load|feed] {x} with {t}", "{x} [carries|bears|shows] {t} in the end",
        "if it asks for {n}, [say|answer|give] {t}", "answer {n} with {t}", "[leave|put down|set down] {t} [in|at|under] {x}", "{t} is what [I want in|belongs in|they need in|should stand in] {x}",
        "[bring|get|send|move] {t} into {x}", "{x} has to [become|turn into|hold] {t}", "{n}? {t}", "{n} would be {t}", "my answer [for|at] {n} is {t}", "[swap|exchange] whatever is in {x} for {t}",
    ],
    "focus": ["the [cursor|caret] belongs in {x}", "[get|have] the [cursor|caret] in {x}", "[enter|step into] {x}", "be ready to type in {x}"],
    "clear": ["no text in {x}", "{x} ought to be empty", "[free|rid] {x} of its text", "nothing should stand in {x}", "[take|throw] out what is in {x}"],
    "search": [
        "[see|find out|check] what [there is|they have|comes up] for {t}", "[hunt down|track down|dig up|scan for] {t}", "{t} is what [I'm|we're|I am] [looking for|after]", "anything on {t}? [Search|Look it up]",
        "results for {t}", "[I'd|I would] like to find {t}", "the search should be for {t}", "[ask|use] the search for {t}", "[try|put] {t} in the search", "[let's see|see] what {t} brings up", "{t}: [search for it|look it up|find it]",
    ],
    "pick": [
        "{q} is [my|our] [choice|pick|answer|preference] [for|in|under|at] {n}", "I'd [go with|prefer|choose|take] {q} [for|in|at|under] {n}", "what I [need|prefer] in {x} is {q}", "[as for|regarding|about] {n}: {q}",
        "{n} ought to [be|read|say] {q}", "[switch|flip|move|bring|adjust] {x} to {q}", "{x} should end up [at|on|with] {q}", "[put|leave|have] {x} [at|on] {q}", "{q} [belongs|goes] [in|under|at|into] {x}",
        "[assign|attach|give] {q} to {x}", "the right [choice|option|value] [for|in|under] {n} is {q}", "of the [entries|options|choices] in {x}, {q}", "if it asks for {n}, {q}", "we're after {q} in {x}",
        "{q} would be [right|good|best|fine] for {n}", "{q} it is for {n}", "{n}? {q}", "have {q} [taken|picked] [in|for] {x}", "{q} is what {x} has to [say|be|hold]",
    ],
    "pick_only": [
        "{q} from the [list|dropdown|options]", "the [list|dropdown|menu] ought to [say|read|show] {q}", "[leave|put|have] the [list|dropdown] [at|on] {q}", "{q} is [my|our] pick from the list",
        "of the [entries|options] in the [list|dropdown], {q}", "what I need from the [list|dropdown] is {q}", "the list should end up [at|on] {q}",
    ],
    "choose": [
        "{x} is [my|our] [pick|preference|answer]", "I'd [go with|prefer|take|have] {x}", "[make it|let it be|it's] {x}", "{x} it is", "we're [going with|after] {x}", "the right [choice|option|answer] is {x}",
        "{x} would be [best|right|good|fine]", "{x}, that's the one", "put [the choice|the dot|it] [on|at] {x}", "have it [on|at] {x}", "{x} [ought|needs] to be [chosen|selected]", "{x} should end up [chosen|selected]",
    ],
    "slide": ["{n} ought to be [at |]{t}", "leave {n} at {t}", "have {x} [at|on] {t}", "[push|nudge|shift] {x} to {t}", "{x} should end up at {t}", "{t} would be right for {n}"],
    "step": ["{n} ought to be {t}", "[leave|put|have] {n} at {t}", "{t} would be right for {n}", "{n} should end up at {t}", "[we'll|we will] be {t} {n}", "as for {n}: {t}"],
    "date": ["{n} ought to be {t}", "the right {n} is {t}", "[as for|regarding] {n}: {t}", "I'd go with {t} for {n}", "{t} is [my|the|our] {n}", "[put|have] {x} [at|on] {t}", "{n} should end up as {t}", "{n}? {t}"],
    "menu": ["{t}, which is [in|under] {n}", "[in|under] {n} there is {t}: [take|use|click] it", "go [by|through] {n} to {t}", "{t} [via|by way of] {n}", "what I need is {t} [in|from|under] {n}"],
    "expand": ["[unroll|uncover|spread] {x}", "what does {x} [hold|hide]? Open it", "{x} ought to be open", "have {x} open", "{x} must not stay closed"],
    "collapse": ["{x} ought to be closed", "have {x} closed", "{x} must not stay open"],
    "hover": ["[hold|keep|park] the [mouse|pointer] [over|on] {x}", "[bring|steer|guide] the [mouse|pointer] over {x}", "the [mouse|pointer] belongs over {x}"],
    "double": ["two quick clicks on {x}", "{x} needs a double click", "double-press {x}"],
    "right": ["a right click on {x}", "{x} needs a right click", "the other mouse button on {x}"],
    "remove": ["[do away with|kick out|ditch|lose] {c}", "{c} has to go", "{c} must [go|vanish|disappear]", "no more {c}", "we can do without {c}", "{c} is to be [removed|deleted]"],
    "page": ["on to page {n}", "page {n} [is next|is the one I need]", "have page {n} [open|shown]", "[get|skip|leaf] to page {n}"],
    "sort": ["{n} should decide the order", "the order ought to be by {n}", "have [the rows|the table] sorted by {n}"],
    "rate": ["{n} [gets|is worth|earned] {t} stars", "{t} stars [go to|are for] {n}", "let me give {n} {t} stars"],
}  # fmt: skip
