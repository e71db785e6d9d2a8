//! Files that are written whole or not at all.

use std::io::Write;
use std::path::{Path, PathBuf};

use polars::prelude::{polars_bail, polars_ensure, polars_err, PolarsError, PolarsResult};

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
}
