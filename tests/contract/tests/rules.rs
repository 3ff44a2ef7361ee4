//! The rules of `tests/without/rules.yaml` can be taken away, and the tests that notice it exist.

use std::collections::BTreeSet;

use contract_tests::machine::repository;
use contract_tests::rules::Rule;

#[test]
fn each_rule_can_be_taken_away() {
    let rules = Rule::read().unwrap();
    for rule in &rules {
        for edit in rule.edits() {
            let text = std::fs::read_to_string(repository().join(&edit.file)).unwrap();
            let without = edit.taken_out_of(&text).unwrap_or_else(|error| panic!("{}: {error}", rule.rule));
            assert_ne!(without, text, "{}", rule.rule);
        }
    }
    let distinct: BTreeSet<&str> = rules.iter().map(|rule| rule.rule.as_str()).collect();
    assert_eq!(distinct.len(), rules.len());
}

#[test]
fn each_rule_names_a_test_that_exists() {
    for rule in Rule::read().unwrap() {
        let function = format!("fn {}()", rule.test_function());
        assert!(
            is_somewhere(&repository().join("tests/steps/tests"), &function)
                || is_somewhere(&repository().join("functions"), &function)
                || is_somewhere(&repository().join("engines"), &function),
            "{}: {}",
            rule.rule,
            rule.test
        );
    }
}

fn is_somewhere(folder: &std::path::Path, text: &str) -> bool {
    std::fs::read_dir(folder).expect("a folder").flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return is_somewhere(&path, text);
        }
        path.extension().is_some_and(|extension| extension == "rs")
            && std::fs::read_to_string(&path).expect("a text").contains(text)
    })
}
