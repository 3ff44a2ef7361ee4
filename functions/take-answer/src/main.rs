//! Composition only: the function is in `lib.rs`.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    pgleap_step_kit::serve_pages("take-answer", take_answer::run)
}
