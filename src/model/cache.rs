//! Models in files and in memory: read and parsed once a process, not once a morsel; written whole or not at all.

use std::fs::Metadata;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use polars::prelude::{polars_bail, polars_ensure, polars_err, PolarsError, PolarsResult};

use crate::model::Model;

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

/// A place for a model file, claimed before a fit: that it can't be written is known at once, and whatever was there stays
/// until the new model is complete on the disk.
pub struct Destination {
    path: PathBuf,
    temporary: tempfile::NamedTempFile,
}

impl Destination {
    pub fn claim(path: &Path) -> PolarsResult<Self> {
        polars_ensure!(!path.is_dir(), ComputeError:
            "anorand: path {} is a folder, expected the path of a model file", path.display());
        // A link stays a link: the file that it points to is replaced.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        polars_ensure!(folder.is_dir(), ComputeError:
            "anorand: path {} can't be written: there is no folder {}", path.display(), folder.display());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".anorand-").suffix(".tmp");
        #[cfg(unix)]
        {
            // What the umask makes of any new file; the default is for secrets.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let temporary = builder.tempfile_in(folder).map_err(|error| unwritable(&path, &error))?;
        Ok(Self { path, temporary })
    }

    /// Write the file whole, sync it, and put it in place of what was there.
    pub fn write(mut self, bytes: &[u8]) -> PolarsResult<()> {
        let written = self.temporary.write_all(bytes).and_then(|()| self.temporary.as_file().sync_all());
        written.map_err(|error| unwritable(&self.path, &error))?;
        match self.temporary.persist(&self.path) {
            Ok(_) => Ok(()),
            Err(error) => polars_bail!(ComputeError:
                "anorand: path {} can't be written: {}", self.path.display(), error.error),
        }
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> PolarsError {
    polars_err!(ComputeError: "anorand: path {} can't be written: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn an_abandoned_write_leaves_the_old_file_and_nothing_else() {
        let folder = folder();
        let path = folder.path().join("model");
        std::fs::write(&path, "old").unwrap();
        drop(Destination::claim(&path).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_write_replaces_the_file() {
        let folder = folder();
        let path = folder.path().join("model");
        std::fs::write(&path, "old").unwrap();
        Destination::claim(&path).unwrap().write(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_or_a_missing_folder_is_refused_before_the_fit() {
        let folder = folder();
        let message = |path: &Path| Destination::claim(path).err().unwrap().to_string();
        assert!(message(folder.path()).contains("is a folder"));
        assert!(message(&folder.path().join("none/model")).contains("there is no folder"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let message = from_path(&folder().path().join("none.safetensors")).err().unwrap().to_string();
        assert!(message.contains("none.safetensors"), "{message}");
    }
}
