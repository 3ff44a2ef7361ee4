//! The pages as GitHub shows them: tables are tables, links and anchors lead somewhere, no markup is read as text and no
//! text as markup.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use comrak::nodes::{Node, NodeValue};
use comrak::{Anchorizer, Arena, Options, parse_document};
use contract_tests::machine::{files, repository};

/// What a reader sees of a page, as far as it is checked.
#[derive(Debug, Default)]
struct Page {
    /// Lines and what is wrong there.
    problems: Vec<(usize, String)>,
    /// Lines and where a link there leads.
    links: Vec<(usize, String)>,
    /// Of headings.
    anchors: HashSet<String>,
}

impl Page {
    fn of(text: &str) -> Self {
        let (arena, lines) = (Arena::new(), text.lines().collect::<Vec<_>>());
        let (mut page, mut anchorizer) = (Self::default(), Anchorizer::new());
        for node in parse_document(&arena, text, &github()).descendants() {
            let data = node.data();
            let line = data.sourcepos.start.line;
            match &data.value {
                NodeValue::Heading(_) => {
                    page.anchors.insert(anchorizer.anchorize(&node.collect_text()));
                }
                NodeValue::Link(link) | NodeValue::Image(link) => page.links.push((line, link.url.clone())),
                NodeValue::TableRow(_) => {
                    let row = lines.get(line - 1).copied().unwrap_or_default();
                    page.problems.extend(wrong_cells(row, columns(node)).map(|problem| (line, problem)));
                }
                value => page.problems.extend(misread(value, node).map(|problem| (line, problem))),
            }
        }
        page
    }
}

/// What GitHub reads beside CommonMark.
fn github() -> Options<'static> {
    let mut options = Options::default();
    let extension = &mut options.extension;
    (extension.table, extension.strikethrough, extension.autolink, extension.tasklist) = (true, true, true, true);
    (extension.footnotes, extension.alerts, extension.math_dollars, extension.math_code) = (true, true, true, true);
    options
}

fn columns(row: Node<'_>) -> usize {
    match row.parent().map(|table| table.data().value.clone()) {
        Some(NodeValue::Table(table)) => table.num_columns,
        _ => 0,
    }
}

/// GitHub drops the cells of a row that are too many, and fills up those that are too few.
fn wrong_cells(row: &str, columns: usize) -> Option<String> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row).replace("\\|", "");
    let cells = row.strip_suffix('|').unwrap_or(&row).split('|').count();
    (cells != columns).then(|| format!("a row of {cells} cells in a table of {columns} columns"))
}

/// Markup that a reader sees, and text that GitHub takes as markup and a reader does not see.
fn misread(value: &NodeValue, node: Node<'_>) -> Option<String> {
    match value {
        NodeValue::Text(text) => shown_markup(text, node),
        NodeValue::HtmlInline(html) if !html.starts_with("<!--") && html != "<br>" => {
            Some(format!("{html} is read as HTML"))
        }
        NodeValue::HtmlBlock(html) if !html.literal.starts_with("<!--") => {
            Some(format!("{:?} is read as HTML", html.literal.lines().next().unwrap_or_default()))
        }
        NodeValue::Math(math) => Some(format!("{:?} is read as a formula", math.literal)),
        NodeValue::Strikethrough => Some(format!("{:?} is struck through", node.collect_text())),
        NodeValue::CodeBlock(code) if !code.fenced => Some("text is read as code, because it is indented".to_owned()),
        NodeValue::CodeBlock(code) if !code.closed => Some("a fence is never closed".to_owned()),
        _ => None,
    }
}

fn shown_markup(text: &str, node: Node<'_>) -> Option<String> {
    let begins_paragraph = node.previous_sibling().is_none()
        && node.parent().is_some_and(|parent| parent.data().value == NodeValue::Paragraph);
    let begins_line = |sign: &char| text.starts_with(*sign);
    let sign = ["](", "][", "**", "__", "~~", "`", "|--", "--|"].into_iter().find(|sign| text.contains(sign));
    let first = ['|', '#', '>'].into_iter().find(|sign| begins_paragraph && begins_line(sign));
    let shown = sign.map(str::to_owned).or(first.map(String::from))?;
    Some(format!("{shown:?} is shown as text: {text:?}"))
}

/// Every page of the project, by its path.
fn pages() -> BTreeMap<PathBuf, Page> {
    let paths = files(&root(), &[".md"]).into_iter();
    paths.map(|path| (path.clone(), Page::of(&std::fs::read_to_string(&path).expect("a page")))).collect()
}

/// Without `..`, so that paths can be compared.
fn root() -> PathBuf {
    repository().canonicalize().expect("the repository")
}

fn place(path: &Path, line: usize) -> String {
    format!("{}:{line}", path.strip_prefix(root()).unwrap_or(path).display())
}

#[test]
fn every_page_is_shown_as_it_is_meant() {
    let mut wrong = Vec::new();
    for (path, page) in pages() {
        wrong.extend(page.problems.iter().map(|(line, problem)| format!("{}: {problem}", place(&path, *line))));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut dead = Vec::new();
    for (path, page) in &pages {
        for (line, link) in &page.links {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let file = match target {
                "" => path.clone(),
                target => path.parent().expect("a folder").join(target),
            };
            let exists = file.canonicalize().is_ok_and(|file| {
                anchor.is_empty() || pages.get(&file).is_some_and(|page| page.anchors.contains(anchor))
            });
            if !exists {
                dead.push(format!("{}: {link}", place(path, *line)));
            }
        }
    }
    assert!(pages.len() > 60, "{} pages", pages.len());
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn what_github_shows_otherwise_than_it_was_meant_is_found() {
    let cases = [
        ("| a | b |\n|---|---|\n| 1 | 2 | 3 |\n", "a row of 3 cells in a table of 2 columns"),
        ("| a | b |\n|---|---|\n| 1 |\n", "a row of 1 cells in a table of 2 columns"),
        ("| a | b |\n|---|---|\n| `x | y` | 2 |\n", "a row of 3 cells in a table of 2 columns"),
        ("| a | b |\n|---|\n| 1 | 2 |\n", "is shown as text"),
        ("a\n\n    b\n", "because it is indented"),
        ("```\na\n", "a fence is never closed"),
        ("run <step> again\n", "<step> is read as HTML"),
        ("from $5 to $6\n", ""),
        ("from $a$ to b\n", "is read as a formula"),
        ("see [the page](a b.md)\n", "is shown as text"),
        ("a **b\n", "is shown as text"),
        ("#title\n", "is shown as text"),
        ("| a | b |\n|---|---|\n| `x \\| y` | 2 |\n", ""),
        ("## A title, with `code`\n\n- [x](#a-title-with-code)\n", ""),
    ];
    for (text, problem) in cases {
        let page = Page::of(text);
        match problem {
            "" => assert_eq!(page.problems, [], "{text}"),
            problem => {
                assert!(page.problems.iter().any(|(_, found)| found.contains(problem)), "{text}: {:?}", page.problems)
            }
        }
    }
    let titled = Page::of("## A title, with `code`\n");
    assert!(titled.anchors.contains("a-title-with-code"), "{:?}", titled.anchors);
}
