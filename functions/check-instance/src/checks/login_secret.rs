//! The secret with the owner's login exists. Whether it opens the door is check-database's to find out, and whether a rotation
//! is due inside the run is plan-run's, which knows how long that takes.

use pgleap_contract::Finding;

use crate::facts::{Facts, Secret, Seen};

const ID: &str = "login-secret";
const ROTATES: &str = "login-secret-rotates";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let name = &facts.run.source.login_secret;
    let found = match facts.secret {
        Seen::Missing => format!("there is no secret {name}"),
        Seen::Found(Secret { deleted: true, .. }) => format!("secret {name} is marked for deletion"),
        Seen::Found(Secret { rotates: true, .. }) => {
            let found = format!(
                "secret {name} is rotated: a new password is set on the source and not on the target, which ends the run before \
                 the cutover"
            );
            let remedy = "stop its rotation until the run is over (for a secret that RDS manages, move its schedule), then point \
                          it to the target";
            return vec![Finding::warning(ROTATES, found, remedy)];
        }
        _ => return Vec::new(),
    };
    vec![Finding::blocker(ID, found, "name a secret with username and password in source.loginSecret")]
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
