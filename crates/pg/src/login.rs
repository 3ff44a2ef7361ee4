//! Who connects.

use std::fmt;

use serde::Deserialize;

/// A role and its password, in the shape of an RDS secret. Further keys of the secret are ignored. Never serialised.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Login {
    /// Role.
    pub username: String,
    /// Password; neither `Debug` nor any error shows it.
    pub password: String,
}

impl Login {
    /// What a server is told in place of the password: statements may be logged.
    pub fn verifier(&self) -> String {
        postgres_protocol::password::scram_sha_256(self.password.as_bytes())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).field("password", &"***").finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_never_holds_the_password() {
        let login = Login { username: "w".to_owned(), password: "hunter2hunter2".to_owned() };

        assert!(login.verifier().starts_with("SCRAM-SHA-256$4096:"));
        assert!(!login.verifier().contains("hunter2"));
    }

    #[test]
    fn a_login_never_prints_its_password() {
        let login = Login { username: "orders".to_owned(), password: "hunter2".to_owned() };

        assert!(!format!("{login:?}").contains("hunter2"));
    }
}
