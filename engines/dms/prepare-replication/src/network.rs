//! What a failed connection test means on this run's way: which address, which security group, which port; and whether the run
//! may put it right by itself.

use pgleap_contract::steps::{IngressRule, PrepareReplicationInput};
use pgleap_dms::{FailedTest, Reason, Route};
use pgleap_step_kit::prelude::*;

/// The rule that would let the replication instance in, if a test timed out, the run may add one, and none was added yet.
/// The target will have the same port and the same groups, of which the first gets it.
pub(crate) fn missing_rule(
    input: &PrepareReplicationInput,
    address: Option<&str>,
    failed: &[FailedTest],
) -> Option<IngressRule> {
    let may = input.run.network.authorize_ingress && input.ingress.is_none();
    let timed_out = failed.iter().any(|test| pgleap_dms::reason(&test.said) == Reason::TimedOut);
    if !may || !timed_out {
        return None;
    }
    let group_id = input.way.security_group_ids.first()?.clone();
    Some(IngressRule { group_id, cidr: format!("{}/32", address?), port: input.source.port })
}

/// The failures as an error that says what to do.
pub(crate) fn explained(input: &PrepareReplicationInput, address: Option<String>, failed: &[FailedTest]) -> StepError {
    let names = input.run.names();
    let mut error = pgleap_dms::explained(failed, |_endpoint| Route {
        instance: format!("replication instance {}", names.replication_instance()),
        address: address.clone(),
        host: input.source.host.clone(),
        port: input.source.port,
        security_group: input.way.security_group_ids.first().cloned(),
    });
    if input.ingress.is_some() {
        error.message.push_str(
            "; the run has already tried to add the rule: the events of the state AuthorizeIngress in the execution's \
             history contain the response of EC2",
        );
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TIMEOUT: &str = "NativeError: 101 Message: [unixODBC]timeout expired";

    fn input(authorize: bool, ingress: Option<IngressRule>) -> PrepareReplicationInput {
        let server = json!({"host": "orders.example.com", "port": 5433, "database": "orders"});
        serde_json::from_value(json!({
            "run": {"id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
                    "network": {"authorizeIngress": authorize}, "source": {"instance": "orders", "loginSecret": "s"},
                    "target": {"version": "18"}, "record": {"zoneId": "Z", "name": "db.example.com"}},
            "source": server, "ingress": ingress,
            "way": {"from": "15.18", "hops": [], "dmsEngineVersion": "3.6.1", "subnetIds": [], "securityGroupIds": ["sg-1", "sg-2"]},
            "size": {"tables": 1, "bytes": 1, "sequences": 1}
        }))
        .expect("an input")
    }

    fn failed(said: &str) -> Vec<FailedTest> {
        vec![FailedTest { endpoint: "pgleap-r-source".to_owned(), said: said.to_owned() }]
    }

    #[test]
    fn the_one_rule_is_asked_for_once_and_only_where_it_is_allowed_and_a_test_timed_out() {
        let rule = IngressRule { group_id: "sg-1".to_owned(), cidr: "10.0.0.9/32".to_owned(), port: 5433 };
        let ask = |authorize, ingress: Option<IngressRule>, said| {
            missing_rule(&input(authorize, ingress), Some("10.0.0.9"), &failed(said))
        };

        assert_eq!(ask(true, None, TIMEOUT), Some(rule.clone()));
        assert_eq!(ask(false, None, TIMEOUT), None);
        assert_eq!(ask(true, Some(rule), TIMEOUT), None);
        assert_eq!(ask(true, None, "password authentication failed"), None);
    }

    #[test]
    fn the_error_says_where_the_answer_is_if_the_run_tried_to_add_the_rule() {
        let rule = IngressRule { group_id: "sg-1".to_owned(), cidr: "10.0.0.9/32".to_owned(), port: 5433 };

        let error = explained(&input(true, Some(rule)), Some("10.0.0.9".to_owned()), &failed(TIMEOUT));

        assert!(error.message.contains("the state AuthorizeIngress"), "{error}");
    }

    #[test]
    fn the_error_names_address_group_and_port() {
        let error = explained(&input(false, None), Some("10.0.0.9".to_owned()), &failed(TIMEOUT));

        assert_eq!(error.code, ErrorCode::NetworkBlocked);
        assert!(
            error.message.contains("security group sg-1 lacks an inbound rule for it: TCP 5433 from 10.0.0.9/32"),
            "{error}"
        );
    }
}
