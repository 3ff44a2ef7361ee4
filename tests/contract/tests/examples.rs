//! What the pages give away as an example works.

use std::process::Command;

use contract_tests::machine::repository;

#[test]
fn the_example_hook_keeps_the_contract_of_hooks() {
    let folder = repository().join("examples/hooks");
    let run = Command::new("python3").args(["-B", "-m", "unittest", "discover", "."]).current_dir(folder).output();
    let run = run.expect("python3 starts");

    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}
