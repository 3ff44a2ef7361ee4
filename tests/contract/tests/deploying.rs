//! What the deploying page tells a reader to type exists.

use std::collections::BTreeSet;

use anyhow::Result;
use contract_tests::{machine::repository, template};

fn read(path: &str) -> Result<String> {
    Ok(std::fs::read_to_string(repository().join(path))?)
}

#[test]
fn every_make_target_and_variable_of_the_pages_is_in_the_makefile() -> Result<()> {
    let makefile = read("Makefile")?;
    for page in ["infra/README.md", "README.md"] {
        let text = read(page)?;
        for command in text.split("make ").skip(1).map(|rest| rest.split(['`', '\n', '#']).next().unwrap_or_default()) {
            let mut words = command.split_whitespace();
            let target = words.next().unwrap_or_default();
            if !text.contains(&format!("`make {target}")) && !text.contains(&format!("\nmake {target}")) {
                continue; // prose: "make roles"
            }
            assert!(makefile.contains(&format!("\n{target}:")), "{page}: make {target}");
            for variable in words.filter_map(|word| word.split_once('=')).map(|(name, _)| name) {
                assert!(makefile.contains(&format!("\n{variable} ?=")), "{page}: make {target} {variable}=");
            }
        }
    }
    Ok(())
}

#[test]
fn the_example_explains_every_parameter_but_the_one_that_the_build_decides() -> Result<()> {
    let example = read("infra/parameters.example")?;
    let lines = example.lines().map(|line| line.trim_start_matches('#'));
    let named = lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name.to_owned());
    let named = named.filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric())).collect::<BTreeSet<_>>();
    let template = template::read()?;
    let parameters = template["Parameters"].as_object().expect("parameters");
    let wanted = parameters.keys().filter(|name| *name != "Architecture").cloned().collect();

    assert_eq!(named, wanted);
    for (name, parameter) in parameters {
        assert!(parameter["Description"].is_string(), "{name} has no explanation");
    }
    Ok(())
}

#[test]
fn the_console_shows_every_parameter_in_a_group() -> Result<()> {
    let template = template::read()?;
    let groups = &template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"];
    let grouped =
        groups.as_array().expect("groups").iter().flat_map(|group| group["Parameters"].as_array().expect("names"));
    let grouped = grouped.filter_map(|name| name.as_str()).collect::<BTreeSet<_>>();

    assert_eq!(grouped, template["Parameters"].as_object().expect("parameters").keys().map(String::as_str).collect());
    Ok(())
}

#[test]
fn every_file_that_the_page_names_is_there() -> Result<()> {
    let text = read("infra/README.md")?;
    for link in text.split("](../").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(repository().join(link).exists(), "{link}");
    }
    Ok(())
}
