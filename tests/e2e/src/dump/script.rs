//! A script's commands for psql itself (`\connect`, `\set`, `\copy`), found without running it.
//!
//! psql finds them in the same way: a backslash outside of quotes, comments and the data of a COPY.

/// A command for psql.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    /// Without its backslash.
    pub(super) name: String,
    /// What follows it, as it is written.
    pub(super) text: String,
    /// Where it begins and ends in its line, in bytes.
    pub(super) span: (usize, usize),
}

impl Command {
    /// Its arguments, without quotes and without the semicolon that people put behind the last.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut words = words(&self.text);
        if let Some(last) = words.last_mut() {
            last.truncate(last.trim_end_matches(';').len());
        }
        words.retain(|word| !word.is_empty());
        words
    }

    /// The file that a `\copy` reads, if it is one that reads a file.
    pub(super) fn copied_file(&self) -> Option<String> {
        let words = words(&self.text);
        let from = words.iter().position(|word| word.eq_ignore_ascii_case("from"))?;
        let file = words.get(from + 1)?;
        let is_file = !["stdin", "pstdin", "program"].iter().any(|word| file.eq_ignore_ascii_case(word));
        is_file.then(|| file.clone())
    }

    /// psql reads rows from the lines that follow.
    fn has_data(&self) -> bool {
        let words = words(&self.text);
        let from = words.iter().position(|word| word.eq_ignore_ascii_case("from"));
        let source = from.and_then(|from| words.get(from + 1)).map(|word| word.trim_end_matches(';').to_owned());
        self.name == "copy" && source.is_some_and(|source| source.eq_ignore_ascii_case("stdin"))
    }
}

/// Where a statement about an event trigger begins or ends, in bytes of its line. Only one that has its first three words
/// on one line is found, as pg_dump writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// Before its first word.
    Begin(usize),
    /// Before what ends it.
    End(usize),
}

/// Where a line begins.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Within {
    Sql,
    /// A literal; whether a backslash protects what follows it.
    Literal(bool),
    Identifier,
    /// With its tag, dollars included.
    Dollars(Vec<u8>),
    /// So deep: comments nest.
    Comment(usize),
    CopyData,
}

/// Reads a script line by line.
#[derive(Debug)]
pub(super) struct Scanner {
    within: Within,
    first_word: String,
    last_word: String,
    reads_stdin: bool,
    /// The statement so far is about an event trigger.
    is_about_event_trigger: bool,
    edges: Vec<Edge>,
    /// `standard_conforming_strings` is off.
    escapes: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            within: Within::Sql,
            first_word: String::new(),
            last_word: String::new(),
            reads_stdin: false,
            is_about_event_trigger: false,
            edges: Vec::new(),
            escapes: false,
        }
    }
}

impl Scanner {
    /// The commands in the next line.
    pub(super) fn line(&mut self, line: &[u8]) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.within == Within::CopyData {
            if line.strip_suffix(b"\n").unwrap_or(line).trim_ascii_end() == b"\\." {
                self.within = Within::Sql;
            }
            return commands;
        }
        let mut data_follows = false;
        let mut at = 0;
        while at < line.len() {
            at = match &mut self.within {
                Within::Sql if line[at] == b'\\' => match command(line, at) {
                    Some(command) => {
                        let end = command.span.1;
                        data_follows |= command.has_data() || (command.name.starts_with('g') && self.copies());
                        if command.name.starts_with('g') {
                            self.end_statement(at);
                        }
                        commands.push(command);
                        end
                    }
                    None => at + 2,
                },
                Within::Sql => {
                    let semicolon = line[at] == b';';
                    data_follows |= semicolon && self.copies();
                    self.sql(line, at)
                }
                Within::Literal(escapes) => match line[at] {
                    b'\\' if *escapes => at + 2,
                    b'\'' => self.back_to_sql(at + 1),
                    _ => at + 1,
                },
                Within::Identifier if line[at] == b'"' => self.back_to_sql(at + 1),
                Within::Dollars(tag) if line[at..].starts_with(tag) => {
                    let end = at + tag.len();
                    self.back_to_sql(end)
                }
                Within::Comment(depth) if line[at..].starts_with(b"/*") => {
                    *depth += 1;
                    at + 2
                }
                Within::Comment(depth) if line[at..].starts_with(b"*/") => {
                    *depth -= 1;
                    let is_over = *depth == 0;
                    if is_over { self.back_to_sql(at + 2) } else { at + 2 }
                }
                _ => at + 1,
            };
        }
        if data_follows {
            self.within = Within::CopyData;
        }
        commands
    }

    fn back_to_sql(&mut self, at: usize) -> usize {
        self.within = Within::Sql;
        at
    }

    /// The statement so far is a COPY that takes rows.
    fn copies(&self) -> bool {
        self.first_word == "copy" && self.reads_stdin
    }

    /// The edges in the line that was read last.
    pub(super) fn edges(&mut self) -> Vec<Edge> {
        std::mem::take(&mut self.edges)
    }

    fn end_statement(&mut self, at: usize) {
        if std::mem::take(&mut self.is_about_event_trigger) {
            self.edges.push(Edge::End(at));
        }
        self.first_word.clear();
        self.last_word.clear();
        self.reads_stdin = false;
    }

    /// One step outside of quotes and comments; the answer is where the next one begins.
    fn sql(&mut self, line: &[u8], at: usize) -> usize {
        let rest = &line[at..];
        match rest[0] {
            b'\'' => self.within = Within::Literal(self.escapes),
            b'"' => self.within = Within::Identifier,
            b'-' if rest.starts_with(b"--") => return line.len(),
            b'/' if rest.starts_with(b"/*") => {
                self.within = Within::Comment(1);
                return at + 2;
            }
            b'$' => {
                if let Some(tag) = dollar_tag(rest) {
                    self.within = Within::Dollars(tag.to_vec());
                    return at + tag.len();
                }
            }
            b';' => self.end_statement(at),
            byte if is_of_word(byte) => {
                let length = rest.iter().take_while(|byte| is_of_word(**byte)).count();
                if rest.get(length) == Some(&b'\'') && rest[..length].eq_ignore_ascii_case(b"e") {
                    self.within = Within::Literal(true);
                    return at + length + 1;
                }
                if self.first_word.is_empty() && is_about_event_trigger(rest) {
                    self.is_about_event_trigger = true;
                    self.edges.push(Edge::Begin(at));
                }
                self.word(&String::from_utf8_lossy(&rest[..length]).to_ascii_lowercase());
                return at + length;
            }
            _ => {}
        }
        at + 1
    }

    fn word(&mut self, word: &str) {
        match (self.last_word.as_str(), word) {
            ("from", "stdin") => self.reads_stdin = true,
            ("standard_conforming_strings", "off") => self.escapes = true,
            ("standard_conforming_strings", "on") => self.escapes = false,
            _ => {}
        }
        if self.first_word.is_empty() {
            word.clone_into(&mut self.first_word);
        }
        // `SET standard_conforming_strings TO off`
        if word != "to" {
            word.clone_into(&mut self.last_word);
        }
    }
}

/// `CREATE EVENT TRIGGER`, `ALTER EVENT TRIGGER`: what takes a superuser.
fn is_about_event_trigger(statement: &[u8]) -> bool {
    let text = String::from_utf8_lossy(statement).to_ascii_lowercase();
    let words: Vec<_> = text.split_whitespace().take(3).collect();
    matches!(words[..], ["create" | "alter", "event", "trigger"])
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii() || byte == b'$'
}

/// `$$` or `$name$` at the beginning.
fn dollar_tag(text: &[u8]) -> Option<&[u8]> {
    let length = text[1..].iter().take_while(|byte| is_of_word(**byte) && **byte != b'$').count();
    let begins_with_digit = text.get(1).is_some_and(u8::is_ascii_digit);
    (text.get(length + 1) == Some(&b'$') && !begins_with_digit).then(|| &text[..length + 2])
}

/// Commands that take the rest of their line, backslashes included.
const WHOLE_LINE: &[&str] = &["copy", "!", "ef", "ev", "h", "help"];

/// The command at a backslash; none for `\;` and `\:`, which only protect a character, and `\\`, which ends a command.
fn command(line: &[u8], at: usize) -> Option<Command> {
    let name_at = at + 1;
    let ends_name = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'\\';
    let length = line[name_at..].iter().position(ends_name).unwrap_or(line.len() - name_at);
    let name = String::from_utf8_lossy(&line[name_at..name_at + length]).into_owned();
    if name.is_empty() || name.starts_with([';', ':']) {
        return None;
    }
    let text_at = name_at + length;
    let line_end = line.len() - line[text_at..].iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
    let end = if WHOLE_LINE.contains(&name.as_str()) { line_end } else { next_backslash(line, text_at, line_end) };
    let text = String::from_utf8_lossy(&line[text_at..end]).trim().to_owned();
    Some(Command { name, text, span: (at, end) })
}

/// The next one outside of quotes.
fn next_backslash(line: &[u8], from: usize, end: usize) -> usize {
    let mut quote = None;
    let mut at = from;
    while at < end {
        match (quote, line[at]) {
            (None, b'\\') => return at,
            (None, byte @ (b'\'' | b'"' | b'`')) => quote = Some(byte),
            (Some(b'\''), b'\\') => at += 1,
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
        at += 1;
    }
    end
}

/// By white space, without quotes; what stands in brackets is left out, so that a column called "from" is not met.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut has_word, mut quote, mut depth) = (String::new(), false, None, 0_usize);
    for character in text.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                has_word = true;
            }
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) if character.is_whitespace() => {
                if has_word {
                    words.push(std::mem::take(&mut word));
                }
                has_word = false;
            }
            _ if depth == 0 => {
                word.push(character);
                has_word = true;
            }
            _ => {}
        }
    }
    if has_word {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(script: &str) -> Vec<(usize, String, String)> {
        let mut scanner = Scanner::default();
        script
            .split_inclusive('\n')
            .enumerate()
            .flat_map(|(number, line)| {
                scanner
                    .line(line.as_bytes())
                    .into_iter()
                    .map(|command| (number + 1, command.name, command.text))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn names(script: &str) -> Vec<String> {
        commands(script).into_iter().map(|(_, name, _)| name).collect()
    }

    #[test]
    fn commands_are_found_with_their_lines_and_arguments() {
        let found = commands("SELECT 1;\n\\c shop;\n\\set QUIET on \\set ON_ERROR_STOP 1\nSELECT 2 \\g\n");

        let found: Vec<_> = found.iter().map(|(line, name, text)| (*line, name.as_str(), text.as_str())).collect();
        assert_eq!(found, [(2, "c", "shop;"), (3, "set", "QUIET on"), (3, "set", "ON_ERROR_STOP 1"), (4, "g", "")]);
    }

    #[test]
    fn what_is_quoted_commented_or_data_is_no_command() {
        for script in [
            "SELECT '\\c x';\n",
            "SELECT 'it''s\n\\c x\n';\n",
            "SELECT E'it\\'s \\c x';\n",
            "SELECT e'\\\\', '\\c x';\n",
            "SELECT \"a\\c x\";\n",
            "SELECT $$\n\\c x\n$$;\n",
            "SELECT $a$ $$ \\c x $$ $b$ \\c x $a$;\n",
            "-- \\c x\n",
            "/* /* */ \\c x\n*/ SELECT 1;\n",
            "COPY t (a, \"from\") FROM stdin;\n\\N\n\\connect x\n\\.\n",
            "copy t FROM STDIN WITH (FORMAT csv);\n\\c x\n\\.\n",
            "SET standard_conforming_strings = off;\nSELECT 'it\\'s \\c x';\n",
            "SET standard_conforming_strings TO off;\nSELECT 'it\\'s \\c x';\n",
            "INSERT INTO t VALUES (1)\\; SELECT a \\:: int;\n",
        ] {
            assert_eq!(commands(script), [], "{script}");
        }
    }

    #[test]
    fn after_all_that_commands_are_found_again() {
        for script in [
            "SELECT 'a\\';\n\\c x\n",
            "SELECT $1, a$b$c FROM t;\n\\c x\n",
            "COPY t FROM stdin;\n1\n\\.\n\\c x\n",
            "COPY t TO stdout;\n\\c x\n",
            "/* /* */ */ \\c x\n",
            "SELECT $a$ $a$; \\c x\n",
            "SELECT 1 -- it's\n\\c x\n",
            "SELECT 1; \\\\ \\c x\n",
        ] {
            assert_eq!(names(script), ["c"], "{script}");
        }
        assert_eq!(names("\\copy t FROM stdin\n\\c x\n\\.\n\\q\n"), ["copy", "q"]);
        assert_eq!(names("COPY t FROM stdin \\g\n\\c x\n\\.\n\\q\n"), ["g", "q"]);
    }

    #[test]
    fn the_file_of_a_copy_is_known() {
        let file = |text: &str| Command { name: "copy".to_owned(), text: text.to_owned(), span: (0, 0) }.copied_file();

        assert_eq!(file("a FROM './a b.csv' CSV;").as_deref(), Some("./a b.csv"));
        assert_eq!(file("a (x, \"from\") from a.csv with (format csv)").as_deref(), Some("a.csv"));
        assert_eq!(file("a FROM stdin"), None);
        assert_eq!(file("a FROM PROGRAM 'cat a'"), None);
        assert_eq!(file("a TO 'b.csv'"), None);
    }

    #[test]
    fn statements_about_event_triggers_are_found_and_no_others() {
        let edges = |script: &str| -> Vec<(usize, Edge)> {
            let mut scanner = Scanner::default();
            let lines = script.split_inclusive('\n').enumerate();
            let edges = lines.flat_map(|(number, line)| {
                scanner.line(line.as_bytes());
                scanner.edges().into_iter().map(|edge| (number, edge)).collect::<Vec<_>>()
            });
            edges.collect()
        };

        let created = edges(
            "SELECT 1; CREATE EVENT TRIGGER a ON ddl_command_end\n  WHEN TAG IN ('a;')\n  EXECUTE FUNCTION f();\n",
        );

        assert_eq!(created, [(0, Edge::Begin(10)), (2, Edge::End(22))]);
        assert_eq!(edges("alter event  trigger a owner to b;\n"), [(0, Edge::Begin(0)), (0, Edge::End(33))]);
        for other in [
            "-- CREATE EVENT TRIGGER a;\n",
            "SELECT 'CREATE EVENT TRIGGER a';\n",
            "COMMENT ON EVENT TRIGGER a IS 'x';\n",
            "CREATE FUNCTION f() RETURNS event_trigger AS $$ BEGIN; CREATE EVENT TRIGGER a; END $$;\n",
        ] {
            assert_eq!(edges(other), [], "{other}");
        }
    }
}
