//! The secret with the owner's login exists. check-database checks whether the login works. plan-run checks whether a rotation
//! is due during the run, because it knows how long the run takes.

use pgleap_contract::Finding;

use crate::facts::{Facts, Secret, Seen};

const ID: &str = "login-secret";
const ROTATES: &str = "login-secret-rotates";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let name = &facts.run.source.login_secret;
    let found = match facts.secret {
        Seen::Missing => format!("secret {name} does not exist"),
        Seen::Found(Secret { deleted: true, .. }) => format!("secret {name} is scheduled for deletion"),
        Seen::Found(Secret { rotates: true, .. }) => {
            let found = format!(
                "secret {name} is rotated automatically. A rotation during the run sets the new password on the source only, \
                 which ends the run before the cutover"
            );
            let remedy = "stop the rotation until the run has ended (if RDS manages the secret, move the schedule), then point the \
                          rotation to the target";
            return vec![Finding::warning(ROTATES, found, remedy)];
        }
        _ => return Vec::new(),
    };
    vec![Finding::blocker(ID, found, "set source.loginSecret to a secret that contains username and password")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::assert_found;

    #[test]
    fn a_secret_that_is_gone_or_going_is_found() {
        assert_found(|facts| facts.secret = Seen::Missing, &["b login-secret"]);
        assert_found(
            |facts| facts.secret = Seen::Found(Secret { deleted: true, ..Secret::default() }),
            &["b login-secret"],
        );
        let rotates = Secret { rotates: true, ..Secret::default() };
        assert_found(|facts| facts.secret = Seen::Found(rotates), &["w login-secret-rotates"]);
    }
}
