//! The JSONata that the machines may use: paths, literals, `$count(..)`, `$parse(..).member`, comparisons, `and`, `or`, `&`, `+ 1`,
//! `.. ? .. : ..`.
//!
//! The rehearsal evaluates JSONata in one engine and AWS in another; within this grammar they agree.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// What an expression can see: the variables, and `$states` with `input`, `result`, `errorOutput`, `context`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scope {
    /// Variables by name, without `$`.
    pub variables: Map<String, Value>,
    /// Members of `$states`.
    pub states: Map<String, Value>,
}

/// Evaluate a template: `{% .. %}` strings are expressions, everything else stands for itself.
pub fn evaluate(template: &Value, scope: &Scope) -> Result<Value> {
    match template {
        Value::String(text) => match inner(text) {
            Some(expression) => evaluate_expression(expression, scope).with_context(|| format!("evaluate {text}")),
            None => Ok(template.clone()),
        },
        Value::Array(items) => items.iter().map(|item| evaluate(item, scope)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| Ok((name.clone(), evaluate(member, scope)?))).collect()
        }
        _ => Ok(template.clone()),
    }
}

/// The expression inside `{% .. %}`.
pub fn inner(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}").map(str::trim)
}

/// Evaluate one expression. A path to nothing is an error: on AWS it would fail the state.
pub fn evaluate_expression(text: &str, scope: &Scope) -> Result<Value> {
    let tokens = tokenize(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, scope, not_taken: false };
    let value = parser.conditional()?;
    if parser.at != tokens.len() {
        bail!("unexpected {:?}", tokens[parser.at]);
    }
    Ok(value)
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Path(Vec<String>),
    Text(String),
    Number(f64),
    Word(String),
    Symbol(String),
}

fn tokenize(text: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '$' => {
                let end = rest[1..]
                    .find(|c: char| !(c.is_alphanumeric() || "._[]".contains(c)))
                    .map_or(rest.len(), |n| n + 1);
                tokens.push(Token::Path(
                    rest[1..end].replace('[', ".").replace(']', "").split('.').map(str::to_owned).collect(),
                ));
                end
            }
            '"' => {
                let end = rest[1..].find('"').context("unterminated text")? + 1;
                tokens.push(Token::Text(rest[1..end].replace("\\n", "\n")));
                end + 1
            }
            '0'..='9' => {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                tokens.push(Token::Number(rest[..end].parse()?));
                end
            }
            'a'..='z' => {
                let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                end
            }
            _ => {
                let two = rest.get(..2).filter(|two| ["!=", "<=", ">="].contains(two));
                let symbol = two.unwrap_or(&rest[..first.len_utf8()]);
                if !["=", "!=", "<", ">", "<=", ">=", "&", "+", "(", ")", "?", ":", "."].contains(&symbol) {
                    bail!("{symbol:?} is not in the machines' grammar");
                }
                tokens.push(Token::Symbol(symbol.to_owned()));
                symbol.len()
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    scope: &'a Scope,
    /// In the branch of a conditional that does not count: what it would fail at is nothing.
    not_taken: bool,
}

impl Parser<'_> {
    fn conditional(&mut self) -> Result<Value> {
        let condition = self.either()?;
        if !self.take(&Token::Symbol("?".to_owned())) {
            return Ok(condition);
        }
        let yes = truth(&condition)?;
        let first = self.branch(yes)?;
        if !self.take(&Token::Symbol(":".to_owned())) {
            bail!("missing :");
        }
        let second = self.branch(!yes)?;
        Ok(if yes { first } else { second })
    }

    fn branch(&mut self, taken: bool) -> Result<Value> {
        let before = self.not_taken;
        self.not_taken |= !taken;
        let value = self.conditional();
        self.not_taken = before;
        value
    }

    fn either(&mut self) -> Result<Value> {
        let mut value = self.both()?;
        while self.take(&Token::Word("or".to_owned())) {
            let right = self.both()?;
            value = Value::Bool(truth(&value)? | truth(&right)?);
        }
        Ok(value)
    }

    fn both(&mut self) -> Result<Value> {
        let mut value = self.comparison()?;
        while self.take(&Token::Word("and".to_owned())) {
            let right = self.comparison()?;
            value = Value::Bool(truth(&value)? & truth(&right)?);
        }
        Ok(value)
    }

    fn comparison(&mut self) -> Result<Value> {
        let left = self.sum()?;
        let Some(Token::Symbol(symbol)) = self.tokens.get(self.at) else { return Ok(left) };
        if !["=", "!=", "<", ">", "<=", ">="].contains(&symbol.as_str()) {
            return Ok(left);
        }
        self.at += 1;
        let right = self.sum()?;
        let ordering = || -> Result<_> { Ok(number(&left)?.total_cmp(&number(&right)?)) };
        Ok(Value::Bool(match symbol.as_str() {
            "=" => equal(&left, &right),
            "!=" => !equal(&left, &right),
            "<" => ordering()?.is_lt(),
            ">" => ordering()?.is_gt(),
            "<=" => ordering()?.is_le(),
            _ => ordering()?.is_ge(),
        }))
    }

    fn sum(&mut self) -> Result<Value> {
        let mut value = self.term()?;
        loop {
            if self.take(&Token::Symbol("&".to_owned())) {
                let right = self.term()?;
                if !self.not_taken {
                    value = Value::String(text(&value)? + &text(&right)?);
                }
            } else if self.take(&Token::Symbol("+".to_owned())) {
                if self.term()? != serde_json::json!(1.0) {
                    bail!("only + 1 is in the machines' grammar");
                }
                // JSON has one kind of number; both engines write a whole one without a point.
                value = match value.as_i64() {
                    Some(whole) => serde_json::json!(whole + 1),
                    None => serde_json::json!(number(&value)? + 1.0),
                };
            } else {
                return Ok(value);
            }
        }
    }

    fn term(&mut self) -> Result<Value> {
        let token = self.tokens.get(self.at).context("unexpected end")?.clone();
        self.at += 1;
        match token {
            Token::Path(path) if path == ["count"] && self.take(&Token::Symbol("(".to_owned())) => {
                let list = self.either()?;
                if !self.take(&Token::Symbol(")".to_owned())) {
                    bail!("missing )");
                }
                Ok(serde_json::json!(list.as_array().context("$count takes a list")?.len()))
            }
            Token::Path(path) if path == ["parse"] && self.take(&Token::Symbol("(".to_owned())) => self.parsed(),
            Token::Path(path) => match self.lookup(&path) {
                Err(_) if self.not_taken => Ok(Value::Null),
                found => found,
            },
            Token::Text(text) => Ok(Value::String(text)),
            Token::Number(number) => Ok(serde_json::json!(number)),
            Token::Word(word) => match word.as_str() {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                "null" => Ok(Value::Null),
                _ => bail!("{word:?} is not in the machines' grammar"),
            },
            Token::Symbol(symbol) if symbol == "(" => {
                let value = self.either()?;
                if !self.take(&Token::Symbol(")".to_owned())) {
                    bail!("missing )");
                }
                Ok(value)
            }
            Token::Symbol(symbol) => bail!("unexpected {symbol}"),
        }
    }

    /// What follows `$parse(`: a text of JSON, and perhaps a member of it.
    fn parsed(&mut self) -> Result<Value> {
        let json = self.either()?;
        if !self.take(&Token::Symbol(")".to_owned())) {
            bail!("missing )");
        }
        let mut value = match json.as_str().map(serde_json::from_str::<Value>) {
            Some(Ok(value)) => value,
            _ if self.not_taken => Value::Null,
            _ => bail!("$parse takes a text of JSON, not {json}"),
        };
        while self.take(&Token::Symbol(".".to_owned())) {
            let Some(Token::Word(member)) = self.tokens.get(self.at) else { bail!("a member is wanted") };
            value = match value.get(member) {
                Some(member) => member.clone(),
                None if self.not_taken => Value::Null,
                None => bail!("there is no {member}"),
            };
            self.at += 1;
        }
        Ok(value)
    }

    fn lookup(&self, path: &[String]) -> Result<Value> {
        let (root, rest) = path.split_first().context("empty path")?;
        if root == "not" {
            bail!("write a comparison instead of $not");
        }
        let mut value = if root == "states" {
            Value::Object(self.scope.states.clone())
        } else {
            self.scope.variables.get(root).with_context(|| format!("${root} is not assigned on this path"))?.clone()
        };
        for member in rest {
            let next = match &value {
                Value::Array(items) => member.parse::<usize>().ok().and_then(|index| items.get(index)),
                other => other.get(member),
            };
            value = next.with_context(|| format!("${} has no {member}", path.join(".")))?.clone();
        }
        Ok(value)
    }

    fn take(&mut self, token: &Token) -> bool {
        let taken = self.tokens.get(self.at) == Some(token);
        self.at += usize::from(taken);
        taken
    }
}

/// JSON has one kind of number.
fn equal(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}

fn truth(value: &Value) -> Result<bool> {
    value.as_bool().with_context(|| format!("{value} is no truth value"))
}

fn number(value: &Value) -> Result<f64> {
    value.as_f64().with_context(|| format!("{value} is no number"))
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().with_context(|| format!("{value} is no text"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scope() -> Scope {
        let variables = json!({"run": {"mode": "plan"}, "looks": 3, "done": true, "target": null, "json": "{\"errorMessage\": \"y\"}"});
        let states = json!({"result": [{"Payload": 1}, {"Payload": {"a": "b"}}]});
        let object = |value: Value| value.as_object().cloned().expect("object");
        Scope { variables: object(variables), states: object(states) }
    }

    #[test]
    fn the_grammar_evaluates() {
        let cases = [
            ("$run.mode = \"plan\"", json!(true)),
            ("$looks < 60 and $done", json!(true)),
            ("$looks + 1", json!(4)),
            ("$target = null", json!(true)),
            ("$run.mode & \"\\n\" & \"x\"", json!("plan\nx")),
            ("($looks > 5 or $done)", json!(true)),
            ("$states.result[1].Payload.a", json!("b")),
            ("$done ? $run.mode : $parse($missing).text", json!("plan")),
            ("$done = false ? $missing : \"x\" & $parse($json).errorMessage", json!("xy")),
        ];
        for (text, value) in cases {
            assert_eq!(evaluate_expression(text, &scope()).expect(text), value, "{text}");
        }
    }

    #[test]
    fn what_is_outside_the_grammar_or_unassigned_is_refused() {
        for text in [
            "$missing",
            "$run.nothing",
            "$sum(1)",
            "$looks + 2",
            "$looks * 2",
            "true and",
            "\"open",
            "$done ? $missing : 1",
            "$parse($run.mode)",
        ] {
            assert!(evaluate_expression(text, &scope()).is_err(), "{text}");
        }
    }
}
