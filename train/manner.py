"""How people put what they want: frames around a wish, what comes before what, reasons that do not matter, haste.

A wish is the text of a clause. Most frames need one that begins with a verb ("click 'Save'"); the others take any.
"""

IMPERATIVES = frozenset(
    """access activate add adjust aim answer append apply arrange assign attach bring buy change check choose clear click
    close collapse complete confirm copy correct count create cross deactivate delete deselect disable discard dismiss
    display ditch do drag drop dump edit empty enable engage ensure enter erase exclude expand export feed fill find
    finish fire fix flick flip fold follow free get give go guide hammer hand have hide hit hold hop hover hunt input
    insert invoke jab jump keep key launch leaf leave left-click let list load locate log look make mark move name note
    nudge open opt order park pass pay pencil perform pick ping place plug point poke press proceed prod provide publish
    pull punch push put query rank reach read register reload remove rename reopen replace return reveal rid right-click
    rotate run save scribble scroll search see select send set shift show sign skip slide slot sort start state steer
    step stick strike stuff submit supply swap switch take tap tell throw thumb tick toggle touch track trash tuck turn
    type uncheck uncover unfold unmark unroll unselect untick update use view visit write""".split()
)
# Frames for a wish that begins with a verb: for training, and for the held-out split alone.
FRAMES = (
    ["I [want|would like|'d like|expect] you to {c}", "your [job|task|goal|mission|assignment] is to {c}", "the [goal|aim|task|plan|idea] [here |]is to {c}", "what I [need|want] is for you to {c}", "[try|go ahead|please try] and {c}",
     "it's time to {c}", "[we|you] [have|need|ought] to {c}", "let's {c}", "you [should|must|can] [now |]{c}", "[hey|hi|hello|ok|okay|so|right|well|alright], {c}", "do me a [favour|favor] and {c}", "would you [mind helping me|help me]? {c}",
     "[I was asked|my boss wants me|they told me|I forgot|I have] to {c}[, please do it|]", "all you [have|need] to do is {c}", "[next|now|here|this time], please {c}", "help me [to |]{c}", "[make sure|remember|be sure|don't forget] to {c}",
     "{c}, [that is all|that's it|nothing else|no more than that]", "{c} and [stop|then stop|nothing else|you are done|leave the rest]", "{c} [if you can|when you can|when you get a chance|if possible|whenever you are ready]", "{c} on this [page|site|screen]",
     "{c} [asap|now|right away|quickly|at once|first thing]", "[would|could|can|will] you [just |quickly |kindly |]{c}?", "[is it possible for you to|would you be able to|may I ask you to|could I get you to] {c}?", "[in|on] this [app|site|page|window], {c}",
     "[pls|plz|please] {c}", "{c} [pls|plz|thx|ty]", "[how do I|I don't know how to] {c}? Do it for me", "[I'm trying|I am trying|I tried] to {c}. [Do it|Please do it|Can you do it] for me", "[the next thing|one thing|first] is to {c}", "task: {c}", "to do: {c}",
     "[instruction|request|step|assignment]: {c}", "[I'd be happy|it would help|it would be nice] if you [could|would] {c}", "[after|when] you {c}, [you are done|stop|that is all]", "[user|me]: {c}", "[say|imagine] I [want|wanted] to {c}: do that"],
    ["I need you to {c}", "how about you {c}?", "the thing to do is to {c}", "be so kind as to {c}", "everything you must do: {c}", "might you {c}?"],
)  # fmt: skip
# Two wishes, each a verb phrase; {a} comes first in time.
ORDERS = (
    ["before you {b}, {a}", "{b}, but first {a}", "first {a}, and only then {b}", "{a}. [When|Once] that is done, {b}", "{a}. [When|Once] you have done that, {b}", "start with this: {a}. [Then|Afterwards|After that] {b}", "{a}, and [when|once|as soon as] that is done, {b}",
     "I want you to {b}, but before that {a}", "two things: {a}, [and|then] {b}", "{a} before you {b}", "step 1: {a}; step 2: {b}", "1) {a} 2) {b}", "- {a}\n- {b}", "{a}\n{b}", "{a} so that you can {b}", "{a} in order to {b}", "to {b}, {a} first", "{a}, which lets you {b}", "[do this|do this first]: {a}; [and then|afterwards|next]: {b}"],
    ["only {b} once you did this: {a}", "{b} comes second, the first thing is to {a}"],
)  # fmt: skip
# What has nothing to do with the page. No words here that pages are full of.
BEFORE = ["[I'm|I am|We are|We're] [planning|preparing|working on|busy with|thinking about] [a trip|a party|a present|my taxes|our move|the wedding|something for my aunt|dinner]. ", "[This is|It's|It is] [urgent|important|not urgent|for my sister|for a friend|just a try|a test]. ",
          "[My colleague|My brother|Someone|The boss|A friend] [is waiting for this|asked for this|needs this|told me to do this]. ", "I [have no time|am in a hurry|am driving|can't see well|have my hands full]. ", "[Good morning|Good evening|Hi there|Hello|Hey]! ",
          "[I don't know my way around here|I never used this before|I am lost here|I can't find it myself]. ", "You are [on|looking at] a web page. ", "[Look at|Here is|This is] [the screen|the page|a page|my screen]. ", "[Listen|Okay|All right|So]: "]  # fmt: skip
AFTER = [" [because|since|as] I [am in a hurry|need it today|can't do it myself|have no time|was told so]", " so that [we can go on|I can finish|I can go home|nobody has to wait]", " [for my sister|for the team|for tomorrow|for a friend|for me]", ". [It is urgent|Thank you|Thanks a lot|I am waiting|Be quick|Take your time|Nothing else]",
         ". [Stop|You can stop|You are done] after that", ", [would you|will you|can you|okay|alright]?"]  # fmt: skip
COUNTS = "zero one two three four five six seven eight nine ten eleven twelve".split()
