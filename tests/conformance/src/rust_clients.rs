//! The SDK crates that the functions use, pointed at a gateway.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_types::retry::RetryConfig;

/// A configuration that tries once, so that every fault of the wire shows.
pub async fn rust_sdk_config(gateway_url: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(gateway_url)
        .region(Region::from_static(local_aws_core::REGION))
        .credentials_provider(Credentials::new("RUSTCLIENT", "secret", None, None, "conformance"))
        .retry_config(RetryConfig::disabled())
        .load()
        .await
}
