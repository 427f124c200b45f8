"""The words by which `rsft.analysis.procedures` knows a procedure in one sentence of a trace, as data.

All are matched against lower-case text with straight quotes and single blanks; repetitions are bounded. The
first four are the behaviours of Gandhi et al. 2025 (arXiv:2503.01307). `bench/procedures.py` measures them.
"""

from __future__ import annotations

_WE = r"(?:i|we|let me|let's|let us|i'll|we'll|i will|we will|i can|we can|i should|we should|i'd|we'd)"
_NEED = (
    r"(?:need|want|have|has|had|ought|must|should|can|could|will|shall|would|just|also|now|first|to|'ll|d)"
)
_VALUE = r"(?:-?\$?\d|[a-z]\b(?! few\b)(?<!\ba)|\()"
_OPENING = r"^(?:[*#>\-\s]{0,4})(?:(?:so|okay|ok|now|and|but|hmm+|well|alright|then|yes|next),? ){0,2}"
_GOAL = r"(?:the (?:target|goal|result|total|answer|sum|final \w+|end)|this|that|it|there|-?\$?\d[\d.,]*)"
_FIND = (
    r"(?:find|compute|calculate|determine|figure out|solve|work out|look at|consider|handle|count|list|"
    r"convert|express|simplif\w+|add|subtract|multiply|divide|factor|expand|isolate|get|evaluate|set up|"
    r"identify|deal with|move on|write|analy[sz]e|examine|turn to|combine|derive|establish|know|understand)"
)

PATTERNS: dict[str, tuple[str, ...]] = {
    "backtracking": (
        r"\b(?:scrap|drop|ditch|forget|abandon) (?:that|this|it|the|my)\b|\b(?:back|step|going) up (?:a|"
        r"one|to|two) (?:bit|level|step|the)\b",
        r"\b(?:from|at) (?:another|a different|a new) (?:side|angle|perspective|point)|\bfrom the (?:top|"
        r"very beginning)\b",
        r"\b(?:i|we) (?:was|were|am|'m) too (?:hasty|quick|fast)\b|\b(?:i|we) mis-?\w+ed\b|\bno good\b(?=, "
        r"(?:i|we|let))",
        r"\btoo (?:complicated|messy|complex|hard)\b.{0,30}\b(?:another|other|easier|simpler|better|"
        r"different|instead)\b",
        r"\b(?:must|should|has to) be (?:a|an|some) (?:\w+ )?(?:easier|simpler|better|other|different|"
        r"faster) (?:way|method)\b",
        r"\b(?:path|branch|route|road|way|case|option|door) is (?:closed|dead|blocked|out|ruled out|"
        r"impossible)\b",
        r"\b(?:previous|earlier|first|original|initial|last) (?:answer|result|claim|attempt|calculation|"
        r"step) (?:is|was) (?:\w+ )?(?:wrong|incorrect|mistaken|off)\b",
        r"\b(?:must|has to|seems|looks|is|was|might|may|could) (?:to )?be (?:\w+ )?(?:off|wrong|a mistake|"
        r"an error|incorrect|mistaken|a typo)\b",
        r"\b(?:i|we) (?:\w+ )?(?:assumed|thought|said|claimed|took|counted|used|believed)"
        r"\b.{0,40}?\b(?:but|not given|wrong|twice|which was|which is not|mistake)\b|\bearlier (?:i|we) "
        r"(?:assumed|said|thought|claimed|had)\b",
        rf"\b{_WE} (?:\w+ )?(?:re-?read|look again|think again|try again|start again|begin again|count "
        rf"again|go again)\b",
        rf"\b{_WE} (?:\w+ )?think (?:\w+ )?(?:again|differently)\b",
        r"\bback to square one\b|\bback to the drawing board\b",
        r"^(?:hmm+,? |okay,? |ok,? |but |well,? |so )?(?:that|this|it)(?:'s| is| was) (?:\w+ )?(?:not "
        r"(?:\w+ )?(?:helpful|useful|good|enough|it|what|allowed|valid|going)|no good|no help|useless|too "
        r"complicated|impossible|invalid)\b",
        r"\b(?:i'm|i am|we're|i might be|i may be|we are|perhaps i'm) (?:\w+ )?(?:overcomplicating|"
        r"overthinking|confus\w+|missing something|misunderstanding|making this)\b",
        r"\b(?:my|our|an|a|the) (?:\w+ )?(?:mistake|error|slip|bug) (?:is|was|in|:)|\b(?:see|found|spotted|"
        r"there's|find) (?:my|the|our|an|a) (?:mistake|error)\b",
        r"\b(?:so|therefore|hence|thus) .{0,40}?\b(?:is (?:out|impossible|invalid|ruled out|not possible|"
        r"excluded)|can be (?:ruled out|discarded|excluded)|must be (?:discarded|ruled out|rejected))\b",
        r"\b(?:discard|reject|drop|forget|give up on|throw away|rule out) (?:this|that|the|it) ?(?:branch|"
        r"case|idea|approach|root|option|path|attempt|integral|possibility|\w+;)",
        r"\bgoes nowhere\b|\bnot getting anywhere\b|^(?:hmm+,? )?still (?:wrong|not|no|off|incorrect)\b",
        rf"\b{_WE} (?:\w+ )?(?:swapped|reversed|flipped|double[- ]counted|counted .{{0,20}} twice|skipped|"
        rf"lost|mis\w+ed)\b",
        r"^(?:hmm+|ugh|ah|argh|hm)[,.]? (?:so |but )?(?:no|not sure|that contradicts|that's (?:not|off)|i "
        r"(?:swapped|missed|see (?:my|the)))\b",
        r"(?:^|[.,;:(\"*\-] ?|\b(?:but|oh|no|hmm+|ah|okay|ok|so|and|uh|hm),? )wait\b(?=[,.!?:;…]| ?[-–—]| "
        r"(?:no|a (?:minute|second|sec|moment)\b[,.!]?|that|this|i|we|is|isn't|maybe|actually|if|but|what|"
        r"why|how|did|does|not|perhaps|wait|[a-z] ?[=<>])\b|$)",
        r"\b(?:wait|hang on|hold on) a (?:minute|second|sec|moment)[,.!:]",
        r"(?:^|, |but )(?:hold on|hang on)\b(?=[,.!]| [a-z])",
        r"^(?:oops|whoops|scratch that|never ?mind|correction)\b",
        r"\bscratch that\b",
        r"\b(?:i|we)(?:'ve| have|'d| had| must have| may have| might have)? (?:\w+ )?(?:(?:made|make) an? "
        r"(?:\w+ )?(?:mistake|error|slip)|misread|misinterpreted|misunderstood|miscounted|miscalculated|"
        r"misremembered|messed up|screwed up|forgot(?:ten)? (?:to|about|the|that)|overlooked|went wrong|"
        r"mixed up|confused)\b",
        r"\b(?:i|we) (?:was|were|am|must be|might be) (?:\w+ )?(?:wrong|mistaken|incorrect|off)\b",
        r"\b(?:that|this|it|which|something|there)(?:'s| is| was| seems| looks| must be)? (?:\w+ )?(?:not "
        r"(?:quite )?(?:right|correct|possible)|wrong\b|incorrect|a mistake|an error|a contradiction|a "
        r"dead end)\b",
        r"\b(?:that|this|it|which) (?:can't|cannot|can not|couldn't|isn't|is not|doesn't (?:seem|look)) "
        r"(?:\w+ )?(?:right|correct|possible|true)\b(?! *\?)",
        r"\b(?:claim|assumption|guess|result|calculation|conclusion|reasoning|formula) (?:was|is|must be) "
        r"(?:\w+ )?(?:wrong|incorrect|mistaken|false|flawed)\b",
        r"\b(?:that|this|it|the|my) ?(?:approach|way|path|method|idea|branch|route|attempt|strategy)? "
        r"(?:doesn't|does not|won't|will not|isn't|is not|didn't|did not|can't|cannot|fails?\b)(?:$|[,.;:]|"
        r" (?:work(?:ing)?|help|lead|go anywhere|seem to work|hold)\b)",
        r"\b(?:leads?|gets?|going|goes) (?:us |me )?(?:nowhere|to (?:a )?(?:dead end|contradiction))\b",
        r"^(?:\w+[,:]? )?dead end\b",
        r"\b(?:contradicts|contradiction\b(?! in terms)|abandon (?:this|that|it))",
        r"\b(?:start|starting|begin|do (?:this|that|it)) (?:over|again|afresh|anew|from scratch)\b",
        r"\bfrom scratch\b",
        rf"\b{_WE} (?:\w+ ){{0,2}}?(?:go|going|step|come|get|jump) back (?:to|and)\b",
        r"^(?:[\w ]{0,12})?(?:going back|backing|back|return(?:ing)?|go back) (?:up |again )?to (?:the |\d)",
        r"[,;:] (?:so )?(?:back|return(?:ing)?|going back) to (?:the |\d)",
        rf"\b{_WE} (?:\w+ ){{0,3}}?(?:reconsider|rethink|backtrack|redo|revisit|re-?think|re-?do|"
        rf"re-?examine|re-?evaluate|undo)\b",
        r"\b(?:have|need|want|going|got) to (?:backtrack|reconsider|rethink|redo|start over)\b",
        r"^(?:let me |let's |okay,? )?(?:redo|rethink|reconsider|backtrack)",
        r"\b(?:try|use|need|take|consider|attempt|switch to|think of|find) (?:a |an )?(?:different|another|"
        r"other|alternative|new|some other) (?:approach|way|method|path|route|idea|strategy|tack|angle|"
        r"direction|formula)\b",
        r"\b(?:on second thought|take a step back|let me step back)\b",
        r"^(?:hmm+,? )?actually,? (?:that|this|it|no|i|we|wait|the \w+ (?:is|was|should)|let)\b",
        r"^(?:hmm+,? |oh,? )?(?:no|nope),? (?:that|this|it|wait|i|we|because|since|the)\b",
        r"^alternatively,? (?:maybe|perhaps|i|we|let|one|use|consider)\b",
        r"^instead,? (?:let|i|we|of (?:that|this)|try|use)\b",
        r"^not (?:quite|right|correct)\b",
        r"\bsorry, (?:i|that|it|the)\b",
        r"\b(?:i'll|i will|let me|let's|we'll|better to|have to|should) switch\b",
        r"\bi should have\b",
        r"^stuck\b|\b(?:i'm|we're|i am|we are|getting) stuck\b",
    ),
    "verification": (
        r"\b(?:cross-?check|double-?check|re-?check|verify|check|test|confirm)ing (?:the|this|that|it|with|"
        r"against|my|our|n|x)\b",
        r"^(?:does|do|is|are) (?:\d+|x|n|the \w+) (?:\w+ )?(?:meet|satisfy|fulfil\w*|obey|work|fit|match)\b",
        r"^(?:so |yes,? |okay,? |good,? |and )?(?:that|this|it)(?:'s| is) (?:right|correct|true|consistent|"
        r"fine)\b",
        r"\b(?:we|i) (?:should|must|have to|need to|can) (?:\w+ )?make sure\b|, as (?:demanded|required|"
        r"needed|it should|stated)\b",
        r"\bplug(?:ging)? (?:it|this|that|them|these|everything|the \w+|\w ?= ?\d+) (?:back )?in\b",
        r"^(?:so |and |thus |therefore |yes,? |hence )?(?:it|this|that|x|the (?:answer|result|solution|"
        r"number|pair)) (?:\w+ )?(?:satisfies|meets|fulfil\w*|obeys|agrees|works for) (?:all|both|the|"
        r"every|each|our|with)\b",
        r"\b(?:which|that|this|it) (?:is|was) (?:indeed|exactly|precisely|also) (?:what|the|as|our|equal|"
        r"correct|right)\b",
        r"\b(?:is|are|does|do|was|were) indeed\b",
        r"\bboth (?:sides )?(?:give|are|equal|agree|yield|match|come out)\b.{0,20}?\d|\bcompar(?:e|ing) "
        r"(?:this |that |it )?(?:with|to|against)\b",
        r"\b(?:left|right)(?:-hand)? (?:side|hand side)\b.{0,30}\b(?:right|left)(?:-hand)? (?:side|hand "
        r"side)\b",
        r"\b(?:units?|numbers?|results?|totals?|answers?|sums?|signs?|dimensions?|values?|everything|all|"
        r"it all) (?:all )?(?:agrees?|match(?:es)?|fits?|adds? up|checks?|works? out)\b *(?:[,.!:;]|$| "
        r"with| too| as)",
        r"^(?:but )?(?:is|are) (?:\d+|it|this|that|[a-z]|they) (?:really |even |also |actually )"
        r"?(?:divisible|prime|a (?:prime|square|multiple|factor|divisor|solution|root)|in (?:the|our) "
        r"range|less than|greater than|positive|valid|allowed|consistent)\b.{0,30}\?",
        r"\b(?:another|a different|a second|the other) way:|\bto be (?:safe|sure|certain)\b",
        r"\bsame (?:as|answer as|result as) (?:before|earlier|above)\b|\bconsistent\b *[.!]?$|\bi'm (?:now "
        r")?confident\b",
        r"\bthe check (?:passes|works|succeeds|fails|holds)\b|\bso (?:the|this) (?:equation|identity|"
        r"formula) holds\b",
        r"\bcheck(?:ing)? (?:our|my|the) (?:work|answer|result|solution|calculation|arithmetic)\b",
        rf"\b{_WE} (?:\w+ ){{0,4}}?(?:check|verify|confirm|validate|re-?check|double-?check|re-?verify|"
        rf"cross-?check|re-?compute|re-?calculate|re-?count)\b(?! (?:in|out|into|on)\b)",
        r"(?:^|[,;:.] |\b(?:to|now|then|and|so|also|next|first|finally|lastly|quick|quickly|sanity|just|"
        r"always) )(?:double[- ]?)?(?:check|verify|confirm|validate|recheck|re-check|verification|checking|"
        r"verifying|confirming|double-checking)(?::|\b(?= (?:if|that|whether|the|this|these|those|all|my|"
        r"it|our|both|each|with|by|against|for|again|every|a few|them|\d|[a-z]\b)|,|$|\.))",
        r"\bsanity[- ]check\b|\bdouble[- ]check",
        r"^(?:[*#>\- ]{0,4})(?:check|verification|verify|test)\b[*]{0,2}:",
        r"\b(?:plug|plugging|substitut\w+|put|putting|insert\w*) (?:[\w=+\-*/^.]{1,12} ){0,5}?(?:back|in "
        r"the (?:first|second|third|original|other) (?:equation|condition|formula))\b",
        r"\bback (?:in|into) the (?:original|first|second|equation|formula)",
        r"\b(?:that |which |this |it |answer |result |everything |all |indeed |and )?(?:checks out|adds up|"
        r"add up (?:correctly|to the)|holds up)\b(?= *[,.!:?]|$)",
        r"\b(?:to|let me|let's|i'll|i want to) (?:make|be) (?:absolutely |really |quite |completely )?sure\b",
        r"\bjust to be (?:sure|safe|certain)\b",
        r"^(?:\w+,? )?(?:does|do|is|are|did) (?:this|that|it|these|they|the (?:answer|result|solution)|x) "
        r"(?:really |actually |all |also )?(?:satisfy|work|hold|correct|right|match|make sense|fit|add up|"
        r"valid|consistent)\b",
        r"\b(?:matches|match|agrees with|agree with|is consistent with|are consistent with|consistent with|"
        r"fits) (?:the|our|what|with)(?! (?:season|box|team))\b",
        r"\b(?:which|that|this|it|and) (?:matches|agrees|fits)\b(?= *[,.!]| with|$)",
        r"\b(?:conditions?|constraints?|requirements?|equations?) (?:is|are|hold|holds)?(?: all| both| "
        r"also)? ?(?:satisfied|met|fulfilled|hold|holds)\b",
        r"\bas (?:required|expected|desired|needed|claimed)\b *[.!]?$",
        rf"\b{_WE} (?:\w+ ){{0,2}}?(?:go over|review|count|look over|compute|calculate|run through)"
        rf"\b.{{0,40}}\b(?:once more|again|one more time)\b",
        r"\b(?:test|try) (?:this|the) (?:result|answer|solution|formula)\b",
        r"\b(?:let me|let's) see (?:if|whether) (?:that|this|it|they|these|everything) (?:\w+ )?(?:adds?|"
        r"works?|holds?|match\w*|fits?|makes? sense|checks?|satisf\w+)\b",
        r"^(?:yes,? |and |so )?(?:it|this|that) works\b[,.:!]? (?:because|since|as)\b",
        r"[,:;] (?:which is )?(?:correct|true|as desired|all good)\b *[.!]?$",
    ),
    "subgoals": (
        rf"^(?:first off|first up|for starters|to begin with|to start with|for a start),? (?:{_WE} )"
        rf"?(?:\w+ )?\w+\b",
        rf"{_OPENING}(?:now|next),? (?:what|how (?:many|much|long|far|big)|where) (?:is|are|does|do|was|"
        rf"were|\w+ (?:are|is|did))\b.{{0,80}}\?",
        rf"\b{_WE} (?:\w+ )?{_FIND} (?:each|every|all|both|the) .{{0,30}}?\b(?:separately|one by one|in "
        rf"turn|individually)\b",
        r"\b(?:two|three|four|several|\d) (?:things|quantities|parts|pieces|steps|tasks|unknowns) (?:to|we|"
        r"that we|i|are|:)|\bneed (?:two|three|four|\d) (?:things|quantities|pieces|values|facts|numbers):",
        r"\b(?:there are|we have|consider|take|handle|distinguish|treat) (?:two|three|four|several|\d) "
        r"(?:\w+ )?cases\b(?! (?:of|per|left|on|in (?:the|his|her|their|a)) \w+)",
        r"\b(?:the|these|those|each|two|three|both|all|several) (?:\w+ )?cases? (?:\w+ )?(?:separately|one "
        r"by one|one at a time|in turn|individually)\b",
        r"\b(?:one (?:at a time|by one)|in turn|step by step|case by case)\b *[.!:]?$",
        r"\bin (?:two|three|four|several|\d) (?:stages|phases|steps|parts)\b *[.!:]?$",
        rf"{_OPENING}next up\b",
        rf"{_OPENING}(?:(?:now|next),? )?(?:for |to |on to |onto |let's do |let's take )?the (?:first|"
        rf"second|third|fourth|next|last|final|remaining|other) (?:part|piece|question|term|half|condition|"
        rf"case|step|item|sum|factor|equation|row|column|option)\b ?[:,.?]",
        rf"{_OPENING}(?:now|next),? (?:for|on to|onto) the \w+\b",
        r"\b(?:let me|let's|i'll|we'll|we) (?:\w+ )?(?:list|tackle|set up|define|introduce|organi[sz]e|"
        r"summari[sz]e|outline|collect|gather|note|write down|lay out|go through) (?:what|the|all|each|"
        r"everything|our|some|these)\b",
        r"\bwhat(?:'s left| is left| remains)(?: now| to do)? is to\b|\b(?:it|all that) remains to\b",
        r"^(?:[*#>\-\s]{0,6})(?:step|stage|phase|part|case) (?:one|two|three|four|five|six)\b ?[:.\-,]",
        rf"^(?:[*#>\-\s]{{0,6}})\(?(?:[a-h]|[ivx]{{1,4}}|\d{{1,2}})\) [*]{{0,2}}{_FIND}\b",
        r"^(?:[*#>\-\s]{0,6})(?:step|stage|phase) ?\d{1,2}\b(?= ?[:.)\-*]| is\b| will\b|,)",
        r"^(?:[*#>\-\s]{0,6})(?:case|part|subcase|sub-case) (?:\d{1,2}|[ivx]{1,4}|\(?[a-z]\)?) ?[:.\-]",
        rf"^(?:[*#>\-\s]{{0,6}})\d{{1,2}}[.)] [*]{{0,2}}{_FIND}\b",
        r"\bbreak(?:ing)? (?:this|it|that|the \w+|things|everything)(?: \w+)? (?:down|into|up)\b",
        r"\b(?:let's|let me|we can|i can|we|i'll|we'll|us|i) (?:\w+ )?(?:split|divide|separate|decompose|"
        r"partition) (?:this|it|that|the problem|the \w+|things|everything) (?:\w+ )?(?:into|up)\b",
        r"\b(?:the|my|our) (?!(?:last|final) \w+ is (?!to\b))(?:first|second|third|next|last|final|following|"
        r"remaining) (?:step|thing|task|part|subgoal|goal|job) (?:is|will be|would be|to|here|for)\b",
        r"\b(?:next|first|second|final|last) step:",
        rf"{_OPENING}(?:first|firstly|second|secondly|third|thirdly|next|then|now|finally|lastly|after "
        rf"that|afterwards|to start|to begin)(?: of all)?,? (?:(?:{_WE}|you|{_NEED}) ){{1,5}}?{_FIND}\b",
        rf"{_OPENING}(?:first|firstly|second|secondly|third|next|now|finally|lastly|after that),? {_FIND}\b",
        rf"\b{_WE} (?:{_NEED} ){{0,3}}?first (?:{_NEED} ){{0,2}}?{_FIND}\b",
        rf"\b{_WE} (?:{_NEED} ){{0,4}}?{_FIND}\b.{{0,80}}\bfirst *[.!]?$",
        rf"[,:] (?:we )?first (?:{_NEED} )?{_FIND}\b",
        r"\b(?:let me|let's|i'll|i will|we'll|we|i|let us|can|will) (?:\w+ )?(?:start|begin) (?:by|with)"
        r"\b(?! \$?\d+ (?:\w+s|dollars)\b)",
        r"^(?:start|begin) by \w+ing\b",
        r"\b(?:my|our|the|a) plan(?: of attack)?(?:: | is(?: to|:))",
        r"\b(?:we|i|let's|let me) (?:will |can |'ll |should )?(?:proceed|work|handle|do this|go|treat)"
        r"\b.{0,20}\b(?:in (?:two|three|four|several|\d) (?:steps|stages|parts)|separately|step by step|"
        r"one by one|case by case)\b",
        rf"^(?:before|once|after) (?:{_WE} )?(?:{_NEED} )?(?:\w+ing|have|know|find|get|compute|got|found) "
        rf".{{1,60}}?, (?:{_WE}|we) (?:{_NEED} ){{0,3}}?{_FIND}\b",
        rf"^before (?:finding|computing|calculating|solving|determining) .{{1,60}}?, {_WE} need\b",
        rf"{_OPENING}(?:next|now),? {_WE} (?:\w+ )?(?:look|move|turn|go on|focus|consider|check|verify)\b",
        r"^(?:finally|lastly|next),? (?:let's|let me|we|i) (?:\w+ )?(?:check|verify|confirm)\b",
    ),
    "backward-chaining": (
        r"\b(?:work|working|go|going|think|thinking) back(?:wards?)? from \b|\bi(?:'d| would) need (?:a|an|"
        r"the|some)\b.{0,12}?\d",
        r"\bthe (?:final|end|last) (?:result|value|number|total|answer) (?:must|has to|should|needs to) be\b",
        r"\b(?:question|task|problem|goal) (?:now )?(?:becomes|is now|is then|turns into) (?:how|to|"
        r"finding|whether)\b",
        r"\b(?:last|final) (?:operation|step|move) (?:was|is) .{1,40}?, so (?:before|the)\b|\bthe (?:step|"
        r"number|value|one) before\b",
        r"\b(?:must|have to|need to|want to) end (?:on|in|with|at|up)\b",
        r"\b(?:how|where) (?:can|could|do|might|would) (?:we|i|you) (?:\w+ )?(?:make|get|reach|form|obtain|"
        r"build|produce|arrive at|end up with) (?:the |a |an )?(?:\$?\d|target|result|goal)",
        r"\bif (?:we|i) (?:could|can|had|were able to) (?:\w+ )?(?:get|make|reach|form|have|find|show|"
        r"build|obtain|prove)\b.{0,40}?, (?:then|we|i|\d|that|it)\b",
        r"\b(?:can|could) (?:i|we) (?:\w+ )?(?:make|get|form|reach|build|produce) \$?\d+\b",
        r"\bwhat (?:do|would|must|should|else do) (?:we|i) (?:\w+ )?(?:need|have|want)\b.{0,25}?\b(?:show|"
        r"prove|get|reach|make|here|for)\b",
        r"\b(?:our|the|my) (?:goal|target|aim) (?:is|was) .{1,60}?[;,:] (?:this|that|it|which|so|for)\b",
        rf"^{_OPENING[1:]}(?:for|in order for) (?:the|this|that|it|[a-z]|any|both|all)\b.{{0,30}}? to "
        rf"(?:be|equal|hold|have|vanish|work|become|divide)\b.{{0,50}}?\b(?:must|has to|have to|needs?|"
        rf"need to|had to|should|requires?)\b",
        r"\bif the (?:last|final) .{0,40}?, (?:then )?",
        r"\bbefore (?:the |that )?(?:\w+ing|last|final|this)\b.{0,25}?(?:we|he|she|they|it|there) (?:were|"
        r"was|had|must|would)\b",
        r"\bto (?:have|end up with|be left with|finish with|obtain|get|make|reach) "
        r"\$?\d+\b.{0,40}?\b(?:needs?|must|have to|had to|has to|subtract|add|multiply|divide|combine)\b",
        r"\bto (?:prove|show|conclude|establish) .{1,50}?(?:enough|suffic\w+|need|must|have to)\b",
        r"\bneed (?:the|this|that) \w+ to (?:equal|be|give|become)\b",
        r"\b(?:think|thinking|look|looking|reason|reasoning|start|starting)\w* .{0,25}?\b(?:from|at) the "
        r"end\b",
        r"\b(?:work|working|go|going|think|thinking|reason|reasoning|start|starting|solve|solving|trace|"
        r"tracing|let's go|proceed)\w* (?:\w+ ){0,3}?(?:backwards?|in reverse)\b(?! for \d)",
        r"^(?:work(?:ing)? )?backwards? (?:from|:)",
        r"\b(?:reverse|undo|undoing|reversing|invert\w*) (?:the|these|those|this|each|all|every) (?:\w+ )"
        r"?(?:steps?|operations?|process)\b",
        rf"\b(?:to|in order to) (?:get(?: to)?|reach|obtain|make|arrive at|end up with|end (?:with|at|on|"
        rf"up at)|produce|form|achieve|hit|have|finish with|build) {_GOAL}\b(?! (?:o'clock|pm|am)\b)"
        rf".{{0,50}}?[,:]? (?:(?:i|we|you|he|she|they|it)(?:'d| would| will|'ll)? (?:\w+ )?(?:need|must|"
        rf"have to|require|could|can use)\b|the (?:last|previous|final|missing|other|preceding) \w+ )",
        r"\b(?:what|which) (?:\w+ ){0,3}?(?:would |could |will |can |must |do (?:i|we) (?:need|have) to |"
        r"do (?:i|we) need|multipl\w+ to|adds? to|adds? up to|gives?|makes?)\b.{0,40}?(?:\b(?:give|make|"
        r"get|reach|produce|add up|to conclude|in order to|to \d+)\b|\d)",
        r"\b(?:the|our|my) (?:target|goal) is .{1,40}?, (?:so|which means|hence) (?:i|we)(?:'d)? (?:\w+ )"
        r"?need\b",
        r"^(?:so |since )?(?:\d[\d.]* ?= ?)?.{0,60}?\bso (?:i|we)(?:'d| would)? (?:\w+ )?need (?:to "
        r"(?:make|build|get|form|reach|obtain)|two numbers|a number|something|an? \d)",
        r"\b(?:i|we)(?:'d| would)? (?:\w+ )?need (?:to (?:make|build|form|get|reach|obtain) |an? )"
        r"\$?\d+\b.{0,30}?(?:\b(?:from|out of|with|using|to (?:make|get|reach|form))\b)",
        r"\b(?:i|we) (?:need|want|have) to (?:reach|hit|make|form|end up with|end with|arrive at) "
        r"\$?\d+\b.{0,10}?, (?:so|which|hence|and)\b",
        r"\b(?:last|final) (?:step|operation|move|equation|multiplication|addition) (?:must|has to|should|"
        r"would|could|will|needs to|had to)\b",
        r"\b(?:previous|missing|preceding|earlier|other) (?:number|value|term|step|factor) (?:must|has to|"
        r"would have to|had to|should|would)\b",
        r"\bbefore (?:that|the (?:last|final)|this|it|halving|doubling|squaring|adding|dividing|\w+ing)"
        r"\b.{0,30}?\b(?:must|would) (?:we )?have\b|\bbefore that (?:he|she|they|it|we|there) (?:had|must|"
        r"was)\b",
        r"\b(?:the|it) (?:number|value|\w+) before (?:\w+ing|that|this) (?:was|is|must)\b",
        r"\b(?:it (?:is|'s) (?:enough|sufficient)|it suffices|suffices) to\b",
        r"\bproblem (?:is )?reduce[sd]? to\b|\breduces to (?:finding|showing|proving|making)\b",
        r"\bstart(?:ing)? (?:from|at|with) the (?:goal|target|answer|end|final|result|desired)\b",
        r"^(?:for|if) (?:the|this|that|i|we) (?:sum|product|result|total|answer|want|final|end|need|"
        r"difference|expression|number|target)\b.{0,50}?, (?:\w+ ){0,6}?(?:must|would have to|has to|have "
        r"to|was|had to be|need)\b",
        r"\bsince the (?:final|last|result|target|goal) .{0,40}?, .{0,40}?\b(?:must|has to|have to|needs "
        r"to)\b",
        r"\bto end with \d+ .{0,20}?, (?:he|she|they|it|we) must have\b",
        r"\bdo (?:i|we) (?:need|have to) .{0,20}?\b(?:to (?:get|reach|make)|in order to)\b",
    ),
    "trial-and-error": (
        r"\b(?:see|check|test|look) (?:if|whether) (?:-?\d+|[a-z] ?= ?\d+) (?:\w+ )?(?:works?|fits?|"
        r"satisf\w+|does|is|divides?|gives?)\b",
        r"\bnot (?:quite )?enough\b *[.!]?$|^(?:maybe|perhaps|could|is) (?:the|it|its) (?:\w+ )?(?:is |be )"
        r"?(?:-?\d+)\b ?\?",
        r"\b(?:another|one more|a second|next|new) (?:attempt|try|guess|trial|candidate)\b ?:",
        r"\b(?:suppose|assume|say|guess|imagine) (?:that )?(?:the|this|its|it) (?:\w+ ){0,3}?(?:is|was|"
        r"equals|were) \d",
        r"\b(?:a few|some|several|a couple of|different|small|other) (?:small |simple |more )?(?:values|"
        r"cases|numbers|examples|candidates|choices)\b ?(?::|\.|,|of\b|for\b|and see|to see|until|by hand)",
        rf"^(?:{_OPENING[1:]})?(?:possible|possibly|possibility|candidate|is it|could it be|might it be|"
        rf"would it be|let's (?:go with|take|pick|use|say|attempt|start with|see|assume)|let me (?:pick|"
        rf"take|use|go with|attempt|say)|i'll (?:just )?(?:guess|pick|take)|take|pick|say|next "
        rf"(?:combination|candidate|option|guess|attempt|value))(?: that)?:? ?(?:[a-z] ?= ?)?\(?-?\$?\d",
        r"^(?:say|suppose|assume|imagine|what if)(?: that)? (?:the|it|its) (?:\w+ ){1,3}(?:was|is|were|be) "
        r"\d",
        r"\d\)? (?:doesn't|does not|didn't|won't|wouldn't|can't) (?:work|fit|help|do|divide)\b",
        r"\d,? (?:which )?(?:fails|no good|no luck|not useful|not close|no use|too far|not there yet|"
        r"doesn't work|does not work)\b",
        r"\d is (?:way |much |far |still |a bit |slightly )?(?:too (?:big|small|large|low|high)|not (?:\d|"
        r"the target|what|enough))",
        r"^(?:so |and |but )?\(?\d[\d.]* (?:isn't|is not) \d",
        rf"\b(?:try|trying|tried)[:,]? (?:out )?(?:with |using |to use |again with |it with |instead |"
        rf"assuming |setting |letting |plugging |picking )?(?:the (?:numbers?|values?|pair|larger|smaller|"
        rf"\w+est|two|next|other|first|second)|{_VALUE}|some (?:values|numbers|small|other|more)|small|"
        rf"different (?:values?|numbers?|combinations?|pairs?|orders?|choices?)|another (?:value|number|"
        rf"pair|combination|order|choice)|a few|a couple|all|other (?:values?|numbers?|combinations?)|"
        rf"values|numbers|combining|adding|subtracting|multiplying|dividing|assuming|setting|plugging|"
        rf"\w+ing \d)",
        r"\b(?:let me|let's|we can|i can|i'll|we) (?:just |first |now )?try (?:that|\w+ing|to (?:guess|"
        r"combine))\b",
        r"\btrial[- ]and[- ]error\b|\bguess[- ]and[- ]check\b|\bbrute[- ]force\b",
        rf"\b{_WE} (?:\w+ ){{0,2}}?guess\b",
        r"\b(?:my|our|a|an) (?:first |next |initial |better |second |educated )?guess (?:is|would be|of|"
        r"was)\b",
        rf"\b{_WE} (?:\w+ )?(?:test|experiment|play around|plug in)\b(?! (?:the|this) (?:result|answer|"
        rf"solution|formula))",
        rf"^(?:{_OPENING[1:]})?(?:what if|what about|how about|maybe|perhaps|could it be|suppose|say) "
        rf"(?:(?:we|i|it's|it is|use|try|take|using|the number is|that) ){{0,3}}(?:-?\d|\(|[a-z] ?=|that "
        rf"[a-z] ?=)",
        r"^(?:so |and )?(?:what if|suppose|maybe|perhaps) (?:we|i) (?:\w+ )?(?:use|take|pick|try|choose|"
        r"set|combine|add|subtract|multiply|divide|start)\b",
        r"\blet's (?:say|suppose|assume|pick) [a-z] ?= ?\d.{0,40}?\b(?:see|works?|check)\b",
        r"\b(?:let's|let me) see what happens (?:with|if|when)\b",
        r"\d\)?,? (?:no|nope|not (?:it|good|enough|equal|the target|\d+))\b *[.!]?$",
        r"(?:\d|which is|that's|that is|it's|is|still|a bit),? (?:still |a bit |slightly |much |far |way )"
        r"?too (?:big|small|large|low|high|little|much|many)\b(?! for\b)",
        r"\b[a-z] ?= ?-?\d+(?:\.\d+)? (?:doesn't|does not|also|fails|isn't|works|won't|gives?|yields|leads)"
        r"\b",
        r"^(?:[*#>\- ]{0,4})(?:next )?(?:attempt|trial|guess|option|try|another option|another try)(?: "
        r"\d{1,2})?:",
    ),
}
"""Procedure -> patterns, in the order of the tables."""
