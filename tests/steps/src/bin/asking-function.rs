//! `ask-approval` as a process of its own, for a test whose machine waits: cargo builds a package's programs before its
//! tests, and not those of other packages.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    pgleap_step_kit::serve("ask-approval", ask_approval::run)
}
