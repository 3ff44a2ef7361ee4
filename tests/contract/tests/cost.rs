//! What a run's report goes by, against the template.

use anyhow::Result;
use contract_tests::template;

#[test]
fn the_memory_that_seconds_are_paid_for_is_the_templates() -> Result<()> {
    for (step, function) in template::functions()? {
        assert_eq!(
            u64::from(pgleap_prices::memory_megabytes(&step)),
            function.memory,
            "{step}: crates/prices/src/memory.rs"
        );
    }
    Ok(())
}
