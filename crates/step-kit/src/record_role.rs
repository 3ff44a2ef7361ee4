//! The role in another account by which the functions reach the hosted zone there: Route 53 has no resource policies, so only
//! a role of the zone's own account can let somebody in (docs/decisions/0077-a-zone-of-another-account.md).

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Providing;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts::error::SdkError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use tokio::sync::Mutex;

use crate::aws::{AwsError, Class, causes, sort};

/// The template sets it on the functions that call Route 53.
const VARIABLE: &str = "PGLEAP_RECORD_ROLE_ARN";
/// A session that ends sooner is not used any more: it must outlive the calls that are made with it.
const SHORTEST_REST: Duration = Duration::from_secs(60);
/// Warming up is a favour, and no call waits longer for it.
const LONGEST_WARM_UP: Duration = Duration::from_secs(3);

/// A role, and the configuration of clients that call with it.
#[derive(Debug, Clone)]
pub(crate) struct RecordRole {
    pub(crate) arn: String,
    pub(crate) aws: SdkConfig,
}

impl RecordRole {
    /// The stack's, if it has one.
    pub(crate) fn given() -> Option<String> {
        std::env::var(VARIABLE).ok().filter(|arn| !arn.is_empty())
    }

    /// Calls nobody yet: the role is assumed when a client needs credentials, and again before they expire.
    pub(crate) async fn new(arn: String, aws: &SdkConfig) -> Self {
        // CloudTrail of the other account shows it: the function, whose name begins with the stack's.
        let session = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|_| "pgleap".to_owned());
        let inner = AssumeRoleProvider::builder(&arn).session_name(session).configure(aws).build().await;
        let provider = SharedCredentialsProvider::new(Assumed { arn: arn.clone(), inner, kept: Mutex::default() });
        Self { arn, aws: aws.to_builder().credentials_provider(provider).build() }
    }

    /// Assume the role ahead of the first call. Whoever fails here is asked again by that call.
    pub(crate) async fn warm_up(&self) {
        let Some(provider) = self.aws.credentials_provider() else { return };
        match tokio::time::timeout(LONGEST_WARM_UP, provider.provide_credentials()).await {
            Ok(Ok(_kept)) => {}
            Ok(Err(error)) => tracing::warn!(error = causes(&error).map(ToString::to_string).next(), "warm-up failed"),
            Err(_elapsed) => tracing::warn!("warm-up failed: no answer from STS after {LONGEST_WARM_UP:?}"),
        }
    }
}

/// Credentials of the role. A refusal says whose policy has to be changed.
#[derive(Debug)]
struct Assumed {
    arn: String,
    inner: AssumeRoleProvider,
    /// The SDK keeps what its clients asked for; this keeps what the warm-up did as well.
    kept: Mutex<Option<Credentials>>,
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> Providing<'a>
    where
        Self: 'a,
    {
        Providing::new(async {
            let mut kept = self.kept.lock().await;
            let lasts = |kept: &&Credentials| kept.expiry().is_some_and(|at| at > SystemTime::now() + SHORTEST_REST);
            if let Some(kept) = kept.as_ref().filter(lasts) {
                return Ok(kept.clone());
            }
            let credentials = self.inner.provide_credentials().await;
            let credentials = credentials.map_err(|error| CredentialsError::provider_error(self.sorted(error)))?;
            *kept = Some(credentials.clone());
            Ok(credentials)
        })
    }
}

impl Assumed {
    fn sorted(&self, error: CredentialsError) -> AwsError {
        let doing = format!("assume role {}", self.arn);
        let of_sts = causes(&error).find_map(|cause| cause.downcast_ref::<SdkError<AssumeRoleError>>());
        let error = match of_sts.map(|error| sort(doing.clone(), error)) {
            Some(sorted) => sorted,
            None => {
                let (class, code) = (Class::Unavailable, "STS returned no credentials".to_owned());
                AwsError { doing, class, code, message: error.to_string(), advice: None }
            }
        };
        error.advise_if_denied(|| {
            format!(
                "the trust policy of {} (parameter RecordRoleArn) must let the role of this function assume it; see \
                 \"A hosted zone of another account\" in infra/README.md",
                self.arn
            )
        })
    }
}
