//! Models in files and in memory: read and parsed once a process, not once for each morsel.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use polars::prelude::{polars_ensure, polars_err, PolarsResult};

use super::Model;

/// Parsed models kept, the least recently used ones dropped first.
const KEPT: usize = 64;
/// Bytes of model files kept beside their parsed models.
const KEPT_BYTES: usize = 256 << 20;

/// A file as it was when it was read: another content has another stamp.
#[derive(Clone, PartialEq)]
struct Stamp {
    path: PathBuf,
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path, metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Self { path: path.to_path_buf(), modified: metadata.modified().ok(), length: metadata.len(), inode }
    }
}

struct Entry {
    bytes: Vec<u8>,
    stamp: Option<Stamp>,
    model: Arc<Model>,
}

/// Most recently used last.
static ENTRIES: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

fn entries() -> MutexGuard<'static, Vec<Entry>> {
    // A poisoned cache is still a list of valid models.
    ENTRIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The kept model for which `is_it` holds; it becomes the most recently used one.
fn find(is_it: impl Fn(&Entry) -> bool) -> Option<Arc<Model>> {
    let mut entries = entries();
    let at = entries.iter().rposition(is_it)?;
    let entry = entries.remove(at);
    let model = entry.model.clone();
    entries.push(entry);
    Some(model)
}

fn keep(entry: Entry) {
    let mut entries = entries();
    entries.retain(|kept| kept.bytes != entry.bytes);
    entries.push(entry);
    let mut size: usize = entries.iter().map(|entry| entry.bytes.len()).sum();
    while entries.len() > 1 && (entries.len() > KEPT || size > KEPT_BYTES) {
        size -= entries.remove(0).bytes.len();
    }
}

/// The model that these bytes are.
pub fn from_bytes(bytes: &[u8]) -> PolarsResult<Arc<Model>> {
    if let Some(model) = find(|entry| entry.bytes == bytes) {
        return Ok(model);
    }
    // Parsed outside the lock: other models are found meanwhile.
    let model = Arc::new(Model::from_bytes(bytes)?);
    keep(Entry { bytes: bytes.to_vec(), stamp: None, model: model.clone() });
    Ok(model)
}

/// The model in a file. A file that changed since it was read is read again.
pub fn from_path(path: &Path) -> PolarsResult<Arc<Model>> {
    let unreadable = |error: std::io::Error| polars_err!(ComputeError: "anorand: the model {} can't be read: {error}", path.display());
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    polars_ensure!(!metadata.is_dir(), ComputeError:
        "anorand: the model {} is a folder, expected the path of a model file", path.display());
    let stamp = Stamp::of(path, &metadata);
    if let Some(model) = find(|entry| entry.stamp.as_ref() == Some(&stamp)) {
        return Ok(model);
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let model = Model::from_bytes(&bytes)
        .map_err(|error| error.wrap_msg(|message| format!("{message} (in the file {})", path.display())))?;
    let model = Arc::new(model);
    keep(Entry { bytes, stamp: Some(stamp), model: model.clone() });
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_missing_file_is_named() {
        let message = from_path(&folder().path().join("none.safetensors")).err().unwrap().to_string();
        assert!(message.contains("none.safetensors"), "{message}");
    }
}
