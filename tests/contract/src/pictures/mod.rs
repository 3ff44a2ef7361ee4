//! Pictures of the project, in Graphviz's language, from what the machines and the steps declare. `make pictures` draws them.

mod machine;
mod network;
mod overview;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use crate::declared::Step;

pub use machine::{file_name, states_of};

/// One picture: a file of `docs/pictures`, and what is drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Picture {
    /// Of the file, without its ending.
    pub name: String,
    /// What it shows, for readers who do not see it.
    pub title: String,
    /// The graph in Graphviz's language.
    pub dot: String,
}

/// Every picture.
///
/// # Errors
/// A machine or a step cannot be read.
pub fn all(steps: &[Step]) -> Result<Vec<Picture>> {
    let mut pictures = vec![overview::phases()?, overview::ways_back()?, network::network(steps)];
    pictures.extend(machine::phases()?);
    pictures.push(machine::recovery()?);
    Ok(pictures)
}

/// What a node stands for; the style sheet of `scripts/draw-pictures.mjs` gives each its colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Task,
    Choice,
    Wait,
    End,
    Elsewhere,
    Group,
    Phase,
    Safe,
    Users,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Kind::Task => "task",
            Kind::Choice => "choice",
            Kind::Wait => "wait",
            Kind::End => "end",
            Kind::Elsewhere => "elsewhere",
            Kind::Group => "group",
            Kind::Phase => "phase",
            Kind::Safe => "safe",
            Kind::Users => "users",
        }
    }

    fn shape(self) -> &'static str {
        match self {
            Kind::Choice => "hexagon",
            Kind::Wait => "ellipse",
            Kind::End => "octagon",
            _ => "box",
        }
    }
}

/// A graph that is being written.
#[derive(Debug)]
struct Graph {
    text: String,
    clusters: usize,
}

impl Graph {
    /// `direction` is Graphviz's: `TB` from top to bottom, `LR` from left to right.
    fn new(direction: &str) -> Self {
        let text = format!(
            "digraph {{\n  rankdir={direction}; bgcolor=transparent; pad=0.1; nodesep=0.25; ranksep=0.35;\n  \
             node [fontname=Helvetica, fontsize=11, margin=\"0.12,0.06\", height=0.3];\n  \
             edge [fontname=Helvetica, fontsize=9, arrowsize=0.6];\n"
        );
        Self { text, clusters: 0 }
    }

    fn node(&mut self, id: &str, label: &str, kind: Kind, more: &str) {
        let class = [kind.class(), more].join(" ");
        self.line(&format!(
            "{} [label={}, shape={}, class={}]",
            quoted(id),
            quoted(label),
            kind.shape(),
            quoted(class.trim())
        ));
    }

    fn edge(&mut self, from: &str, to: &str, label: &str, class: &str) {
        self.line(&format!("{} -> {} [label={}, class={}]", quoted(from), quoted(to), quoted(label), quoted(class)));
    }

    /// An edge that does not decide where its ends are placed.
    fn loose_edge(&mut self, from: &str, to: &str, class: &str) {
        self.line(&format!("{} -> {} [class={}, constraint=false]", quoted(from), quoted(to), quoted(class)));
    }

    /// Nodes in a frame.
    fn cluster(&mut self, label: &str, inside: impl FnOnce(&mut Self)) {
        self.clusters += 1;
        let head = format!(
            "subgraph cluster_{} {{ label={}; fontname=Helvetica; fontsize=10; class=frame;",
            self.clusters,
            quoted(label)
        );
        self.text.push_str(&format!("  {head}\n"));
        inside(self);
        self.text.push_str("  }\n");
    }

    fn line(&mut self, text: &str) {
        let _infallible = writeln!(self.text, "  {text};");
    }

    fn finish(self, name: &str, title: &str) -> Picture {
        Picture { name: name.to_owned(), title: title.to_owned(), dot: self.text + "}\n" }
    }
}

/// A text as Graphviz reads it; `\n` in it stays a line break.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}

/// How often each text comes, in order.
fn counted<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    texts.fold(BTreeMap::new(), |mut counts, text| {
        *counts.entry(text).or_default() += 1;
        counts
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::steps;

    #[test]
    fn every_picture_has_a_name_of_its_own_and_a_title() {
        let pictures = all(&steps().expect("the steps")).expect("the pictures");
        let names: std::collections::BTreeSet<_> = pictures.iter().map(|picture| picture.name.as_str()).collect();

        assert_eq!(names.len(), pictures.len());
        assert!(pictures.len() > 15, "{names:?}");
        assert!(pictures.iter().all(|picture| picture.title.len() > 10 && picture.dot.contains("->")));
    }

    #[test]
    fn a_quotation_mark_does_not_end_a_label() {
        let mut graph = Graph::new("TB");
        graph.node("a", "says \"no\"", Kind::Task, "dms");

        let dot = graph.finish("x", "y").dot;

        assert!(dot.contains(r#"label="says \"no\"", shape=box, class="task dms""#), "{dot}");
    }
}
