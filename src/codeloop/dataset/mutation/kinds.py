"""The table of all kinds of faults."""

from codeloop.dataset.mutation import bindings, calls, expressions, flow, syntax
from codeloop.dataset.mutation.faults import Family, Fault, Kind
from codeloop.dataset.mutation.source import Source

KINDS: tuple[Kind, ...] = (
    Kind(
        "range_end",
        Family.BOUND,
        "a range ends one value off",
        expressions.range_end,
    ),
    Kind("range_start", Family.BOUND, "a range begins one value off", expressions.range_start),
    Kind("index", Family.BOUND, "an index is off by one", expressions.index),
    Kind("slice_bound", Family.BOUND, "a bound of a slice is off by one", expressions.slice_bound),
    Kind("boundary", Family.BOUND, "`<` for `<=` and their like", expressions.boundary),
    Kind("constant", Family.BOUND, "a number is off by one", expressions.constant),
    Kind("comparison", Family.LOGIC, "a comparison the wrong way round", expressions.comparison),
    Kind("arithmetic", Family.LOGIC, "`+` for `-` and their like", expressions.arithmetic),
    Kind("boolean", Family.LOGIC, "`and` for `or`", expressions.boolean),
    Kind("negation", Family.LOGIC, "a condition is negated, or not", expressions.negation),
    Kind("min_max", Family.LOGIC, "`max` for `min`, `any` for `all`", expressions.min_max),
    Kind("float_division", Family.TYPE, "`/` for `//`", expressions.float_division),
    Kind("identity", Family.TYPE, "`is` for `==`", expressions.identity),
    Kind("base_case", Family.LOGIC, "a recursion lacks a base case", flow.base_case),
    Kind("guard", Family.LOGIC, "a special case is not left early", flow.guard),
    Kind("swapped_branches", Family.LOGIC, "both branches are swapped", flow.swapped_branches),
    Kind("elif_as_if", Family.LOGIC, "`if` for `elif`", flow.elif_as_if),
    Kind("early_return", Family.LOOP, "a return stands in the loop", flow.early_return),
    Kind("dropped_return", Family.LOGIC, "the result is not returned", flow.dropped_return),
    Kind("loop_exit", Family.LOOP, "`continue` for `break`, or not left out", flow.loop_exit),
    Kind("endless_loop", Family.LOOP, "a loop's step is missing or too short", flow.endless_loop),
    Kind("initial_value", Family.LOGIC, "a variable begins wrong", flow.initial_value),
    Kind("lost_sum", Family.LOOP, "`=` for `+=`", flow.lost_sum),
    Kind("reset_in_loop", Family.LOOP, "a variable begins anew in the loop", flow.reset_in_loop),
    Kind("split_assignment", Family.LOGIC, "`a, b = b, a` in two steps", flow.split_assignment),
    Kind("swapped_arguments", Family.LOGIC, "two arguments are swapped", calls.swapped_arguments),
    Kind("missing_conversion", Family.TYPE, "`int`, `str` left out", calls.missing_conversion),
    Kind("returns_text", Family.TYPE, "the result is turned into text", calls.returns_text),
    Kind("missing_set", Family.TYPE, "a list for a set", calls.missing_set),
    Kind("dropped_abs", Family.LOGIC, "`abs` left out", calls.dropped_abs),
    Kind("dropped_sort", Family.LOGIC, "not sorted", calls.dropped_sort),
    Kind("dropped_reverse", Family.LOGIC, "not reversed", calls.dropped_reverse),
    Kind("dropped_key", Family.LOGIC, "compared without `key`", calls.dropped_key),
    Kind("wrong_method", Family.LOGIC, "a method for its neighbour", calls.wrong_method),
    Kind("missing_call", Family.TYPE, "a method is not called", calls.missing_call),
    Kind("misspelt_name", Family.NAME, "a variable is mistyped", bindings.misspelt_name),
    Kind("misspelt_method", Family.NAME, "a method is mistyped", bindings.misspelt_method),
    Kind("missing_import", Family.NAME, "an import is missing", bindings.missing_import),
    Kind("missing_self", Family.NAME, "`self` is missing", bindings.missing_self),
    Kind("missing_nonlocal", Family.NAME, "`nonlocal` is missing", bindings.missing_nonlocal),
    Kind("wrong_variable", Family.NAME, "another variable is used", bindings.wrong_variable),
    Kind("mutable_default", Family.SHARING, "a list is a default", bindings.mutable_default),
    Kind("alias", Family.SHARING, "the same list in place of a copy", bindings.alias),
    Kind("shared_rows", Family.SHARING, "rows that are one list", bindings.shared_rows),
    Kind("missing_colon", Family.SYNTAX, "a colon is missing", syntax.missing_colon),
    Kind("missing_bracket", Family.SYNTAX, "a bracket is not closed", syntax.missing_bracket),
    Kind("missing_comma", Family.SYNTAX, "a comma is missing", syntax.missing_comma),
    Kind("indentation", Family.SYNTAX, "a line is indented wrong", syntax.indentation),
    Kind("unclosed_quote", Family.SYNTAX, "a quote is not closed", syntax.unclosed_quote),
    Kind("single_equals", Family.SYNTAX, "`=` for `==`", syntax.single_equals),
)

BY_NAME: dict[str, Kind] = {kind.name: kind for kind in KINDS}


def places(source: Source) -> dict[str, list[Fault]]:
    """Return the faults that a source may have, by kind; kinds without any are left out."""
    found = {kind.name: kind.places(source) for kind in KINDS}
    return {name: faults for name, faults in found.items() if faults}
