//! What the deploying page tells a reader to type exists.

use std::collections::BTreeSet;

use anyhow::Result;
use contract_tests::machine::{MACHINES, Machine, repository};
use contract_tests::template;

fn read(path: &str) -> Result<String> {
    Ok(std::fs::read_to_string(repository().join(path))?)
}

/// Every page that a reader may follow.
fn pages() -> Result<Vec<String>> {
    let mut pages = vec!["README.md".to_owned(), "infra/README.md".to_owned()];
    for folder in ["docs", "docs/runbook", "docs/decisions"] {
        for entry in std::fs::read_dir(repository().join(folder))? {
            let name = entry?.file_name().into_string().unwrap_or_default();
            pages.extend(name.ends_with(".md").then(|| format!("{folder}/{name}")));
        }
    }
    Ok(pages)
}

#[test]
fn every_make_target_and_variable_of_the_pages_is_in_the_makefile() -> Result<()> {
    let makefile = read("Makefile")?;
    for page in pages()? {
        let text = read(&page)?;
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
fn the_page_explains_every_parameter() -> Result<()> {
    let page = read("infra/README.md")?;
    for name in template::read()?["Parameters"].as_object().expect("parameters").keys() {
        assert!(page.contains(&format!("| `{name}` | ")), "infra/README.md has no row for {name}");
    }
    Ok(())
}

/// Commands of the AWS CLI that pages may show, with their options. Whoever shows another one looks it up and adds it here
/// (AWS CLI command reference, version 2).
const AWS_COMMANDS: &[(&str, &[&str])] = &[
    ("stepfunctions start-execution", &["--state-machine-arn", "--name", "--input", "--region"]),
    ("stepfunctions stop-execution", &["--execution-arn", "--error", "--cause", "--region"]),
    ("stepfunctions describe-execution", &["--execution-arn", "--query", "--output", "--region"]),
    ("stepfunctions send-task-success", &["--task-token", "--task-output", "--region"]),
    ("stepfunctions send-task-failure", &["--task-token", "--error", "--cause", "--region"]),
    ("cloudformation describe-stacks", &["--stack-name", "--query", "--output", "--region"]),
    ("secretsmanager get-secret-value", &["--secret-id", "--query", "--output", "--region"]),
];

#[test]
fn every_command_of_the_aws_cli_has_the_shape_that_the_cli_takes() -> Result<()> {
    let mut shown = 0;
    for page in pages()?.into_iter().chain(["infra/template.yaml".to_owned()]) {
        let text = read(&page)?.replace("\\\n", " ");
        for line in text.lines().map(str::trim).filter_map(|line| line.trim_start_matches('`').strip_prefix("aws ")) {
            let words: Vec<_> = line.split_whitespace().collect();
            let command = words[..2.min(words.len())].join(" ");
            let known = AWS_COMMANDS.iter().find(|(known, _)| *known == command);
            let (_, options) = known.unwrap_or_else(|| panic!("{page}: aws {command} is not known"));
            for option in words.iter().filter(|word| word.starts_with("--")) {
                assert!(options.contains(option), "{page}: aws {command} {option}");
            }
            shown += 1;
        }
    }
    assert!(shown >= 2, "{shown}");
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

#[test]
fn the_day_of_the_cutover_names_states_and_alarms_that_are_there() -> Result<()> {
    let page = read("docs/cutover-day.md")?;
    let template = template::read()?;
    let machines = ["upgrade", "fail-back"].map(|name| Machine::read(name).expect("a committed machine"));
    let states: BTreeSet<_> = machines.iter().flat_map(Machine::states).map(|(name, _)| name).collect();
    let outputs = template["Outputs"].as_object().expect("outputs");
    let alarms = read("infra/template.yaml")?;
    let mut seen = 0;
    for word in page.split('`').skip(1).step_by(2) {
        if let Some(alarm) = word.strip_prefix("orders-").filter(|name| *name != "db" && !MACHINES.contains(name)) {
            assert!(alarms.contains(&format!("AlarmName: !Sub ${{AWS::StackName}}-{alarm}\n")), "{word}");
            seen += 1;
        }
        for name in word.split('/').filter(|name| is_camel(name)) {
            assert!(states.contains(name) || outputs.contains_key(name), "{name}");
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
    Ok(())
}

/// `FenceSource`: words of a state's or an output's name.
fn is_camel(word: &str) -> bool {
    let capitals = word.bytes().filter(u8::is_ascii_uppercase).count();
    let starts = word.bytes().next().is_some_and(|letter| letter.is_ascii_uppercase());
    starts && capitals > 1 && word.len() > capitals && word.bytes().all(|letter| letter.is_ascii_alphabetic())
}
