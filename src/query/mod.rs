//! Queries: which rows go to which model, and what a verb makes of them.

mod apply;
mod groups;
mod init;
mod opened;
mod request;
mod scan;
mod warn;
mod written;

pub mod verbs;

pub use apply::{apply, Source};
pub use groups::{Groups, SmallGroups};
pub use init::Init;
pub use opened::{plan, Expression, ModelFile};
pub use request::Training;
pub use scan::{Gathered, Scan};
pub use written::{forget, write_once};
