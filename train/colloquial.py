"""More of what people say, by intent, for training: other verbs, and wishes that are told by what comes of them.

Written as in `phrasebook.py`. None is a phrasing of the held-out split.
"""

COLLOQUIAL: dict[str, list[str]] = {
    "click": [
        "[poke|prod|jab|touch|tip on|ping|punch|thumb] {x}", "[fire|launch|invoke|engage|work|operate] {x}", "[place|land|put] a click on {x}", "the click goes [on|to] {x}",
        "what [you|we] [press|click|need] is {x}", "the [thing|control|one] to [press|click|use] is {x}", "I'd [press|click|use] {x}", "[aim for|reach for|make for] {x} and [click|press]",
        "{x} is [the one to press|what we press|your target]", "[as for|regarding] {x}: [click|press] it", "{x} needs [a press|pressing|clicking|to be pressed]",
        "{x} [waits|is waiting] to be [pressed|clicked]", "[be sure|make sure|see to it] that {x} [is|gets] [clicked|pressed]", "one [click|press|tap] on {x}[, no more|]",
        "[let's|shall we] [press|click|use] {x}", "{x} ought to be [pressed|clicked|tapped]", "[would|could] {x} be [pressed|clicked]",
        "[guide|steer|bring|take] the [mouse|pointer|cursor] to {x} and click", "the [finger|pointer|mouse] belongs on {x}, and [click|press]", "a [press|tap] of {x} [will|should] do it",
        "{x} is to be [pressed|clicked|used]",
    ],
    "open": [
        "[let's go|get us|lead us|off we go] to {x}", "[next stop|destination|target]: {x}", "{x} is where [I|we] [want|need] to [be|go]", "[hop|skip|step|wander] [over |across |]to {x}",
        "[step|walk|look] into {x}", "on to {x}", "[we|I] need {x} on the screen", "{x} ought to be [open|shown|on the screen]", "[how do I get|the way] to {x}? [Go|Click] there",
        "have {x} [opened|shown|on the screen]", "what does {x} have? Open it", "{x} is what [I|we] want to [see|read]",
    ],
    "tick": [
        "{x} [ought|needs] to be [on|ticked|checked|selected]", "give {x} a [tick|check mark|check]", "{x} should end up [ticked|checked|selected]", "I [accept|am fine with|say yes to] {x}",
        "with {x} [ticked|checked|selected]", "{x} - [yes please|sure|of course|by all means]", "[we|I] [do want|do need] {x}", "{x} [is in|applies|counts]",
        "have {x} [marked|enabled|selected]", "{x} must not stay [empty|unticked|unchecked]", "no empty box at {x}", "the box of {x} [should|must] [have|show] a [tick|check mark]",
        "{x} gets [ticked|checked|marked]", "[leave|see] {x} [ticked|checked]", "the tick [goes|belongs] [at|in|to] {x}",
    ],
    "untick": [
        "{x} [ought|needs] to be [off|unticked|empty]", "{x} should end up [unticked|unchecked|empty]", "leave {x} [unticked|unchecked|off|empty]",
        "{x} - [no thanks|certainly not|rather not]", "{x} [does not apply|is out|doesn't count]", "{x} must not stay [ticked|checked|on]", "without {x}",
        "[free|rid] {x} of its [tick|check mark]", "no tick belongs at {x}", "the tick at {x} has to go",
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
        "{list} should end up [ticked|checked]", "the ticks [go|belong] at {list}", "{list}: a tick at each", "give {list} a tick each", "[we|I] need ticks at {list}",
        "with {list} [ticked|checked]", "{list} [ought|need] to be [ticked|checked]",
    ],
    "type": [
        "[plug|slot|stick|tuck|load|feed|stuff|throw|dump] {t} [into|in] {x}", "[scribble|pencil|hammer|tap|bang|quill] {t} [into|in] {x}", "[as for|regarding|about|concerning] {x}: {t}",
        "[as for|when it comes to] {n}, [that is|that's|it is|it's] {t}", "{x} ought to [be|read|contain|have|hold] {t}", "I'd have {t} in {x}", "{x} should end up with {t}",
        "have {t} [written|typed|entered] [in|into] {x}", "get {t} [written|typed] [in|into] {x}", "{t}, that's what goes in {x}", "what I [need|want|would like] in {x} is {t}",
        "the right [text|value|entry] for {x} is {t}", "the {n} they ask for is {t}", "[just|simply] {t} in {x}", "[assign|attach|pass|hand] {t} to {x}",
        "[equip|furnish|load|feed] {x} with {t}", "{x} [carries|bears|shows] {t} in the end", "if it asks for {n}, [say|answer|give] {t}", "answer {n} with {t}",
        "[leave|put down|set down] {t} [in|at|under] {x}", "{t} is what [I want in|belongs in|they need in|should stand in] {x}", "[bring|get|send|move] {t} into {x}",
        "{x} has to [become|turn into|hold] {t}", "{n}? {t}", "{n} would be {t}", "my answer [for|at] {n} is {t}", "[swap|exchange] whatever is in {x} for {t}",
    ],
    "focus": [
        "the [cursor|caret] belongs in {x}", "[get|have] the [cursor|caret] in {x}", "[enter|step into] {x}", "be ready to type in {x}",
        "[I want|I'd like|we need] to [type|write] in {x}[ next|]", "[make|get] {x} ready [for typing|to type in|for my text]", "[jump|go|move|step] [in|into|to] {x}[ so that I can type|]",
        "[give|hand] {x} the focus", "{x} [should|must|ought to] have the [focus|cursor|caret]", "[place|park] the [cursor|caret|text cursor] [in|inside|into] {x}",
        "start [typing|writing] in {x}, [but|though] no text yet", "the focus [goes|belongs] [in|into|to|on] {x}", "let me type in {x}", "[only|just] click in {x}",
    ],
    "clear": [
        "no text in {x}", "{x} ought to be empty", "[free|rid] {x} of its text", "nothing should stand in {x}", "[take|throw] out what is in {x}",
        "[take|get] [the text|everything|all text] out of {x}", "{x} should [be|end up|stay] [empty|without text]",
        "[remove|erase|delete|drop] [what is written|what stands|whatever is|all there is] in {x}", "no more text in {x}", "[throw away|cut] what {x} [holds|contains|says]",
        "{x} must not [say|hold|contain] anything", "[reset|scrub|void] {x}", "start over with {x}: empty it", "[make|get] {x} empty",
    ],
    "search": [
        "[see|find out|check] what [there is|they have|comes up] for {t}", "[hunt down|track down|dig up|scan for] {t}", "{t} is what [I'm|we're|I am] [looking for|after]",
        "anything on {t}? [Search|Look it up]", "results for {t}", "[I'd|I would] like to find {t}", "the search should be for {t}", "[ask|use] the search for {t}",
        "[try|put] {t} in the search", "[let's see|see] what {t} brings up", "{t}: [search for it|look it up|find it]", "[any|what] results for {t}?",
        "[where is|where can I find|where do they keep] {t}? Search", "[send|get|start] the search for {t}", "let the search [run|go] for {t}", "{t}, [search|find|look it up]",
        "[seek|explore|google|research|investigate] {t}", "[find out|learn] about {t}", "search with the words {t}", "put {t} to the search",
        "I [wonder|want to know] what they have on {t}: search", "have the site [searched|looked through] for {t}", "[filter|narrow] by {t}",
    ],
    "pick": [
        "{q} is [my|our] [choice|pick|answer|preference] [for|in|under|at] {n}", "I'd [go with|prefer|choose|take] {q} [for|in|at|under] {n}", "what I [need|prefer] in {x} is {q}",
        "[as for|regarding|about] {n}: {q}", "{n} ought to [be|read|say] {q}", "[switch|flip|move|bring|adjust] {x} to {q}", "{x} should end up [at|on|with] {q}",
        "[put|leave|have] {x} [at|on] {q}", "{q} [belongs|goes] [in|under|at|into] {x}", "[assign|attach|give] {q} to {x}", "the right [choice|option|value] [for|in|under] {n} is {q}",
        "of the [entries|options|choices] in {x}, {q}", "if it asks for {n}, {q}", "we're after {q} in {x}", "{q} would be [right|good|best|fine] for {n}", "{q} it is for {n}", "{n}? {q}",
        "have {q} [taken|picked] [in|for] {x}", "{q} is what {x} has to [say|be|hold]",
    ],
    "pick_only": [
        "{q} from the [list|dropdown|options]", "the [list|dropdown|menu] ought to [say|read|show] {q}", "[leave|put|have] the [list|dropdown] [at|on] {q}",
        "{q} is [my|our] pick from the list", "of the [entries|options] in the [list|dropdown], {q}", "what I need from the [list|dropdown] is {q}", "the list should end up [at|on] {q}",
    ],
    "choose": [
        "{x} is [my|our] [pick|preference|answer]", "I'd [go with|prefer|take|have] {x}", "[make it|let it be|it's] {x}", "{x} it is", "we're [going with|after] {x}",
        "the right [choice|option|answer] is {x}", "{x} would be [best|right|good|fine]", "{x}, that's the one", "put [the choice|the dot|it] [on|at] {x}", "have it [on|at] {x}",
        "{x} [ought|needs] to be [chosen|selected]", "{x} should end up [chosen|selected]",
    ],
    "slide": [
        "{n} ought to be [at |]{t}", "leave {n} at {t}", "have {x} [at|on] {t}", "[push|nudge|shift] {x} to {t}", "{x} should end up at {t}", "{t} would be right for {n}",
        "[turn|crank|drag|get] {n} [up or down |]to {t}", "I'd like {n} [at|on] {t}", "{n}: {t}", "{n} of {t}[, please|]", "[get|have] {n} [set |]to {t}",
        "let {n} [show|read|reach] {t}", "{t} for {n}", "[make|put] the {n} {t}",
    ],
    "step": [
        "{n} ought to be {t}", "[leave|put|have] {n} at {t}", "{t} would be right for {n}", "{n} should end up at {t}", "[we'll|we will] be {t} {n}", "as for {n}: {t}",
        "[raise|lower|lift|lead] {n} to {t}[, please|]", "{t} {n}[, please|]", "I'd like {t} {n}", "[count|click] {n} [up or down |]to {t}", "let {n} [show|read|reach] {t}", "{t} is how many {n}",
        "the number of {n} is {t}", "make {n} {t}",
    ],
    "date": [
        "{n} ought to be {t}", "the right {n} is {t}", "[as for|regarding] {n}: {t}", "I'd go with {t} for {n}", "{t} is [my|the|our] {n}", "[put|have] {x} [at|on] {t}",
        "{n} should end up as {t}", "{n}? {t}", "{t} [goes|belongs] [in|into|under] {n}", "[have|get] {t} [chosen|picked|set] [in|for] {x}", "I [need|want|would like] {t} [in|for|as] {n}",
        "what I want [in|for] {x} is {t}", "{n}, {t}", "[put|enter|mark] {t} [in|under|at] {n}", "make {n} the {t}", "the day for {n} is {t}", "[book|plan|fix] {n} for {t}",
    ],
    "menu": [
        "{t}, which is [in|under] {n}", "[in|under] {n} there is {t}: [take|use|click] it", "go [by|through] {n} to {t}", "{t} [via|by way of] {n}", "what I need is {t} [in|from|under] {n}",
        "[in|under] the menu {n}, [there is |it is |]{t}", "{n} menu, {t}", "{t} in the {n} menu[, please|]", "[pull down|drop down|call] {n} and [take|choose|use] {t}",
        "[have|get] {t} [from|out of] {n} [done|run|chosen]", "{n}: {t}", "menu {n}, entry {t}", "do {t} by way of the {n} menu",
    ],
    "expand": [
        "[unroll|uncover|spread] {x}", "what does {x} [hold|hide]? Open it", "{x} ought to be open", "have {x} open", "{x} must not stay closed",
        "[see|show|display] [more of|all of|everything in] {x}", "{x} should [be|stay|end up] [open|unfolded|expanded]", "[let me|I want to] read {x}", "what is in {x}? [Show me|Open it]",
        "[open|pull] {x} [up|out]", "[make|get] {x} [open|larger|expanded]", "more about {x}[, please|]", "[dig|go] into {x}",
    ],
    "collapse": [
        "{x} ought to be closed", "have {x} closed", "{x} must not stay open", "[tuck|put] {x} away", "[roll|fold] {x} [up|together]", "{x} is too long, [close|collapse|fold] it",
        "[I|we] do not need to see what is in {x}", "nothing of {x} should [show|be seen]", "[make|get] {x} [closed|smaller|small]", "{x} should [be|stay|end up] [closed|folded|collapsed]",
        "no more of {x}[, close it|]",
    ],
    "hover": [
        "[hold|keep|park] the [mouse|pointer] [over|on] {x}", "[bring|steer|guide] the [mouse|pointer] over {x}", "the [mouse|pointer] belongs over {x}",
        "[float|glide|linger|stay|stop|wait] [over|on|above] {x} [with the mouse|with the pointer|without clicking|but do not click]",
        "[point at|mouse over|go over] {x}[ without clicking|, no click|]", "[see|show|find out] what {x} shows when the [mouse|pointer] is [over|on] it",
        "the [mouse|pointer|cursor] should [stay|stop|stand|be] [over|on|above] {x}", "[slide|push|drift] the [mouse|cursor|pointer] [over|on|onto] {x}", "[only|just] [move|go] over {x}",
        "do not click {x}, only [point at it|hover]", "{x} wants [hovering|the mouse over it|to be hovered]", "with the [mouse|pointer] [over|on] {x}",
        "[get|have] the [mouse|pointer|cursor] [over|on|above] {x}",
    ],
    "double": [
        "two quick clicks on {x}", "{x} needs a double click", "double-press {x}", "[click|press|tap] two times on {x}", "[click|tap] {x} [two times|two times fast|and again at once]",
        "open {x} by [double-clicking|clicking two times]", "{x}: double click", "a double click [goes|belongs] on {x}", "[make|do] it a double click on {x}",
        "[quickly|fast] click {x} two times", "[have|get] {x} double-clicked", "{x} opens with two clicks, [do that|make them]",
    ],
    "right": [
        "a right click on {x}", "{x} needs a right click", "the other mouse button on {x}", "[press|click|tap] the right [button|mouse button|mouse key] [on|over|at] {x}",
        "the context menu of {x}[, please|]", "[open|get|call|show] [what|the menu that] a right click on {x} [shows|opens]", "{x}: right click",
        "[see|open] the options of {x} with [a right click|the right button]", "secondary click on {x}", "[have|get] {x} right-clicked", "with the right [button|mouse button], click {x}",
    ],
    "remove": [
        "[do away with|kick out|ditch|lose] {c}", "{c} has to go", "{c} must [go|vanish|disappear]", "no more {c}", "we can do without {c}", "{c} is to be [removed|deleted]",
        "[take|get] {c} [away|out of here|off the list]", "{c} is no longer [needed|wanted|of use]", "[have|make] {c} [disappear|vanish|go]", "away with {c}",
        "[purge|expunge|withdraw|eliminate|destroy|unlist] {c}", "I never want to see {c} again", "nobody needs {c}[: delete it|]", "{c} should not be [here|there|listed]",
        "[free|clean] the list of {c}",
    ],
    "page": [
        "on to page {n}", "page {n} [is next|is the one I need]", "have page {n} [open|shown]", "[get|skip|leaf] to page {n}", "[move|page] on to [number|page] {n}",
        "[see|read|get] [page|number] {n}", "I'd like to [see|read|have] page {n}", "let me [see|have] page {n}", "the page with the number {n}", "[make|it should be] page {n}",
        "number {n} of the pages",
    ],
    "sort": [
        "{n} should decide the order", "the order ought to be by {n}", "have [the rows|the table] sorted by {n}", "by {n}, please", "[have|get|make] them in order of {n}[, please|]",
        "[line|put] the rows up by {n}", "the order of the rows should [be by|follow] {n}", "[sorted|ordered|arranged] by {n}", "use {n} [for the order|to order the rows|for sorting]",
        "rows by {n}",
    ],
    "rate": ["{n} [gets|is worth|earned] {t} stars", "{t} stars [go to|are for] {n}", "let me give {n} {t} stars"],
    "drag": [
        "{x} should be {w} {y}", "[grab|take|seize] {x} and [drop|put|leave|release] it {w} {y}", "[carry|shift|slide|haul] {x} [{w} {y}]", "[get|have] {x} {w} {y}",
        "I [want|need|would like] {x} {w} {y}", "by dragging, [put|bring|get] {x} {w} {y}", "{x} has to [go|move|come] {w} {y}", "the place of {x} is {w} {y}",
    ],
    "reword": [
        "{t} was a mistake: [it is|make it|write] {v}", "{t} is now [called |]{v}", "[put|write] {v} where it says {t}", "{t} gets a new name, {v}", "[update|amend|modify] {t} to {v}",
        "I meant {v}, not {t}", "[have|get] {t} [changed|renamed|corrected] to {v}", "from {t} to {v}",
    ],
    "correct": [
        "{n} of {c}: {t}", "[have|get] the {n} of {c} [changed|set|corrected] to {t}", "in the record of {c}, [make|set] {n} {t}", "{c} now has {n} {t}",
        "{c}'s {n} [should be|is|has become] {t}[, change it|]", "the {n} for {c} was wrong, it is {t}", "[edit|modify|amend] the {n} of {c}[: | so that it is |, it is ]{t}",
    ],
    "create": [
        "[get|have] a new {n} [made|started|added]", "[one|a] [more|new] {n}[, please|]", "[set|put] up a [new |]{n}", "I'd like [to make|to add|to start] a [new |]{n}",
        "a new {n} is needed", "we are missing a {n}, add [one|it]", "open a new {n}",
    ],
    "create_named": [
        "[get|have] a [new |]{n} [called|named] {t} [made|added]", "a new {n} by the name of {t}", "[set|put] up a [new |]{n} [called|named] {t}", "we are missing the {n} {t}, add it",
        "{t} is a new {n}[, add it|]", "the {n} {t} has to be [added|created]",
    ],
    "row_menu": [
        "{t} {c} by its [menu|dots|three dots]", "[behind|under] the [dots|menu] of {c} [is|there is|you find] {t}: [choose|click|take] it", "{c} has a menu: [choose|take|use] {t}",
        "[take|use] {t} [from|in] the menu [next to|beside|of|at] {c}", "the [dots|menu] of {c}, then {t}", "to {t} {c}, open its menu",
    ],
    "path": [
        "{t} is in [the folder |]{n}: [open|click|find] it", "{n}, then {t}", "{n} / {t}", "[within|inside] {n} [click|open|choose] {t}", "look in [the folder |]{n} for {t}[ and click it|]",
        "[have|get] {t} from [the folder |]{n}[ opened|]", "what I want is {t} in {n}",
    ],
    "dismiss": [
        "[close|send away|shoo] [this|the] [popup|dialog|message|notice|window]", "I do not want [this|the] [popup|dialog|message|window]",
        "[the|this] [popup|dialog|message|window] [is in the way|has to go|should go away|bothers me]", "away with the [popup|dialog|message|notice]",
        "[leave|exit|quit] the [dialog|popup|window]", "no [popup|dialog|message], please",
    ],
    "refuse": [
        "[I'd|I would] rather not", "I changed my mind, do not {a}", "no, [do not|don't|please don't] {a}", "stop, [do not|don't] {a}", "[back out|take it back]: do not {a}",
        "leave it as it is, do not {a}",
    ],
    "confirm": [
        "{a}, [I am sure|no doubt about it|I mean it|for real]", "[do|please do] {a}", "I really want to {a}", "{a} and [agree|say OK|say yes] [when asked|if it asks|to the question]",
        "[go on|go ahead], {a}",
    ],
    "ask": [
        "the {a} is what?", "I'm [looking for|after] the {a}", "[have|take] a look at the {a} and [tell me|say it]", "let me [know|have] the {a}", "what would be the {a}?",
        "which is the {a}?", "I need the {a}", "how about the {a}?", "the {a} says what?", "[spell|state|name] the {a}",
    ],
    "ask_of": [
        "the {a} of {s} is what?", "I'm [looking for|after] the {a} [of|for] {s}", "let me [know|have] the {a} [of|for] {s}", "{s} has [what|which] {a}?",
        "what [would be|stands as] the {a} [of|for] {s}?", "I need the {a} [of|for] {s}", "[spell|state|name] the {a} [of|for] {s}", "about {s}: the {a}?", "under {a}, what does {s} have?",
    ],
    "count": [
        "[find out|say|see] how many {w} there are", "what is the number of {w}?", "the number of {w}, please", "{w}: how many?", "[add up|number] the {w}",
        "how many {w} does the page [show|have]?", "I need to know how many {w} [there are|are shown]",
    ],
    "copy": [
        "[have|get] the {a} [copied|written] [in|into] {x}", "the {a} [goes|belongs] [in|into] {x}", "what {x} [needs|wants] is the {a}", "{x} gets the {a}",
        "{x}: the {a} [from|on] this page", "repeat the {a} in {x}", "the same as the {a} [should stand|goes] in {x}", "[see|read] the {a}; [type|write|repeat] it in {x}",
    ],
    "mark_done": [
        "{t} is [behind us|out of the way|over]", "I [did|finished|completed] {t}", "[put|set] a [tick|check] [at|by|next to] {t}", "{t} - done", "{t} should be [ticked|crossed] off",
        "[have|get] {t} [ticked|marked|checked] off",
    ],
    "mark_open": ["{t} has to be done again", "I have not [done|finished] {t} yet", "[take|remove] the tick [from|at|of] {t}", "{t} - not done", "{t} should be open again"],
    "add_to_list": [
        "{t} goes on the list", "one more for the list: {t}", "[have|get] {t} [on|onto] the list", "I must not forget {t}[: add it|]", "{t} is still to be done[, add it|]",
        "[extend|lengthen] the list by {t}", "[write|note|jot] {t} down", "list {t} too",
    ],
    "buy": [
        "I'll have {c}, {p}", "{c}, {p}, [into|in] the [cart|basket]", "order me {c}: {p}", "{c} with {p}, [please|in the cart]", "one {c}, {p}[, to the cart|]", "put {c} aside for me, {p}",
    ],
    "which": ["who or what has {v} as [its |the |]{a}?", "{v} is the {a} of [which one|what|whom]?", "the one with {a} {v} is [called what|which]?", "find out which one has {a} {v}"],
    "most": ["the [highest|largest|greatest] {a}: [whose|which one]?", "where is the {a} [highest|largest|greatest]?", "who or what leads in {a}?"],
    "least": ["the [lowest|smallest|least] {a}: [whose|which one]?", "where is the {a} [lowest|smallest|least]?", "who or what is last in {a}?"],
    "nth": [
        "{x}[, please|]", "on to {x}", "I'd like [to see |]{x}", "{x} is what I want", "I [need|want] {x}", "click through to {x}", "let's have {x}", "{x} looks good, [open|click] it",
        "[get|find] {x} and [open|click] it",
    ],
    "result": [
        "the {o} result[, please|]", "I'd like the {o} [result|hit]", "on to the {o} [result|hit|search result]", "of the results, the {o}", "result number {o}[, click it|]",
        "let me see the {o} [result|hit]", "the {o} [hit|result] looks good, [open|click] it",
    ],
    "name_nth": ["{x} is called what?", "the name of {x}[, please|]", "let me know the name of {x}", "what does {x} say?", "I need the name of {x}", "[say|tell me] what {x} is called"],
}  # fmt: skip
