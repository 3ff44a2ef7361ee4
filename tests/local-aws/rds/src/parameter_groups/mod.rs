//! Parameter groups: what a server is told, and when it is told.
//!
//! A group is a family and the values that its owner set. `catalog` knows the parameters of a family, from the real
//! server of that major; `formula` computes values such as `{DBInstanceClassMemory/32768}`; `effective` turns a
//! group into a server's settings; `groups` and `values` are the API; `apply` brings a change to running instances.

mod apply;
mod catalog;
mod effective;
mod formula;
mod groups;
mod rds_parameters;
mod values;

pub(crate) use catalog::{Catalog, Catalogs};
pub(crate) use effective::{Machine, Values, forces_tls, lock_settings, server_settings, values_of};
pub(crate) use groups::{ParameterGroup, default_group, refuse_wrong_family};
