//! Values such as `LEAST({DBInstanceClassMemory/9531392},5000)`, computed for an instance.

/// What formulas may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Bytes of `DBInstanceClassMemory`.
    pub(crate) memory_bytes: u64,
    /// `DBInstanceVCPU`.
    pub(crate) cpus: u64,
    /// GiB of `AllocatedStorage`, in bytes.
    pub(crate) storage_bytes: u64,
    /// `EndPointPort`.
    pub(crate) port: u16,
}

/// The value as the server takes it: a formula's result as a whole number, anything else as it is.
pub(crate) fn evaluate(value: &str, machine: &Machine) -> String {
    if !value.contains('{') && !has_function(value) {
        return value.to_owned();
    }
    let mut parser = Parser { rest: value, machine };
    match parser.term() {
        Some(result) if parser.rest.trim().is_empty() => format!("{}", result.floor()),
        // Not a formula after all, e.g. a pattern with braces; the server judges it.
        _ => value.to_owned(),
    }
}

fn has_function(value: &str) -> bool {
    FUNCTIONS.iter().any(|(name, _)| value.starts_with(&format!("{name}(")))
}

type Function = fn(f64, f64) -> f64;
const FUNCTIONS: [(&str, Function); 3] = [("GREATEST", f64::max), ("LEAST", f64::min), ("SUM", |a, b| a + b)];

struct Parser<'a> {
    rest: &'a str,
    machine: &'a Machine,
}

impl Parser<'_> {
    /// A function of terms, an expression in braces, or a number.
    fn term(&mut self) -> Option<f64> {
        for (name, function) in FUNCTIONS {
            if self.take(&format!("{name}(")) {
                let mut result = self.term()?;
                while self.take(",") {
                    result = function(result, self.term()?);
                }
                return self.take(")").then_some(result);
            }
        }
        if self.take("{") {
            let result = self.expression()?;
            return self.take("}").then_some(result);
        }
        self.number()
    }

    /// Factors from left to right; RDS's formulas need no precedence beyond that.
    fn expression(&mut self) -> Option<f64> {
        let mut result = self.factor()?;
        loop {
            result = match () {
                () if self.take("/") => result / self.factor()?,
                () if self.take("*") => result * self.factor()?,
                () if self.take("+") => result + self.factor()?,
                () if self.take("-") => result - self.factor()?,
                () => return Some(result),
            };
        }
    }

    fn factor(&mut self) -> Option<f64> {
        let variables = [
            ("DBInstanceClassMemory", self.machine.memory_bytes as f64),
            ("DBInstanceVCPU", self.machine.cpus as f64),
            ("AllocatedStorage", self.machine.storage_bytes as f64),
            ("EndPointPort", f64::from(self.machine.port)),
            ("TrueIfReplica", 0.0),
        ];
        variables.into_iter().find_map(|(name, value)| self.take(name).then_some(value)).or_else(|| self.number())
    }

    fn number(&mut self) -> Option<f64> {
        let text = self.rest.trim_start();
        let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
        let number = text[..end].parse().ok()?;
        self.rest = &text[end..];
        Some(number)
    }

    fn take(&mut self, token: &str) -> bool {
        match self.rest.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_of_the_guide_are_computed() {
        let machine = Machine { memory_bytes: 8 << 30, cpus: 2, storage_bytes: 20 << 30, port: 5432 };
        let cases = [
            ("{DBInstanceClassMemory/32768}", "262144"),
            ("LEAST({DBInstanceClassMemory/9531392},5000)", "901"),
            ("GREATEST({DBInstanceVCPU*2},8)", "8"),
            ("GREATEST({DBInstanceClassMemory*1024/63963136},65536)", "137518"),
            ("SUM({DBInstanceClassMemory/12038},-50003)", "SUM({DBInstanceClassMemory/12038},-50003)"),
            ("{EndPointPort}", "5432"),
            ("100", "100"),
            ("%t:%r", "%t:%r"),
            ("{not, a formula}", "{not, a formula}"),
        ];

        for (formula, expected) in cases {
            assert_eq!(evaluate(formula, &machine), expected, "{formula}");
        }
    }
}
