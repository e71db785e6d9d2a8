//! Models in files and in memory: read and parsed once a process, not once for each morsel.
//!
//! A parsed model is kept under its content, so that two files, or a file and a column, with the
//! same bytes share one. For a file, its content is kept under its path. All parsed models together
//! may take 1 GiB of memory, or as much as `POLARS_ANORAND_CACHE_MIB` says; beyond that, those that
//! were used least are dropped, and parsed again when they are needed. A single model larger than
//! that is kept alone.
//!
//! A file is read again when its [`Stamp`] differs from that of the last reading, or when the stamp
//! was still young then: a change within the same tick of the file system's clock leaves the stamp
//! as it is.
//!
//! No lock is held while bytes are read, hashed or parsed. Whoever asks for a model that another
//! thread is parsing waits for it; parsing waits for nobody.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use polars::prelude::{polars_bail, polars_ensure, polars_err, PolarsResult};
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use rand::Rng;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::model::Model;

/// Bounds the memory of parsed models, where it should be another.
const VARIABLE: &str = "POLARS_ANORAND_CACHE_MIB";
/// Memory of all parsed models that are kept: about 4,700 of the default preset on ten features.
const BUDGET: usize = 1 << 30;
/// Paths whose content is remembered.
const FILES: usize = 10_000;

/// Returns the model that these bytes are.
pub fn from_bytes(bytes: &[u8]) -> PolarsResult<Arc<Model>> {
    models()?.parse(bytes)
}

/// Returns the model in a file. A file that changed since it was read is read again.
pub fn from_path(path: &Path) -> PolarsResult<Arc<Model>> {
    models()?.open(path)
}

/// The process's models. An error if the environment asks for a budget that can't be.
fn models() -> PolarsResult<&'static Models> {
    static MODELS: LazyLock<Result<Models, String>> =
        LazyLock::new(|| budget(std::env::var(VARIABLE).ok().as_deref()).map(Models::within));
    match &*MODELS {
        Ok(models) => Ok(models),
        Err(reason) => polars_bail!(ComputeError: "anorand: {reason}"),
    }
}

/// The bytes that the variable's value asks for.
fn budget(asked: Option<&str>) -> Result<usize, String> {
    let Some(value) = asked else { return Ok(BUDGET) };
    match value.parse::<usize>().ok().and_then(|mib| mib.checked_mul(1 << 20)) {
        Some(bytes) if bytes > 0 => Ok(bytes),
        _ => Err(format!("{VARIABLE} must be a whole number of MiB, 1 or more, got {value:?}")),
    }
}

/// Which bytes a model was made of: their number and a 128-bit hash. Two models that a process
/// meets by chance share one with a probability below 1e-20, and the seed, drawn by each process,
/// keeps others from making two that do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Content {
    length: usize,
    hash: u128,
}

/// A file as it was when it was read. Another content has another stamp, if the stamp had settled.
#[derive(Clone, Copy, PartialEq)]
struct Stamp {
    modified: Option<SystemTime>,
    /// When anything of the file changed. `cp -p`, `tar` and `rsync -t` set the time above to what
    /// they like, but no program can set this one.
    changed: Option<SystemTime>,
    length: u64,
    device: u64,
    inode: u64,
}

impl Stamp {
    fn from_metadata(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok();
        #[cfg(unix)]
        let (changed, device, inode) = {
            use std::os::unix::fs::MetadataExt;
            let (seconds, nanoseconds) = (metadata.ctime(), metadata.ctime_nsec());
            let since = u64::try_from(seconds).ok().zip(u32::try_from(nanoseconds).ok());
            let changed = since.and_then(|(s, ns)| SystemTime::UNIX_EPOCH.checked_add(Duration::new(s, ns)));
            (changed, metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let (changed, device, inode) = (modified, 0, 0);
        Self { modified, changed, length: metadata.len(), device, inode }
    }

    /// Returns whether a change after `now` gives the file another stamp.
    fn has_settled(&self, now: SystemTime) -> bool {
        /// Longer than a tick of any file system's clock.
        const TICK: Duration = Duration::from_secs(2);
        self.changed.and_then(|changed| now.duration_since(changed).ok()).is_some_and(|age| age > TICK)
    }
}

/// What was in a file when it was read last.
#[derive(Clone, Copy)]
struct Known {
    stamp: Stamp,
    has_settled: bool,
    content: Content,
}

/// A model's memory, and at most what the cache takes of one: it would not keep a larger one at
/// all.
#[derive(Clone)]
struct Memory {
    largest: u64,
}

impl Weighter<Content, Arc<Model>> for Memory {
    fn weight(&self, _: &Content, model: &Arc<Model>) -> u64 {
        (model.bytes() as u64).min(self.largest)
    }
}

struct Models {
    seed: u64,
    parsed: Cache<Content, Arc<Model>, Memory>,
    files: Cache<PathBuf, Known>,
    #[cfg(test)]
    parses: std::sync::atomic::AtomicUsize,
}

impl Models {
    /// Makes an empty cache with a budget in bytes.
    fn within(budget: usize) -> Self {
        /// A model of a few members on a few features; only a first guess of how many there will
        /// be.
        const SMALL: usize = 64 << 10;
        let items = budget.min(BUDGET).div_ceil(SMALL);
        let hasher = DefaultHashBuilder::default();
        // One shard: several would each take a share of the budget, which a large model would not
        // fit in.
        let options =
            OptionsBuilder::new().shards(1).weight_capacity(budget as u64).estimated_items_capacity(items).build();
        let weighter = Memory { largest: budget as u64 / 2 };
        let parsed = match options {
            Ok(options) => Cache::with_options(options, weighter, hasher, Default::default()),
            Err(_) => Cache::with(items, budget as u64, weighter, hasher, Default::default()),
        };
        Self {
            seed: rand::rng().random(),
            parsed,
            files: Cache::new(FILES),
            #[cfg(test)]
            parses: Default::default(),
        }
    }

    fn content(&self, bytes: &[u8]) -> Content {
        Content { length: bytes.len(), hash: xxh3_128_with_seed(bytes, self.seed) }
    }

    fn parse(&self, bytes: &[u8]) -> PolarsResult<Arc<Model>> {
        self.model(&self.content(bytes), bytes)
    }

    fn model(&self, content: &Content, bytes: &[u8]) -> PolarsResult<Arc<Model>> {
        self.parsed.get_or_insert_with(content, || {
            #[cfg(test)]
            self.parses.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Model::from_bytes(bytes).map(Arc::new)
        })
    }

    fn open(&self, path: &Path) -> PolarsResult<Arc<Model>> {
        let unreadable = |error: io::Error| {
            let advice = column_advice(path, &error);
            polars_err!(ComputeError: "anorand: the model {} can't be read: {error}{advice}", path.display())
        };
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        check_kind(path, &metadata)?;
        if let Some(known) = self.files.get(path) {
            let is_same = known.has_settled && known.stamp == Stamp::from_metadata(&metadata);
            if let Some(model) = self.parsed.get(&known.content).filter(|_| is_same) {
                return Ok(model);
            }
        }
        let now = SystemTime::now();
        let mut file = File::open(path).map_err(unreadable)?;
        // Of the file that is open, since another one may be in its place by now.
        let stamp = file.metadata().map(|metadata| Stamp::from_metadata(&metadata)).map_err(unreadable)?;
        let mut bytes = vec![];
        file.read_to_end(&mut bytes).map_err(unreadable)?;
        let content = self.content(&bytes);
        let model = self
            .model(&content, &bytes)
            .map_err(|error| error.wrap_msg(|message| format!("{message} (in the file {})", path.display())))?;
        self.files.insert(path.to_path_buf(), Known { stamp, has_settled: stamp.has_settled(now), content });
        Ok(model)
    }
}

/// Says how a column of models is given, where a missing file's name may be that of a column.
fn column_advice(path: &Path, error: &io::Error) -> String {
    match path.file_name().and_then(|name| name.to_str()) {
        Some(name) if error.kind() == io::ErrorKind::NotFound && path.extension().is_none() => {
            format!("; a column of models is pl.col({name:?})")
        }
        _ => String::new(),
    }
}

/// Refuses all but a regular file: to open a pipe would wait for its other end, and a device has no
/// end.
fn check_kind(path: &Path, metadata: &Metadata) -> PolarsResult<()> {
    let kind = if metadata.is_dir() { "a folder" } else { "a device, a pipe or a socket" };
    polars_ensure!(metadata.is_file(), ComputeError:
        "anorand: the model {} is {kind}, expected the path of a model file", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::examples;
    use std::sync::atomic::Ordering;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn distinct(count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|seed| examples::with_seed(seed as u64).to_bytes().unwrap()).collect()
    }

    fn parses(models: &Models) -> usize {
        models.parses.load(Ordering::Relaxed)
    }

    #[test]
    fn thousands_of_models_are_parsed_once_whatever_the_number_of_morsels_and_threads() {
        let files = distinct(3_000);
        let models = Models::within(BUDGET);
        // Two columns, each in morsels of 500 rows, on two threads at a time.
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for morsel in files.chunks(500) {
                        morsel.iter().for_each(|bytes| drop(models.parse(bytes).unwrap()));
                    }
                });
            }
        });
        files.iter().for_each(|bytes| drop(models.parse(bytes).unwrap()));
        assert_eq!(parses(&models), 3_000);
    }

    #[test]
    fn each_content_gives_its_own_model() {
        let models = Models::within(BUDGET);
        for (seed, bytes) in distinct(50).iter().enumerate().rev() {
            assert_eq!(models.parse(bytes).unwrap().metadata().options.seed, seed as u64);
        }
    }

    #[test]
    fn parsed_models_stay_within_the_budget() {
        let files = distinct(100);
        let of_one = Model::from_bytes(&files[0]).unwrap().bytes();
        let models = Models::within(10 * of_one);
        files.iter().for_each(|bytes| drop(models.parse(bytes).unwrap()));
        assert!((5..=10).contains(&models.parsed.len()), "{}", models.parsed.len());
        assert!(models.parsed.weight() <= 10 * of_one as u64);
    }

    #[test]
    fn a_budget_is_checked() {
        assert_eq!(budget(None), Ok(1 << 30));
        assert_eq!(budget(Some("32")), Ok(32 << 20));
        for odd in ["0", "-1", "1.5", "all", "", "18446744073709551615"] {
            let reason = budget(Some(odd)).unwrap_err();
            assert!(reason.contains("1 or more") && reason.contains(&format!("got {odd:?}")), "{reason}");
        }
    }

    #[test]
    fn a_model_larger_than_the_budget_is_still_parsed_once() {
        let bytes = &distinct(1)[0];
        let models = Models::within(1_000);
        assert!(models.parse(bytes).unwrap().bytes() > 1_000);
        models.parse(bytes).unwrap();
        assert_eq!(parses(&models), 1);
    }

    #[test]
    fn files_and_columns_with_the_same_bytes_share_one_model() {
        let folder = folder();
        let bytes = &distinct(1)[0];
        let paths = ["a", "b"].map(|name| folder.path().join(name));
        paths.iter().for_each(|path| std::fs::write(path, bytes).unwrap());
        let models = Models::within(BUDGET);
        let first = models.parse(bytes).unwrap();
        for path in paths.iter().cycle().take(6) {
            assert!(Arc::ptr_eq(&models.open(path).unwrap(), &first));
        }
        assert_eq!(parses(&models), 1);
    }

    #[test]
    fn a_file_that_changed_is_read_again() {
        let folder = folder();
        let path = folder.path().join("model");
        let models = Models::within(BUDGET);
        for (seed, bytes) in distinct(3).iter().enumerate() {
            // Another file in its place, as a fit writes it.
            std::fs::write(folder.path().join("new"), bytes).unwrap();
            std::fs::rename(folder.path().join("new"), &path).unwrap();
            for _ in 0..2 {
                assert_eq!(models.open(&path).unwrap().metadata().options.seed, seed as u64);
            }
        }
        assert_eq!(parses(&models), 3);
    }

    /// Two models of the same length.
    fn alike() -> [Vec<u8>; 2] {
        let [one, other] = [1, 2].map(|seed| examples::with_seed(seed).to_bytes().unwrap());
        assert_eq!(one.len(), other.len());
        [one, other]
    }

    #[test]
    fn a_file_that_changed_in_place_within_a_tick_is_read_again() {
        let folder = folder();
        let path = folder.path().join("model");
        let models = Models::within(BUDGET);
        for (turn, bytes) in alike().iter().cycle().take(200).enumerate() {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(models.open(&path).unwrap().metadata().options.seed, 1 + turn as u64 % 2);
        }
        assert_eq!(parses(&models), 2);
    }

    #[test]
    fn a_file_that_changed_in_place_and_says_the_old_time_is_read_again() {
        let folder = folder();
        let path = folder.path().join("model");
        let models = Models::within(BUDGET);
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for (turn, bytes) in alike().iter().enumerate() {
            std::fs::write(&path, bytes).unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
            assert_eq!(models.open(&path).unwrap().metadata().options.seed, 1 + turn as u64);
            // As if the file had been there for long.
            let known = models.files.get(&path).unwrap();
            models.files.insert(path.clone(), Known { has_settled: true, ..known });
            assert_eq!(models.open(&path).unwrap().metadata().options.seed, 1 + turn as u64);
            // Until the clock of the file system ticks.
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    #[test]
    fn a_stamp_has_settled_some_time_after_the_last_change() {
        let folder = folder();
        let path = folder.path().join("model");
        std::fs::write(&path, "model").unwrap();
        let stamp = Stamp::from_metadata(&std::fs::metadata(&path).unwrap());
        let now = SystemTime::now();
        assert!(!stamp.has_settled(now));
        assert!(stamp.has_settled(now + Duration::from_secs(5)));
        // A server's clock may be ahead.
        assert!(!stamp.has_settled(now - Duration::from_secs(60)));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        use std::os::unix::net::UnixListener;
        let folder = folder();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        for (path, kind) in
            [(socket.as_path(), "a device, a pipe"), (Path::new("/dev/zero"), "a device"), (folder.path(), "a folder")]
        {
            let message = Models::within(BUDGET).open(path).err().unwrap().to_string();
            assert!(message.contains(&format!("is {kind}")), "{message}");
        }
    }

    #[test]
    fn what_is_not_a_model_is_an_error_each_time() {
        let models = Models::within(BUDGET);
        for _ in 0..2 {
            assert!(models.parse(b"nothing").is_err());
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let message = from_path(&folder().path().join("none.safetensors")).err().unwrap().to_string();
        assert!(message.contains("none.safetensors"), "{message}");
    }
}
