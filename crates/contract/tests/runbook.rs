//! Every word that an operator can meet has its page in the runbook, and every page its word.

use std::collections::BTreeSet;
use std::path::PathBuf;

use pgleap_contract::ErrorCode;

const SECTIONS: [&str; 3] = ["## State of the system", "## What to do", "## What never to do"];

fn runbook() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/runbook")
}

#[test]
fn every_error_word_has_a_page_with_all_its_sections() {
    for code in ErrorCode::ALL {
        let path = runbook().join(format!("{code}.md"));
        let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("read page of {code}: {error}"));

        assert!(page.starts_with(&format!("# {code}\n")), "{code}: the title is another word");
        for section in SECTIONS {
            let text = page.split(section).nth(1).unwrap_or_else(|| panic!("{code}: no section {section:?}"));
            assert!(
                text.split("\n## ").next().is_some_and(|text| text.trim().len() > 10),
                "{code}: {section:?} is empty"
            );
        }
    }
}

#[test]
fn every_page_has_a_word_and_stands_in_the_index() {
    let words: BTreeSet<String> = ErrorCode::ALL.iter().map(|code| code.word().to_owned()).collect();
    let index = std::fs::read_to_string(runbook().join("README.md")).expect("index");
    for entry in std::fs::read_dir(runbook()).expect("folder") {
        let name = entry.expect("entry").file_name().into_string().expect("plain name");
        let Some(word) = name.strip_suffix(".md").filter(|word| *word != "README") else { continue };

        assert!(words.contains(word), "{name} is the page of no word");
        assert!(index.contains(&format!("[{word}]({name})")), "{name} is not in the index");
    }
}
