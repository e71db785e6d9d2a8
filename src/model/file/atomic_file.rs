//! Files that are written whole or not at all.
//!
//! A file is written to a temporary one beside it, `.anorand-<name>-<random>.tmp`, and renamed. A
//! process that is killed leaves its temporary file; the next one that claims the same destination
//! removes it. Whether its owner lives is asked of a lock on the file, which the kernel releases
//! when the owner dies, however it dies. A process id in the name would not do: in another
//! container, or on another machine, a living process looks dead.
//!
//! Only a regular file is replaced. A device, a pipe or a socket is refused; through a link, the
//! file that it leads to is written, whether it is there yet or not.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use polars::prelude::{polars_err, PolarsError};
use tempfile::NamedTempFile;

/// A place for a model file, claimed before a fit: that it can't be written is known at once, and
/// whatever was there stays until the new model is complete on the disk.
pub struct Destination {
    path: PathBuf,
    temporary: NamedTempFile,
}

/// Why a file can't be written.
#[derive(Debug)]
pub(crate) struct Unwritable {
    pub path: PathBuf,
    /// For people to read, the path included.
    pub message: String,
    /// The system's error, or the one that it would give.
    pub kind: ErrorKind,
    pub errno: Option<i32>,
}

impl Unwritable {
    fn from_error(path: &Path, error: &io::Error) -> Self {
        let message = format!("anorand: path {} can't be written: {error}", path.display());
        Self { path: path.to_path_buf(), message, kind: error.kind(), errno: error.raw_os_error() }
    }

    fn refused(path: &Path, kind: ErrorKind, reason: String) -> Self {
        let message = format!("anorand: path {} {reason}", path.display());
        Self { path: path.to_path_buf(), message, kind, errno: None }
    }
}

impl From<Unwritable> for PolarsError {
    fn from(error: Unwritable) -> Self {
        polars_err!(ComputeError: "{}", error.message)
    }
}

impl Destination {
    pub fn claim(path: &Path) -> Result<Self, Unwritable> {
        let target = behind_links(path).map_err(|error| Unwritable::from_error(path, &error))?;
        let replaced = fs::metadata(&target).ok();
        if replaced.as_ref().is_some_and(|there| !there.is_file() && !there.is_dir()) {
            let reason = "is a device, a pipe or a socket, expected the path of a file".to_string();
            return Err(Unwritable::refused(path, ErrorKind::InvalidInput, reason));
        }
        let (folder, name) = match (target.parent(), target.file_name()) {
            _ if target.is_dir() => {
                let reason = "is a folder, expected the path of a file".to_string();
                return Err(Unwritable::refused(path, ErrorKind::IsADirectory, reason));
            }
            (Some(folder), Some(name)) if folder == Path::new("") => (Path::new("."), name),
            (Some(folder), Some(name)) => (folder, name),
            _ => {
                let reason = "can't be written: it names no file".to_string();
                return Err(Unwritable::refused(path, ErrorKind::IsADirectory, reason));
            }
        };
        if !folder.is_dir() {
            let kind = if folder.exists() { ErrorKind::NotADirectory } else { ErrorKind::NotFound };
            let reason = format!("can't be written: there is no folder {}", folder.display());
            return Err(Unwritable::refused(path, kind, reason));
        }
        let prefix = prefix(name);
        remove_abandoned(folder, &prefix);
        let temporary =
            temporary(folder, &prefix, replaced.as_ref()).map_err(|error| Unwritable::from_error(path, &error))?;
        Ok(Self { path: target, temporary })
    }

    /// The file that will be written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Write the file whole, sync it, and put it in place of what was there.
    pub fn write(mut self, bytes: &[u8]) -> Result<(), Unwritable> {
        // Of the file itself: the errors of `NamedTempFile` name the temporary file, and lose the
        // system's number.
        let file = self.temporary.as_file_mut();
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.map_err(|error| Unwritable::from_error(&self.path, &error))?;
        match self.temporary.persist(&self.path) {
            Ok(_) => Ok(()),
            Err(error) => Err(Unwritable::from_error(&self.path, &error.error)),
        }
    }
}

/// Follows links, so that a link stays a link. It may lead to a file that is not there yet.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    /// Linux follows this number of links.
    const MOST_LINKS: usize = 40;
    let unresolved = match path.canonicalize() {
        Ok(target) => return Ok(target),
        Err(error) => error,
    };
    let mut target = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(next) = fs::read_link(&target) else { return Ok(target) };
        // An absolute one takes the place of the whole path.
        target = target.parent().unwrap_or(Path::new("")).join(next);
    }
    Err(unresolved)
}

const SUFFIX: &str = ".tmp";

/// How the names of a destination's temporary files begin.
fn prefix(name: &OsStr) -> OsString {
    /// Leaves room for the rest, as most file systems take names of 255 bytes.
    const LONGEST: usize = 200;
    let mut prefix = OsString::from(".anorand-");
    if name.len() <= LONGEST {
        prefix.push(name);
    } else {
        // Two long names with the same checksum would only clean up after each other.
        prefix.push(format!("{:08x}", crc32fast::hash(name.as_encoded_bytes())));
    }
    prefix.push("-");
    prefix
}

/// Whether a file is a temporary one with that prefix. The random part has no dash, so that the
/// destination `model` leaves alone what belongs to `model-2`.
fn is_temporary(file: &OsStr, prefix: &OsStr) -> bool {
    let rest = file.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
    let random = rest.and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
    random.is_some_and(|random| !random.is_empty() && random.iter().all(u8::is_ascii_alphanumeric))
}

/// A temporary file that is locked, with the mode of the file that it will replace.
fn temporary(folder: &Path, prefix: &OsStr, replaced: Option<&Metadata>) -> io::Result<NamedTempFile> {
    const ATTEMPTS: usize = 100;
    for _ in 0..ATTEMPTS {
        let temporary = create(folder, prefix, replaced)?;
        match temporary.as_file().try_lock() {
            // Another process may have taken it for an abandoned one, before it was locked.
            Ok(()) if temporary.path().exists() => return Ok(temporary),
            Ok(()) | Err(fs::TryLockError::WouldBlock) => {}
            // A file system without locks: nobody else can lock the file either, so nobody removes
            // it.
            Err(fs::TryLockError::Error(_)) => return Ok(temporary),
        }
    }
    Err(io::Error::new(ErrorKind::ResourceBusy, "other processes keep removing its temporary file"))
}

#[cfg(unix)]
fn create(folder: &Path, prefix: &OsStr, replaced: Option<&Metadata>) -> io::Result<NamedTempFile> {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    let kept = replaced.map(|metadata| metadata.permissions().mode() & 0o777);
    // For a new file, what the umask makes of any. One that replaces another is its owner's alone
    // until it has that one's mode.
    let mode = if kept.is_some() { 0o600 } else { 0o666 };
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(SUFFIX).permissions(Permissions::from_mode(mode));
    let temporary = builder.tempfile_in(folder)?;
    if let Some(kept) = kept {
        // Not where it is the same: some file systems have no modes to set.
        if temporary.as_file().metadata()?.permissions().mode() & 0o777 != kept {
            temporary.as_file().set_permissions(Permissions::from_mode(kept))?;
        }
    }
    Ok(temporary)
}

#[cfg(not(unix))]
fn create(folder: &Path, prefix: &OsStr, _replaced: Option<&Metadata>) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(prefix).suffix(SUFFIX).tempfile_in(folder)
}

/// Removes the temporary files with that prefix that no process holds. A failure only leaves one
/// lying.
fn remove_abandoned(folder: &Path, prefix: &OsStr) {
    let Ok(files) = fs::read_dir(folder) else { return };
    for file in files.flatten().filter(|file| is_temporary(&file.file_name(), prefix)) {
        // A plain file, since opening a pipe would wait for its other end.
        if !file.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        // To write, which an exclusive lock needs on NFS.
        let Ok(abandoned) = OpenOptions::new().write(true).open(file.path()) else { continue };
        remove_unless_locked(&file.path(), &abandoned);
    }
}

fn remove_unless_locked(path: &Path, file: &File) {
    if file.try_lock().is_ok() {
        // Under the lock: whoever locks it later finds it gone, and makes another. Gone already is
        // as good.
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn an_abandoned_write_leaves_the_old_file_and_nothing_else() {
        let folder = folder();
        let path = folder.path().join("model");
        fs::write(&path, "old").unwrap();
        drop(Destination::claim(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["model"]);
    }

    #[test]
    fn a_write_replaces_the_file() {
        let folder = folder();
        let path = folder.path().join("model");
        fs::write(&path, "old").unwrap();
        Destination::claim(&path).unwrap().write(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["model"]);
    }

    #[test]
    fn a_folder_or_a_missing_folder_is_refused_before_the_fit() {
        let folder = folder();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for (path, reason, kind) in [
            (folder.path().to_path_buf(), "is a folder", ErrorKind::IsADirectory),
            (folder.path().join("none/model"), "there is no folder", ErrorKind::NotFound),
            (file.join("model"), "there is no folder", ErrorKind::NotADirectory),
        ] {
            let error = Destination::claim(&path).err().unwrap();
            assert!(error.message.contains(reason), "{}", error.message);
            assert_eq!((error.kind, error.path), (kind, path));
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_refused_and_stays() {
        use std::os::unix::fs::FileTypeExt;
        use std::os::unix::net::UnixListener;
        let folder = folder();
        let path = folder.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        for path in [path.as_path(), Path::new("/dev/null")] {
            let error = Destination::claim(path).err().unwrap();
            assert!(error.message.contains("is a device, a pipe or a socket"), "{}", error.message);
            assert_eq!(error.kind, ErrorKind::InvalidInput);
        }
        assert!(fs::metadata(&path).unwrap().file_type().is_socket());
        assert_eq!(names(folder.path()), ["socket"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_even_to_a_file_that_is_not_there_yet() {
        use std::os::unix::fs::symlink;
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        symlink("between", at("link")).unwrap();
        symlink(at("model"), at("between")).unwrap();
        for content in ["new", "newer"] {
            Destination::claim(&at("link")).unwrap().write(content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(at("model")).unwrap(), content);
            assert!(at("link").is_symlink() && at("between").is_symlink());
        }
        assert_eq!(names(folder.path()), ["between", "link", "model"]);
        symlink(at("circle"), at("circle")).unwrap();
        assert!(Destination::claim(&at("circle")).err().unwrap().message.contains("can't be written"));
        symlink(at("none").join("model"), at("nowhere")).unwrap();
        assert_eq!(Destination::claim(&at("nowhere")).err().unwrap().kind, ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_replaced_hands_on_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let folder = folder();
        let path = folder.path().join("model");
        for mode in [0o600, 0o640, 0o666] {
            fs::write(&path, "old").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Destination::claim(&path).unwrap().write(b"new").unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
    }

    #[test]
    fn a_claim_removes_what_dead_processes_left_and_nothing_else() {
        let folder = folder();
        let held = Destination::claim(&folder.path().join("model")).unwrap();
        let held_name = held.temporary.path().file_name().unwrap().to_str().unwrap().to_string();
        let others = [
            ".anorand-model-2-Ab3.tmp",
            ".anorand-other-Ab3.tmp",
            ".anorand-model-.tmp",
            ".anorand-model-Ab3",
            "anorand-model-Ab3.tmp",
        ];
        for name in others.iter().chain(&[".anorand-model-Ab3.tmp", ".anorand-model-Xy9.tmp"]) {
            fs::write(folder.path().join(name), "left").unwrap();
        }
        Destination::claim(&folder.path().join("model")).unwrap().write(b"new").unwrap();
        let mut expected: Vec<String> = others.iter().map(|name| name.to_string()).collect();
        expected.extend([held_name, "model".to_string()]);
        expected.sort();
        assert_eq!(names(folder.path()), expected);
        held.write(b"newer").unwrap();
        assert_eq!(fs::read(folder.path().join("model")).unwrap(), b"newer");
    }

    #[test]
    fn the_longest_name_that_there_can_be_is_written() {
        let folder = folder();
        let path = folder.path().join("n".repeat(255));
        Destination::claim(&path).unwrap().write(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()).len(), 1);
    }
}
