//! Versions, classes, and the small operations.

use serde_json::json;

use crate::region::Region;

#[tokio::test]
async fn upgrade_paths_are_told_by_version() {
    let region = Region::new();

    let versions =
        region.call("DescribeDBEngineVersions", json!({ "Engine": "postgres", "EngineVersion": "13.7" })).await;
    let default = region.call("DescribeDBEngineVersions", json!({ "Engine": "postgres", "DefaultOnly": true })).await;
    let family = json!({ "Engine": "postgres", "DBParameterGroupFamily": "postgres18" });
    let family = region.call("DescribeDBEngineVersions", family).await;

    let version = &versions["DBEngineVersions"][0];
    assert_eq!(
        (&version["DBParameterGroupFamily"], &version["MajorEngineVersion"]),
        (&json!("postgres13"), &json!("13"))
    );
    let majors: Vec<_> = version["ValidUpgradeTarget"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|target| target["IsMajorVersionUpgrade"] == true)
        .map(|target| target["EngineVersion"].as_str().unwrap())
        .collect();
    assert_eq!(majors, ["14.5", "14.17", "14.23"]);
    assert_eq!(default["DBEngineVersions"][0]["EngineVersion"], "17.11");
    assert!(family["DBEngineVersions"].as_array().unwrap().iter().all(|version| version["MajorEngineVersion"] == "18"));
}

#[tokio::test]
async fn old_classes_cannot_be_ordered_on_new_majors() {
    let region = Region::new();
    let options = async |version: &str, class: &str| {
        let input = json!({ "Engine": "postgres", "EngineVersion": version, "DBInstanceClass": class });
        let options = region.call("DescribeOrderableDBInstanceOptions", input).await;
        options["OrderableDBInstanceOptions"].as_array().unwrap().len()
    };

    assert_eq!((options("13.23", "db.t2.micro").await, options("18.6", "db.t2.micro").await), (4, 0));
    assert_eq!(options("18.6", "db.t4g.medium").await, 4);
}

#[tokio::test]
async fn small_operations_answer() {
    let region = Region::new();
    region.create("db", "15", json!({})).await;
    let role = json!({ "DBInstanceIdentifier": "db", "RoleArn": "arn:aws:iam::111122223333:role/s3", "FeatureName": "s3Import" });

    region.call("AddRoleToDBInstance", role).await;
    let maintenance = region.call("DescribePendingMaintenanceActions", json!({})).await;
    let unknown = region.refusal("CreateDBCluster", json!({})).await;

    assert_eq!(region.instance("db").await["AssociatedRoles"][0]["FeatureName"], "s3Import");
    assert_eq!(maintenance["PendingMaintenanceActions"], json!([]));
    assert_eq!((unknown.code.as_str(), unknown.status), ("NotImplemented", 501));
}
