//! A link by which a question is answered without a login: whoever has it may answer, once, until it expires.
//!
//! It carries the question and its task token, sealed with the stack's key (HMAC-SHA256, RFC 2104). It is good for one
//! answer because Step Functions takes one for a token; nothing of ours keeps count.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use pgleap_contract::steps::{Question, TaskToken};
use pgleap_step_kit::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Longest sealed question in bytes: a task token has 2,048 characters at most, in base64 they are a third more.
/// Source: AWS Step Functions API reference, SendTaskSuccess.
const LONGEST: usize = 4_096;
/// Domain separation: prevents a signature from being reused for another purpose.
const PURPOSE: &[u8] = b"pgleap answer link 1\n";

/// Where links lead, and which secret holds the key of their seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerLinks {
    /// Of the function `take-answer`, with a slash at its end.
    pub url: String,
    /// The key's secret.
    pub key_secret: String,
}

impl AnswerLinks {
    /// As the deployment says; none if it wants no links.
    pub fn from_environment() -> Option<Self> {
        let of = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Some(Self { url: of("PGLEAP_ANSWER_URL")?, key_secret: of("PGLEAP_ANSWER_KEY")? })
    }

    /// The link of a question.
    pub async fn link(&self, ctx: &Ctx, asked: &Asked) -> StepResult<String> {
        let sealed = AnswerKey::read(ctx, &self.key_secret).await?.seal(asked)?;
        Ok(format!("{}?q={}&s={}", self.url, sealed.question, sealed.seal))
    }
}

/// What a link asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asked {
    /// The execution that waits.
    pub execution_arn: String,
    /// The instance that it upgrades.
    pub source: String,
    /// What it asks.
    pub question: Question,
    /// When it stops waiting, in seconds since 1970.
    pub until: u64,
    /// What the answer must carry.
    pub token: TaskToken,
}

/// A question as a link carries it: two texts that a URL takes as they are.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The question, with its token.
    pub question: String,
    /// Its seal.
    pub seal: String,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(..)") // whoever has it may answer
    }
}

/// Why a link is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Not sealed with this key, or not as it was when it was sealed.
    #[error("this link is not valid: it is incomplete or was changed, or the stack's answer key was replaced")]
    Forged,
    /// The run no longer accepts its answer.
    #[error("this link has expired")]
    Expired,
}

/// What links are sealed with.
#[derive(Clone, PartialEq, Eq)]
pub struct AnswerKey(String);

impl fmt::Debug for AnswerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerKey(..)")
    }
}

impl AnswerKey {
    /// The secret's text. It is read for every link, so that a new value makes all links worthless at once.
    pub async fn read(ctx: &Ctx, secret_id: &str) -> StepResult<Self> {
        Ok(Self::of(ctx.secret(secret_id).await?))
    }

    /// A key.
    pub fn of(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Seal a question.
    pub fn seal(&self, asked: &Asked) -> StepResult<Sealed> {
        let question =
            serde_json::to_vec(asked).map_err(|error| StepError::bug(format!("seal the question: {error}")))?;
        let question = URL_SAFE_NO_PAD.encode(question);
        let seal = URL_SAFE_NO_PAD.encode(self.mac(&question)?.finalize().into_bytes());
        Ok(Sealed { question, seal })
    }

    /// What was sealed with this key and has not expired; `now` in seconds since 1970.
    pub fn open(&self, sealed: &Sealed, now: u64) -> Result<Asked, Unusable> {
        let forged = |_| Unusable::Forged;
        if sealed.question.len() > LONGEST {
            return Err(Unusable::Forged);
        }
        let seal = URL_SAFE_NO_PAD.decode(&sealed.seal).map_err(forged)?;
        let mac = self.mac(&sealed.question).map_err(|_| Unusable::Forged)?;
        mac.verify_slice(&seal).map_err(|_| Unusable::Forged)?; // in constant time
        let question = URL_SAFE_NO_PAD.decode(&sealed.question).map_err(forged)?;
        let asked: Asked = serde_json::from_slice(&question).map_err(|_| Unusable::Forged)?;
        if now >= asked.until { Err(Unusable::Expired) } else { Ok(asked) }
    }

    fn mac(&self, question: &str) -> StepResult<Hmac<Sha256>> {
        if self.0.len() < 32 {
            // Whoever empties the secret must not make every seal easy to guess.
            return Err(StepError::new(
                ErrorCode::SecretUnusable,
                "read the key of the answer links: it is shorter than 32 characters",
            ));
        }
        let mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes());
        let mac = mac.map_err(|error| StepError::bug(format!("use the key of the answer links: {error}")))?;
        Ok(mac.chain_update(PURPOSE).chain_update(question))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> AnswerKey {
        AnswerKey::of("k".repeat(64))
    }

    fn asked() -> Asked {
        let token = serde_json::from_value("AQC/+==".into()).expect("a token");
        Asked {
            execution_arn: "arn:aws:states:eu-west-1:1:execution:m:r".to_owned(),
            source: "orders-db".to_owned(),
            question: Question::Cutover,
            until: 1_000,
            token,
        }
    }

    #[test]
    fn a_link_is_opened_with_its_key_until_it_expires() {
        let sealed = key().seal(&asked()).expect("sealed");

        assert_eq!(key().open(&sealed, 999), Ok(asked()));
        assert_eq!(key().open(&sealed, 1_000), Err(Unusable::Expired));
        assert_eq!(AnswerKey::of("l".repeat(64)).open(&sealed, 0), Err(Unusable::Forged));
    }

    #[test]
    fn what_was_changed_on_its_way_is_refused() {
        let sealed = key().seal(&asked()).expect("sealed");
        let later = key().seal(&Asked { until: 2_000, ..asked() }).expect("sealed");
        let cases = [
            Sealed { question: later.question, ..sealed.clone() },
            Sealed { question: format!("{}A", sealed.question), ..sealed.clone() },
            Sealed { seal: sealed.seal[1..].to_owned(), ..sealed.clone() },
            Sealed { seal: String::new(), ..sealed.clone() },
            Sealed { seal: "ä".to_owned(), ..sealed.clone() },
            Sealed { question: "x".repeat(LONGEST + 1), ..sealed },
        ];
        for changed in cases {
            assert_eq!(key().open(&changed, 0), Err(Unusable::Forged));
        }
    }

    #[test]
    fn an_empty_key_seals_and_opens_nothing() {
        let sealed = key().seal(&asked()).expect("sealed");

        assert!(AnswerKey::of("").seal(&asked()).is_err());
        assert_eq!(AnswerKey::of("").open(&sealed, 0), Err(Unusable::Forged));
    }

    #[test]
    fn neither_key_nor_link_is_in_a_debug_text() {
        let sealed = key().seal(&asked()).expect("sealed");

        assert_eq!(format!("{:?} {sealed:?}", key()), "AnswerKey(..) Sealed(..)");
    }
}
