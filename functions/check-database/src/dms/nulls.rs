//! What an expression says of a row in which some columns are null for a moment, read from its tree as the catalogs store it.
//!
//! Only what is certain counts as harmless: an expression that is made of strict functions and operators is null if one of its
//! columns is. Everything else may have a value.

const NULL_OF_NULL: &str = include_str!("null_of_null.sql");
const NOT_TRUE_OF_NULL: &str = include_str!("not_true_of_null.sql");

/// Nodes of which the result is null if an argument is, with functions and operators that are strict.
/// Source: PostgreSQL, `contain_nonstrict_functions`.
const STRICT: &str =
    "VAR,CONST,FUNCEXPR,OPEXPR,SCALARARRAYOPEXPR,RELABELTYPE,COERCEVIAIO,ARRAYCOERCEEXPR,COLLATE,COLLATEEXPR";

/// SQL for whether an expression, or each of a list, is certainly null if one of its columns is.
pub(crate) fn is_null_of_null(expression: &str) -> String {
    null_of_null(expression, STRICT)
}

/// SQL for whether a predicate that mentions one of the columns (an array of their numbers) certainly does not hold while that
/// is null. Joined by AND alone, one term that is null or false decides.
pub(crate) fn is_not_true_of_null(expression: &str, columns: &str) -> String {
    NOT_TRUE_OF_NULL
        .replace("{is_null_of_null}", &null_of_null(expression, &format!("{STRICT},BOOLEXPR,NULLTEST")))
        .replace("{columns}", columns)
        .replace("{expression}", expression)
}

fn null_of_null(expression: &str, nodes: &str) -> String {
    NULL_OF_NULL.replace("{nodes}", &format!("'{{{nodes}}}'::text[]")).replace("{expression}", expression)
}
