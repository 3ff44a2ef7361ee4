//! The published models: which operations there are, and the shape of all that goes in and out.

mod charset;
mod check;
mod parse;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use charset::Charset;
pub(crate) use check::type_name;
pub use check::{Problem, check_input, check_output};

/// One service's model, cut to the operations that are served (`models/<service>.json`).
#[derive(Debug)]
pub struct Model {
    /// The name in botocore, e.g. `dms`.
    pub name: &'static str,
    /// e.g. `2014-10-31`.
    pub api_version: String,
    /// What the service speaks.
    pub protocol: Protocol,
    /// The service's name in a SigV4 credential scope.
    pub signing_name: String,
    /// What stands before the dot in `x-amz-target`, for the JSON protocols.
    pub target_prefix: Option<String>,
    /// The namespace of its XML.
    pub xml_namespace: Option<String>,
    /// By name.
    pub operations: HashMap<String, Operation>,
    /// Operations of the service that are not served here: name to `METHOD /path`.
    pub not_served: HashMap<String, String>,
    /// By name.
    pub shapes: HashMap<String, Shape>,
}

/// The wire protocols of AWS that our services speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Form body in, XML out (RDS).
    Query,
    /// A variant of it with capital letters in requests and bare lists (EC2).
    Ec2,
    /// JSON in and out, the operation in a header (DMS, Secrets Manager, EventBridge); with the version, e.g. `1.1`.
    Json(JsonVersion),
    /// JSON bodies, the operation in method and path (Scheduler).
    RestJson,
    /// XML bodies, the operation in method and path (Route 53).
    RestXml,
}

/// The versions of AWS's JSON protocol; they differ in the content type and in the form of `__type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonVersion {
    /// `application/x-amz-json-1.0`
    V10,
    /// `application/x-amz-json-1.1`
    V11,
}

/// One operation.
#[derive(Debug)]
pub struct Operation {
    /// e.g. `DescribeDBInstances`.
    pub name: String,
    /// HTTP method.
    pub method: String,
    /// Path with labels, e.g. `/2013-04-01/hostedzone/{Id}/rrset/`.
    pub uri: String,
    /// HTTP status of success.
    pub status: u16,
    /// Shape of the input.
    pub input: Option<String>,
    /// Root element of an XML input.
    pub input_root: Option<String>,
    /// Shape of the output.
    pub output: Option<String>,
    /// Element around the output in the query protocol, e.g. `DescribeDBInstancesResult`.
    pub result_wrapper: Option<String>,
    /// Errors that the model lists.
    pub errors: Vec<ErrorShape>,
}

/// An error that a model lists for an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorShape {
    /// Code on the wire, e.g. `DBInstanceNotFound` for the shape `DBInstanceNotFoundFault`.
    pub code: String,
    /// HTTP status; 400 where the model is silent.
    pub status: u16,
    /// How this error spells the member with the text: `message`, `Message`.
    pub message_member: String,
}

/// What a value may be.
#[derive(Debug)]
pub struct Shape {
    /// Its type.
    pub kind: Kind,
    /// Least value, or least length.
    pub min: Option<f64>,
    /// Greatest value, or greatest length.
    pub max: Option<f64>,
    /// Never to be shown in a message.
    pub sensitive: bool,
}

/// Type of a shape.
#[derive(Debug)]
pub enum Kind {
    /// Members by name, in the model's order.
    Structure(Vec<Member>),
    /// Elements of one shape.
    List {
        /// The elements.
        element: Member,
        /// No element around the elements on the wire.
        flattened: bool,
    },
    /// String to a shape.
    Map {
        /// The keys, which are strings.
        key: Member,
        /// The values.
        value: Member,
    },
    /// Text.
    String {
        /// The only texts allowed; empty if any is.
        choices: Vec<String>,
        /// The only characters allowed, where the model's pattern says no more than that.
        charset: Option<Charset>,
    },
    /// `true`, `false`
    Boolean,
    /// 32 bits
    Integer,
    /// 64 bits
    Long,
    /// A number with a fraction, `float` or `double`
    Double,
    /// A moment; epoch seconds inside the stand-in
    Timestamp(TimestampFormat),
    /// Bytes; base64 inside the stand-in
    Blob,
}

/// How a moment is written; unset follows the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampFormat {
    /// As the protocol does by default.
    Protocol,
    /// `2026-01-31T10:00:00Z`
    Iso8601,
    /// Epoch seconds
    UnixTimestamp,
    /// `Sat, 31 Jan 2026 10:00:00 GMT`
    Rfc822,
}

/// A member of a structure, or the elements of a list.
#[derive(Debug)]
pub struct Member {
    /// Name in the model, which is the name inside the stand-in.
    pub name: String,
    /// Its shape's name.
    pub shape: String,
    /// Name on the wire, if another.
    pub wire_name: Option<String>,
    /// Where a REST protocol puts it.
    pub place: Place,
    /// Whether it must be there.
    pub required: bool,
}

/// Where a REST protocol puts a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the body, the usual.
    Body,
    /// In the path.
    Uri,
    /// In the query string.
    QueryString,
    /// In a header.
    Header,
}

impl Member {
    /// Name on the wire, or `default` where the model gives none.
    pub fn wire<'a>(&'a self, default: &'a str) -> &'a str {
        self.wire_name.as_deref().unwrap_or(default)
    }
}

impl Model {
    /// The model of a service by botocore's name; `None` if there is none here.
    pub fn of(service: &str) -> Option<&'static Model> {
        MODELS.iter().find(|model| model.name == service)
    }

    /// Every model there is.
    pub fn all() -> &'static [Model] {
        &MODELS
    }

    /// A shape by name. Models are closed: a name in a model always has its shape in it.
    pub fn shape(&self, name: &str) -> &Shape {
        self.shapes.get(name).expect("cut.py keeps every shape that another reaches")
    }

    /// The members of an operation's input.
    pub fn input_members(&self, operation: &Operation) -> &[Member] {
        self.members(operation.input.as_deref())
    }

    /// The members of an operation's output.
    pub fn output_members(&self, operation: &Operation) -> &[Member] {
        self.members(operation.output.as_deref())
    }

    fn members(&self, shape: Option<&str>) -> &[Member] {
        match shape.map(|name| &self.shape(name).kind) {
            Some(Kind::Structure(members)) => members,
            _ => &[],
        }
    }
}

static MODELS: LazyLock<Vec<Model>> = LazyLock::new(|| {
    [
        ("rds", include_str!("../../models/rds.json")),
        ("dms", include_str!("../../models/dms.json")),
        ("route53", include_str!("../../models/route53.json")),
        ("secretsmanager", include_str!("../../models/secretsmanager.json")),
        ("scheduler", include_str!("../../models/scheduler.json")),
        ("ec2", include_str!("../../models/ec2.json")),
        ("sns", include_str!("../../models/sns.json")),
        ("sts", include_str!("../../models/sts.json")),
        ("events", include_str!("../../models/events.json")),
    ]
    .map(|(name, text)| parse::model(name, text))
    .into()
});
