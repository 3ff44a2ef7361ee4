//! The run's name, from what the operator said or from the execution's name.

use pgleap_contract::RunId;

/// Hexadecimal digits of the hash that keeps a changed name unique.
const HASH_DIGITS: usize = 7;

/// The explicit id, or one made of the execution's name.
pub(crate) fn of(explicit: Option<&str>, execution_arn: &str) -> Result<RunId, String> {
    match explicit {
        Some(text) => RunId::try_from(text.to_owned()).map_err(|error| format!("runId: {error}")),
        None => Ok(from_execution_name(name_of(execution_arn)?)),
    }
}

/// `arn:aws:states:<region>:<account>:execution:<machine>:<name>`.
fn name_of(arn: &str) -> Result<&str, String> {
    match arn.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "states", _, _, "execution", _, name] if !name.is_empty() => Ok(name),
        _ => Err(format!("executionArn: {arn:?} is not the ARN of a standard execution")),
    }
}

/// The name itself where it fits. Otherwise what fits of it and a hash of the whole: two executions whose names differ
/// only in case, in a character that we cannot use, or far behind, must not share a run.
fn from_execution_name(name: &str) -> RunId {
    if let Ok(id) = RunId::try_from(name.to_owned()) {
        return id;
    }
    let mut start = String::new();
    for c in name.chars().map(|c| c.to_ascii_lowercase()) {
        let c = if c.is_ascii_alphanumeric() { c } else { '-' };
        if start.is_empty() && !c.is_ascii_lowercase() {
            start.push_str("r-");
        }
        if c != '-' || !start.ends_with('-') {
            start.push(c);
        }
    }
    start.truncate(RunId::LONGEST - HASH_DIGITS - 1);
    let start = if start.is_empty() { "r" } else { start.trim_end_matches('-') };
    let text = format!("{start}-{:0HASH_DIGITS$x}", hash(name) & 0x0fff_ffff);
    RunId::try_from(text).expect("a letter, then letters, digits and single hyphens, cut to length")
}

/// FNV-1a, folded to 32 bits: spreads well, needs no crate; nobody gains from a collision.
fn hash(text: &str) -> u32 {
    let wide = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (wide ^ (wide >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_name_that_fits_is_the_id() {
        let arn = "arn:aws:states:eu-west-1:123456789012:execution:pgleap-upgrade:orders-18";

        assert_eq!(of(None, arn).expect("fits").as_str(), "orders-18");
        assert_eq!(of(Some("mine"), arn).expect("explicit").as_str(), "mine");
    }

    #[test]
    fn any_other_name_gives_an_id_that_fits_and_differs() {
        let names = [
            "Orders-18",
            "ORDERS-18",
            "orders_18",
            "orders--18",
            "orders-18-",
            "18-orders",
            "-",
            "_",
            "é",
            "ünïcödé",
            "orders-eighteen-of-november",
            "orders-eighteen-of-december",
            "4f1c2f5e-0d0a-4f4e-9d36-3d1c7f8c2c11",
            "4f1c2f5e-0d0a-4f4e-9d36-3d1c7f8c2c12",
            "a1234567890-bcdefghij",
        ];
        let ids: HashSet<_> = names.iter().map(|name| from_execution_name(name)).collect();

        assert_eq!(ids.len(), names.len(), "{ids:?}");
    }

    #[test]
    fn what_is_no_execution_is_refused_by_the_name_of_the_field() {
        for arn in
            ["", "orders", "arn:aws:states:eu-west-1:1:stateMachine:m", "arn:aws:states:eu-west-1:1:express:m:n:u"]
        {
            assert!(of(None, arn).expect_err("no execution").starts_with("executionArn:"), "{arn}");
        }
        assert!(of(Some("Not Mine"), "").expect_err("bad id").starts_with("runId:"));
    }
}
