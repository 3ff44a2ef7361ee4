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

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).field("password", &"***").finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_never_prints_its_password() {
        let login = Login { username: "orders".to_owned(), password: "hunter2".to_owned() };

        assert!(!format!("{login:?}").contains("hunter2"));
    }
}
