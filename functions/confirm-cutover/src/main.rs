//! Composition only: the step is in `lib.rs`.
fn main() {}
