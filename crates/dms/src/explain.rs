//! What a failed connection test means, from DMS's words: pure, so that every known text is a case of a test.
//!
//! Source of the texts: public issues and AWS's knowledge articles, quoted in the tests; they are not part of any contract, so
//! what is not recognised is passed on as it is.

use pgleap_contract::ErrorCode;

/// Who tried to reach what, for the words of an explanation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// Name of the replication instance.
    pub instance: String,
    /// Its private address: what security groups see.
    pub address: Option<String>,
    /// Host and port of the database behind the endpoint.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Security group of the database that should let the replication instance in.
    pub security_group: Option<String>,
}

/// Why a test failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nobody answers: a security group, a network ACL or a route.
    TimedOut,
    /// The server wants an encrypted connection, or allows none from this address.
    NotEncrypted,
    /// The server knows neither this login nor this address.
    NotAllowed,
    /// User name or password are not the server's.
    LoginRefused,
    /// DMS cannot read the secret: no route, no role, no secret.
    SecretUnreachable,
    /// The host's name has no address where DMS asks.
    NameUnknown,
    /// A text that nobody has met.
    Unknown,
}

/// Read the text. The secret goes first: its failure mentions a time-out too.
pub fn reason(said: &str) -> Reason {
    let said = said.to_ascii_lowercase();
    let says = |texts: &[&str]| texts.iter().any(|text| said.contains(text));
    if says(&["secrets manager", "failed to retrieve secret", "secrets_manager"]) {
        Reason::SecretUnreachable
    } else if says(&["no pg_hba.conf entry"]) {
        if says(&["no encryption", "ssl off"]) { Reason::NotEncrypted } else { Reason::NotAllowed }
    } else if says(&["password authentication failed", "role \"", "no password supplied"]) {
        Reason::LoginRefused
    } else if says(&[
        "could not translate host name",
        "name or service not known",
        "unknown host",
        "nodename nor servname",
    ]) {
        Reason::NameUnknown
    } else if says(&["timeout expired", "timed out", "no route to host", "connection refused"]) {
        Reason::TimedOut
    } else {
        Reason::Unknown
    }
}

/// The word and what an operator does about it, with DMS's own words behind.
pub fn explain(said: &str, route: &Route) -> (ErrorCode, String) {
    let Route { instance, host, port, .. } = route;
    let (code, means) = match reason(said) {
        Reason::TimedOut => (ErrorCode::NetworkBlocked, timed_out(route)),
        Reason::NotEncrypted => {
            let means = format!(
                "{host} refuses unencrypted connections: the endpoint's SSL mode must be require (the run set it so, \
                 and somebody changed it)"
            );
            (ErrorCode::EncryptionRefused, means)
        }
        Reason::NotAllowed => {
            (ErrorCode::LoginRefused, format!("{host} does not accept this login from {instance} (pg_hba.conf)"))
        }
        Reason::LoginRefused => (
            ErrorCode::LoginRefused,
            format!("{host} refuses the run's login: its password was changed, or the role was dropped"),
        ),
        Reason::SecretUnreachable => {
            let means = format!(
                "{instance} cannot read the run's secret: its subnets need a route to Secrets Manager (an interface \
                 endpoint or NAT), and DMS's role needs the permission secretsmanager:GetSecretValue for the secret"
            );
            (ErrorCode::SecretUnreachable, means)
        }
        Reason::NameUnknown => {
            let means = format!(
                "{instance} cannot resolve {host}: the VPC has DNS resolution disabled, or it uses another resolver"
            );
            (ErrorCode::NameUnknown, means)
        }
        Reason::Unknown => (ErrorCode::ConnectionTestFailed, format!("{instance} cannot connect to {host}:{port}")),
    };
    (code, format!("{means}; DMS reports: {said}"))
}

fn timed_out(route: &Route) -> String {
    let Route { instance, host, port, .. } = route;
    let address = route.address.as_deref().unwrap_or("unknown address");
    let Some(group) = &route.security_group else {
        return format!(
            "{instance} ({address}) gets no answer from {host}:{port}, and the database's security group is unknown"
        );
    };
    format!(
        "{instance} ({address}) gets no answer from {host}:{port}: security group {group} lacks an inbound rule for it: \
         TCP {port} from {address}/32. Create the rule (aws ec2 authorize-security-group-ingress --group-id {group} \
         --protocol tcp --port {port} --cidr {address}/32), or set network.authorizeIngress = true in the run's input. \
         If the rule exists, check the network ACLs"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "Test Endpoint failed: Application-Status: 1020912, Application-Message: Failed to connect Network \
        error has occurred, Application-Detailed-Message: RetCode: SQL_ERROR SqlState: 08001 NativeError: 101 Message: ";

    fn route() -> Route {
        Route {
            instance: "pgleap-r-replication".to_owned(),
            address: Some("10.0.1.135".to_owned()),
            host: "orders.example.com".to_owned(),
            port: 5433,
            security_group: Some("sg-1".to_owned()),
        }
    }

    #[test]
    fn every_known_text_has_a_word_and_says_what_to_do() {
        use ErrorCode::{ConnectionTestFailed, EncryptionRefused, LoginRefused, NameUnknown, NetworkBlocked};
        let cases = [
            (
                "[unixODBC]timeout expired",
                NetworkBlocked,
                "sg-1 lacks an inbound rule for it: TCP 5433 from 10.0.1.135/32",
            ),
            ("[unixODBC]could not connect to server: Connection timed out", NetworkBlocked, "10.0.1.135"),
            (
                "FATAL: no pg_hba.conf entry for host \"10.0.1.135\", user \"u\", database \"d\", no encryption",
                EncryptionRefused,
                "SSL mode must be require",
            ),
            (
                "FATAL: no pg_hba.conf entry for host \"10.0.1.135\", user \"u\", database \"d\", SSL off",
                EncryptionRefused,
                "SSL mode",
            ),
            (
                "FATAL: no pg_hba.conf entry for host \"10.0.1.135\", user \"u\", database \"d\", SSL encryption",
                LoginRefused,
                "pg_hba.conf",
            ),
            ("FATAL: password authentication failed for user \"u\"", LoginRefused, "password was changed"),
            ("[unixODBC]could not translate host name \"x\" to address: Name or service not known", NameUnknown, "DNS"),
            ("something new", ConnectionTestFailed, "something new"),
        ];
        for (text, code, says) in cases {
            let said = format!("{PREFIX}{text}");

            let (found, explanation) = explain(&said, &route());

            assert_eq!(found, code, "{text}");
            assert!(explanation.contains(says) && explanation.ends_with(&said), "{text}: {explanation}");
        }
    }

    #[test]
    fn a_secret_that_cannot_be_fetched_is_not_taken_for_a_database_that_does_not_answer() {
        let said = "Application-Message: Failed to build connection string Unable to find Secrets Manager secret, \
            Application-Detailed-Message: Failed to retrieve secret. The secrets_manager get secret value failed: \
            curlCode: 28, Timeout was reached";

        assert_eq!(reason(said), Reason::SecretUnreachable);
    }
}
