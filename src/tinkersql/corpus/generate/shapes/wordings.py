"""Wordings that several shapes share: a list of the rows that meet a condition, and their number."""

LISTED = (
    "Which {things} {predicate}?",
    "[List|Show|Find|Name] [the|all] {things} {filter}.",
    "What are the {labels} of all {things} {filter}?",
    "[Show|Give|Find|Return|Get] the {labels} of [the |all |]{things} {filter}.",
    "[Give me|Show me|I need|Display|Fetch] [all|the] {things} {filter}.",
    "{labels} of {things} {filter}",
    "[I am looking for|I want to see|We need to see] [all |]{things} {filter}.",
    "[Can|Could] you [list|show me] all {things} {filter}?",
    "Of all {things}, which [ones |]{predicate}?",
    "Look up [the|all] {things} {filter} and [list|show] their {labels}.",
    "Are there any {things} {filter}? List them.",
    "All {things} {filter}, please.",
)
UNSEEN_LISTED = (
    "Tell me which {things} {predicate}.",
    "Please name [all|the] {things} {filter}.",
    "What {things} {predicate}?",
    "Print the {labels} of every one of the {things} {filter}.",
)
COUNTED = (
    "How many {things} {simple}?",
    "How many {things} are there {filter}?",
    "[Count|Count up] [the|all] {things} {filter}.",
    "What is the [total |]number of {things} {filter}?",
    "[Find|Give|Return|Show|Get] the [total |]number of {things} {filter}.",
    "How many of the {things} {predicate}?",
    "[Overall|In total|Altogether], how many {things} {predicate}?",
    "[Number|Count] of {things} {filter}",
    "[I need|I want] to know how many {things} {predicate}.",
    "Of all {things}, how many {predicate}?",
)
UNSEEN_COUNTED = (
    "Tell me how many {things} {predicate}.",
    "I want the count of all {things} {filter}.",
    "Say how many {things} {predicate}.",
)
