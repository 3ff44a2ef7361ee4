//! Who signed a request and for which service: the credential scope of its SigV4 header. The signature itself is
//! not checked; there is no secret to protect here.

use axum::http::request::Parts;

use crate::Caller;
use crate::model::Model;

/// A credential scope's parts that matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) access_key_id: String,
    pub(super) service: String,
}

impl Scope {
    /// `AWS4-HMAC-SHA256 Credential=AKID/20260131/eu-west-1/rds/aws4_request, SignedHeaders=..`
    pub(super) fn of(parts: &Parts) -> Option<Self> {
        let header = parts.headers.get("authorization")?.to_str().ok()?;
        let credential = header.split_once("Credential=")?.1.split([',', ' ']).next()?;
        let mut steps = credential.split('/');
        let access_key_id = steps.next()?.to_owned();
        let service = steps.nth(2)?.to_owned();
        Some(Self { access_key_id, service })
    }

    pub(super) fn caller(scope: Option<&Self>) -> Caller {
        Caller { access_key_id: scope.map(|scope| scope.access_key_id.clone()).unwrap_or_default() }
    }
}

/// The model that a request speaks: by `x-amz-target`, else by the service that it is signed for.
pub(super) fn model(parts: &Parts, scope: Option<&Scope>) -> Option<&'static Model> {
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    match target.and_then(|target| target.rsplit_once('.')) {
        Some((prefix, _)) => Model::all().iter().find(|model| model.target_prefix.as_deref() == Some(prefix)),
        None => Model::all().iter().find(|model| scope.is_some_and(|scope| scope.service == model.signing_name)),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_request_names_its_service_in_its_own_way() {
        let signed = |service: &str| {
            format!(
                "AWS4-HMAC-SHA256 Credential=AKID1/20260131/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
            )
        };
        let cases = [
            (signed("rds"), None, Some("rds")),
            (signed("route53"), None, Some("route53")),
            (signed("dms"), Some("AmazonDMSv20160101.DescribeEndpoints"), Some("dms")),
            (signed("secretsmanager"), Some("secretsmanager.GetSecretValue"), Some("secretsmanager")),
            (signed("states"), Some("AWSStepFunctions.StartExecution"), None),
            (signed("s3"), None, None),
        ];
        for (authorization, target, expected) in cases {
            let mut headers = vec![("authorization", authorization.as_str())];
            headers.extend(target.map(|target| ("x-amz-target", target)));
            let parts = parts(&headers);
            let scope = Scope::of(&parts);

            assert_eq!(Scope::caller(scope.as_ref()).access_key_id, "AKID1");
            assert_eq!(model(&parts, scope.as_ref()).map(|model| model.name), expected);
        }
    }

    #[test]
    fn an_unsigned_request_has_no_scope() {
        assert_eq!(Scope::of(&parts(&[])), None);
        assert_eq!(Scope::of(&parts(&[("authorization", "Basic abc")])), None);
    }
}
