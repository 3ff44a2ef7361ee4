//! Whether the record leads to the source, seen from the VPC of the functions. The last step of a cutover checks from there whether the
//! record leads to the target. If the VPC does not see the zone, or another zone answers for the name, only that step would notice.
//! Source: Route 53 developer guide, "Considerations when working with a private hosted zone" (association with the VPC; the most
//! specific zone answers).

use std::net::IpAddr;

use pgleap_contract::Finding;
use pgleap_contract::steps::OnSource;
use pgleap_pg::ResolveError;
use pgleap_step_kit::Ctx;

const ID: &str = "record-in-vpc";

/// Resolves both names again.
pub(crate) async fn check(ctx: &Ctx, input: &OnSource) -> Vec<Finding> {
    let (record, endpoint) = (&input.run.record.name, &input.source.host);
    let (by_record, by_endpoint) = tokio::join!(ctx.resolve(record), ctx.resolve(endpoint));
    judge(record, by_record, endpoint, by_endpoint).into_iter().collect()
}

/// An endpoint that does not resolve is the login's finding. Members that lead elsewhere are check-instance's.
fn judge(
    record: &str,
    by_record: Result<Vec<IpAddr>, ResolveError>,
    endpoint: &str,
    by_endpoint: Result<Vec<IpAddr>, ResolveError>,
) -> Option<Finding> {
    let by_endpoint = by_endpoint.ok().filter(|addresses| !addresses.is_empty())?;
    let at = |addresses: &[IpAddr]| addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    let found = match by_record {
        Ok(addresses) if addresses.iter().any(|address| by_endpoint.contains(address)) => return None,
        Ok(addresses) if addresses.is_empty() => format!("in the VPC of the functions, {record} has no address"),
        Ok(addresses) => format!(
            "in the VPC of the functions, {record} leads to {}, but the source {endpoint} is at {}",
            at(&addresses),
            at(&by_endpoint)
        ),
        Err(error) => format!("in the VPC of the functions, {record} does not resolve: {}", error.reason),
    };
    let remedy = "associate the record's hosted zone with the VPC of the functions, and make sure that no other zone answers for \
                  the name there: the run confirms its cutover from there";
    Some(Finding::blocker(ID, found, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_the_functions_do_not_see_or_see_elsewhere_is_a_blocker() {
        let at = |addresses: &[&str]| -> Result<Vec<IpAddr>, ResolveError> {
            Ok(addresses.iter().map(|text| text.parse().expect("an address")).collect())
        };
        let unknown = || Err(ResolveError { host: "db.x".to_owned(), reason: "no record found".to_owned() });
        let cases = [
            (at(&["10.0.0.1"]), at(&["10.0.0.1"]), None),
            (at(&["10.0.0.1", "10.0.0.9"]), at(&["10.0.0.1"]), None),
            (unknown(), unknown(), None),
            (at(&[]), at(&["10.0.0.1"]), Some("in the VPC of the functions, db.x has no address")),
            (unknown(), at(&["10.0.0.1"]), Some("in the VPC of the functions, db.x does not resolve: no record found")),
            (
                at(&["10.0.0.7"]),
                at(&["10.0.0.1"]),
                Some("in the VPC of the functions, db.x leads to 10.0.0.7, but the source src is at 10.0.0.1"),
            ),
        ];
        for (by_record, by_endpoint, expected) in cases {
            let found = judge("db.x", by_record, "src", by_endpoint);
            assert_eq!(found.map(|finding| finding.found).as_deref(), expected);
        }
    }
}
