//! The words that Step Functions sees as `errorType`: a closed list, because Retry and Catch match on the string.

use serde::{Deserialize, Serialize};

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Why a step failed. The variant's name is the word on the wire.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum ErrorCode { $($(#[$doc])* $name,)+ }

        impl ErrorCode {
            /// Every word, in the order of the list.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$name,)+];

            /// The word as Retry and Catch spell it.
            pub fn word(self) -> &'static str {
                match self { $(ErrorCode::$name => stringify!($name),)+ }
            }
        }
    };
}

error_codes! {
    /// The input of the run or of a step does not parse or contradicts itself; the message names the field.
    BadInput,
    /// Another run of the same source or name is under way, or its recovery is; the message has its execution.
    AnotherRun,
    /// The step is not done; the message says what it waits for. The machine's retrier is the wait.
    NotYet,
    /// AWS refuses for want of a permission; the message names the action.
    AccessDenied,
    /// AWS asks for patience beyond the SDK's own retries. Retried by the machine.
    Throttled,
    /// An AWS service did not answer or failed by itself. Retried by the machine.
    ServiceUnavailable,
    /// A quota of the account is reached; the message has AWS's code and words.
    QuotaExceeded,
    /// AWS has no capacity for what was asked for, in this Availability Zone, for the moment. Retried by the machine.
    InsufficientCapacity,
    /// A resource is in a state that forbids the call for the moment. Retried by the machine.
    ResourceBusy,
    /// A database does not answer. Retried by the machine.
    DatabaseUnreachable,
    /// A database refuses the login or a statement for want of a right.
    DatabaseDenied,
    /// A statement failed for another reason; the message has the server's words.
    StatementFailed,
    /// A secret cannot be read, or lacks `username` or `password`.
    SecretUnusable,
    /// Preflight found blockers; nothing was touched.
    PreflightBlocked,
    /// An instance, snapshot or group has gone into a state that no waiting mends.
    InstanceFailed,
    /// The engine refused or rolled back the upgrade of the copy; the message has events and log.
    UpgradeRefused,
    /// DMS cannot reach a database for a reason that nobody has met; the message has DMS's words.
    ConnectionTestFailed,
    /// DMS gets no answer from a database; the message has the address, the security group and the rule that is missing.
    NetworkBlocked,
    /// A database refuses DMS's connection because it is not encrypted.
    EncryptionRefused,
    /// A database refuses DMS's login.
    LoginRefused,
    /// DMS cannot read the secret with its login.
    SecretUnreachable,
    /// DMS finds no address for a database's name.
    NameUnknown,
    /// The replication task failed for good; the message has DMS's words.
    ReplicationFailed,
    /// Tables are in error and could not be mended; the message names them.
    TablesInError,
    /// Somebody changed the schema of the source, or truncated or rewrote a table, under the run.
    SourceChanged,
    /// A client changed a row of the source in a way that DMS does not carry; the message names table and key.
    ChangeNotCarried,
    /// The slot by which the run watches the source's changes is gone, so that nobody knows what DMS does not carry.
    WatchLost,
    /// Source and target hold different rows.
    CopyDiffers,
    /// Tables could not be compared, and nobody has accepted that; the message names them.
    TablesNotCompared,
    /// A person said no to an interruption of users, or nobody answered in time.
    NotApproved,
    /// The window in which users may be interrupted closed before the cutover could begin, or is too far away.
    WindowOver,
    /// A guardrail of the cutover did not hold in time.
    CutoverNotSafe,
    /// The outage that is forecast exceeds the limit of the input; the message has the part that is too long.
    OutageTooLong,
    /// Failing back now would lose or leave behind something; the message names it.
    FailBackUnsafe,
    /// The fence could not be proven.
    FenceFailed,
    /// The target did not catch up with the fenced source, or a change was not applied.
    DrainFailed,
    /// The deadline of the cutover has passed.
    DeadlinePassed,
    /// The way back was claimed first: the target must not open any more.
    AlreadyBack,
    /// The target cannot be asked whether it is open, and it may be: a person decides.
    UnfenceUnsafe,
    /// The opened target is not reached through the record.
    NotConfirmed,
    /// The source keeps more WAL for the run than it may.
    TooMuchWal,
    /// A wait took longer than its bound.
    TookTooLong,
    /// The record is not what the run saved or expects.
    RecordChanged,
    /// A function of the operator's that moves clients failed; the message has its words.
    HookFailed,
    /// A defect of pgleap.
    Bug,
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}
