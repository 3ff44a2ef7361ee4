//! What `cargo lambda deploy` reads in a step's manifest.

use crate::declared::Declared;

const SECTION: &str = "[package.metadata.lambda.deploy]";

/// The manifest, with memory and time-out as declared.
pub(super) fn render(manifest: &str, declared: &Declared) -> String {
    let section = format!(
        "{SECTION} # by make render, from step.yaml\nmemory = {}\ntimeout = {}\n\n",
        declared.memory, declared.timeout
    );
    let Some((before, rest)) = manifest.split_once(SECTION) else {
        return manifest.replacen("[lints]", &format!("{section}[lints]"), 1);
    };
    let after = rest.find("\n[").map_or("", |at| &rest[at + 1..]);
    format!("{before}{section}{after}")
}
