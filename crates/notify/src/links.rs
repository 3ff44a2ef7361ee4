//! Where a person looks on.

/// The Region of an execution, from its ARN; empty if it is none.
pub fn region_of(execution_arn: &str) -> &str {
    execution_arn.split(':').nth(3).unwrap_or_default()
}

/// The execution's page in the console of its partition.
pub fn console(execution_arn: &str) -> String {
    let region = region_of(execution_arn);
    let domain = match execution_arn.split(':').nth(1) {
        Some("aws-cn") => "console.amazonaws.cn",
        Some("aws-us-gov") => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    format!("https://{region}.{domain}/states/home?region={region}#/v2/executions/details/{execution_arn}")
}

/// The page of an error's word, or the runbook's index by the name `README`.
pub fn runbook(word: &str) -> String {
    format!("{}/blob/main/docs/runbook/{word}.md", env!("CARGO_PKG_REPOSITORY"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_leads_to_the_console_of_region_and_partition() {
        let arn = "arn:aws:states:eu-west-1:123456789012:execution:pgleap-upgrade:orders-18";
        let link = "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/";

        assert_eq!(console(arn), format!("{link}{arn}"));
        assert!(console("arn:aws-cn:states:cn-north-1:1:execution:m:n").contains("cn-north-1.console.amazonaws.cn/"));
    }
}
