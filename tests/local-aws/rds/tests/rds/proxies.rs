//! Proxies as they are described.

use serde_json::{Value, json};

use crate::region::Region;

async fn all_pages(region: &Region, operation: &str, member: &str, mut input: Value) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    loop {
        let reply = region.call(operation, input.clone()).await;
        pages.push(reply[member].as_array().unwrap().clone());
        match reply.get("Marker") {
            Some(marker) => input["Marker"] = marker.clone(),
            None => return pages,
        }
    }
}

fn sizes(pages: &[Vec<Value>]) -> Vec<usize> {
    pages.iter().map(Vec::len).collect()
}

#[tokio::test]
async fn a_planted_proxy_is_described_with_its_targets() {
    let region = Region::new();
    region.rds.plant_proxy("Pool", "POSTGRESQL", &["db"]);

    let proxy = region.call("DescribeDBProxies", json!({ "DBProxyName": "pool" })).await["DBProxies"][0].clone();
    let targets = region.call("DescribeDBProxyTargets", json!({ "DBProxyName": "pool" })).await["Targets"].clone();

    assert_eq!(proxy["DBProxyName"], "Pool");
    assert_eq!((&proxy["EngineFamily"], &proxy["Status"]), (&json!("POSTGRESQL"), &json!("available")));
    assert_eq!(proxy["Endpoint"], "Pool.proxy-cpgleaplocal.eu-west-1.rds.amazonaws.com");
    assert_eq!(targets.as_array().unwrap().len(), 1);
    assert_eq!((&targets[0]["Type"], &targets[0]["RdsResourceId"]), (&json!("RDS_INSTANCE"), &json!("db")));
    assert_eq!(targets[0]["Endpoint"], "db.cpgleaplocal.eu-west-1.rds.amazonaws.com");
    assert_eq!(targets[0].get("TargetArn"), None);
}

#[tokio::test]
async fn proxies_and_their_targets_have_pages() {
    let region = Region::new();
    let names: Vec<_> = (0..101).map(|n| format!("db-{n:03}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    region.rds.plant_proxy("wide", "POSTGRESQL", &names);
    names.iter().for_each(|name| region.rds.plant_proxy(name, "MYSQL", &[]));

    let proxies = all_pages(&region, "DescribeDBProxies", "DBProxies", json!({})).await;
    let of_forty = all_pages(&region, "DescribeDBProxies", "DBProxies", json!({ "MaxRecords": 40 })).await;
    let targets = all_pages(&region, "DescribeDBProxyTargets", "Targets", json!({ "DBProxyName": "wide" })).await;

    assert_eq!((sizes(&proxies), sizes(&of_forty), sizes(&targets)), (vec![100, 2], vec![40, 40, 22], vec![100, 1]));
    let found: Vec<_> = targets.iter().flatten().map(|target| target["RdsResourceId"].as_str().unwrap()).collect();
    assert_eq!(found, names);
}

#[tokio::test]
async fn what_there_is_not_of_a_proxy_is_refused() {
    let region = Region::new();
    region.rds.plant_proxy("pool", "POSTGRESQL", &[]);
    let filter = json!([{ "Name": "db-instance-id", "Values": ["db"] }]);

    for (operation, input, code, status) in [
        ("DescribeDBProxies", json!({ "DBProxyName": "none" }), "DBProxyNotFoundFault", 404),
        ("DescribeDBProxyTargets", json!({ "DBProxyName": "none" }), "DBProxyNotFoundFault", 404),
        (
            "DescribeDBProxyTargets",
            json!({ "DBProxyName": "pool", "TargetGroupName": "other" }),
            "DBProxyTargetGroupNotFoundFault",
            404,
        ),
        ("DescribeDBProxies", json!({ "MaxRecords": 19 }), "InvalidParameterValue", 400),
        ("DescribeDBProxies", json!({ "Filters": filter }), "InvalidParameterValue", 400),
    ] {
        let refused = region.refusal(operation, input.clone()).await;
        assert_eq!((refused.code.as_str(), refused.status), (code, status), "{operation} {input}");
    }
    assert_eq!(region.call("DescribeDBProxyTargets", json!({ "DBProxyName": "pool" })).await["Targets"], json!([]));
}
