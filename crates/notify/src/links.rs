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

/// Where the pages of the runbook are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runbook {
    folder: String,
}

impl Runbook {
    /// The page of an error code, or the index by the name `README`.
    pub fn page(&self, name: &str) -> String {
        format!("{}/{name}.md", self.folder)
    }

    /// As the deployment says; else the pages of this version in the project's repository.
    pub fn from_environment() -> Self {
        Self::at(&std::env::var("PGLEAP_RUNBOOK_URL").unwrap_or_default())
    }

    /// The pages below an address; those of this version if it is empty.
    pub fn at(address: &str) -> Self {
        let folder = match address.trim().trim_end_matches('/') {
            "" => concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/v", env!("CARGO_PKG_VERSION"), "/docs/runbook"),
            address => address,
        };
        Self { folder: folder.to_owned() }
    }
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

    #[test]
    fn a_page_is_that_of_this_version_unless_the_stack_has_its_own() {
        let version = env!("CARGO_PKG_VERSION");
        let own = Runbook::at("https://wiki.example.com/pgleap/runbook/");

        assert_eq!(
            Runbook::at("").page("CopyDiffers"),
            format!("https://github.com/pgleap/pgleap/blob/v{version}/docs/runbook/CopyDiffers.md")
        );
        assert_eq!(own.page("README"), "https://wiki.example.com/pgleap/runbook/README.md");
    }
}
