//! Queries: which rows go to which model, and what a verb makes of them.

mod apply;
mod by_expression;
mod groups;
mod init;
mod opened;
mod plan;
mod request;
mod scan;
mod warn;
mod written;

pub mod verbs;

pub use apply::{apply, Source};
pub use by_expression::Expression;
pub use groups::{Groups, SmallGroups};
pub use init::Init;
pub use opened::ModelFile;
pub use plan::plan;
pub use request::Training;
pub use scan::{Gathered, Scan};
pub use written::write_once;
