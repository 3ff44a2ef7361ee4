//! Expressions of checks, as the catalogs store them.

const CHANGEABLE: &str = include_str!("changeable.sql");

/// SQL for whether an expression may say something else of the same row at another time or place.
pub fn is_changeable(expression: &str) -> String {
    CHANGEABLE.replace("{expression}", expression)
}
