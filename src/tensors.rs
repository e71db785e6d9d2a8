//! Named tensors: how a part of a model gives its numbers to a file, and takes them back.
//!
//! A part puts each of its tensors into [`TensorsOut`], and reads it from [`TensorsIn`], by name.
//! Which tensors a file has, of what dtypes and shapes, is stated once, in the table of
//! `model/file/table.rs`: a file is checked against the table before anything is read, and so is
//! what is written.

use std::collections::BTreeMap;

use polars::prelude::{polars_bail, polars_ensure, polars_err, PolarsError, PolarsResult};
use safetensors::tensor::{Dtype, SafeTensors};

/// What a tensor of a file must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
}

/// A number that a tensor can hold.
pub trait Element: Copy {
    const DTYPE: Dtype;

    /// Adds the number, in little endian, to `bytes`.
    fn write(self, bytes: &mut Vec<u8>);

    /// Adds the numbers that `bytes` are to `numbers`.
    fn read(bytes: &[u8], numbers: &mut Vec<Self>);

    /// Counts the numbers in `bytes`.
    fn count(bytes: &[u8]) -> usize {
        bytes.len() / size_of::<Self>()
    }
}

macro_rules! elements {
    ($($number:ty => $dtype:ident),+) => {$(
        impl Element for $number {
            const DTYPE: Dtype = Dtype::$dtype;

            fn write(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn read(bytes: &[u8], numbers: &mut Vec<Self>) {
                let (chunks, _) = bytes.as_chunks::<{ size_of::<$number>() }>();
                numbers.extend(chunks.iter().map(|bytes| Self::from_le_bytes(*bytes)));
            }
        }
    )+};
}

elements!(u8 => U8, u32 => U32, i64 => I64, u64 => U64, f32 => F32, f64 => F64);

/// The tensors that are to be written, by name.
#[derive(Default)]
pub struct TensorsOut(BTreeMap<String, (Dtype, Vec<u8>)>);

impl TensorsOut {
    /// Adds a tensor.
    pub fn put<T: Element>(&mut self, name: impl Into<String>, numbers: &[T]) {
        let mut bytes = Vec::with_capacity(size_of_val(numbers));
        numbers.iter().for_each(|number| number.write(&mut bytes));
        self.0.insert(name.into(), (T::DTYPE, bytes));
    }

    /// Returns the bytes of each tensor, if they are those that `specs` ask for.
    pub fn checked(self, specs: &BTreeMap<String, TensorSpec>) -> PolarsResult<BTreeMap<String, Vec<u8>>> {
        let put = self.0.iter().map(|(name, (dtype, _))| (name, dtype));
        let asked = specs.iter().map(|(name, spec)| (name, &spec.dtype));
        polars_ensure!(put.eq(asked), ComputeError:
            "anorand: the model can't be written: its tensors are not those of the table of tensors");
        Ok(self.0.into_iter().map(|(name, (_, bytes))| (name, bytes)).collect())
    }
}

/// The tensors of a file, each of the dtype and shape that it must have.
pub struct TensorsIn<'a> {
    file: &'a SafeTensors<'a>,
    specs: BTreeMap<String, TensorSpec>,
}

impl<'a> TensorsIn<'a> {
    /// Checks the tensors of a file, other than the one named `besides`. `needing` says in an error
    /// what needs them.
    pub fn check(
        file: &'a SafeTensors<'a>,
        specs: BTreeMap<String, TensorSpec>,
        besides: &str,
        needing: &str,
    ) -> PolarsResult<Self> {
        for (name, TensorSpec { dtype, shape }) in &specs {
            let Ok(tensor) = file.tensor(name) else { return Err(missing(name)) };
            polars_ensure!(tensor.dtype() == *dtype && tensor.shape() == shape.as_slice(), ComputeError:
                "anorand: not a model: the tensor {name:?} is {:?} {:?}, but {needing} needs {dtype:?} {shape:?}",
                tensor.dtype(), tensor.shape());
        }
        let unknown = file.names().into_iter().find(|name| *name != besides && !specs.contains_key(*name));
        if let Some(name) = unknown {
            polars_bail!(ComputeError: "anorand: not a model: its format has no tensor {name:?}");
        }
        Ok(Self { file, specs })
    }

    /// Returns the bytes of all tensors, in the order of their names.
    pub fn contents(&self) -> PolarsResult<Vec<&'a [u8]>> {
        self.specs.keys().map(|name| self.bytes(name)).collect()
    }

    /// Returns the numbers of a tensor. It is an error if the table has no such one.
    pub fn numbers<T: Element>(&self, name: &str) -> PolarsResult<Vec<T>> {
        // To size: models are kept, and a vector that grows would keep up to twice the memory.
        let mut numbers = Vec::with_capacity(T::count(self.bytes(name)?));
        self.append(name, &mut numbers)?;
        Ok(numbers)
    }

    /// Returns the rows of a tensor of the shape `[rows, N]`.
    pub fn rows<T: Element, const N: usize>(&self, name: &str) -> PolarsResult<Vec<[T; N]>> {
        Ok(self.numbers(name)?.as_chunks().0.to_vec())
    }

    /// Adds the numbers of a tensor to `numbers`.
    pub fn append<T: Element>(&self, name: &str, numbers: &mut Vec<T>) -> PolarsResult<()> {
        let is_of_dtype = self.specs.get(name).is_some_and(|spec| spec.dtype == T::DTYPE);
        polars_ensure!(is_of_dtype, ComputeError:
            "anorand: the model can't be read: the table of tensors has no {name:?} of {:?}", T::DTYPE);
        T::read(self.bytes(name)?, numbers);
        Ok(())
    }

    fn bytes(&self, name: &str) -> PolarsResult<&'a [u8]> {
        self.file.tensor(name).map(|tensor| tensor.data()).map_err(|_| missing(name))
    }
}

fn missing(name: &str) -> PolarsError {
    polars_err!(ComputeError: "anorand: not a model: the tensor {name:?} is missing")
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::{serialize, TensorView};

    fn specs() -> BTreeMap<String, TensorSpec> {
        let spec = |dtype, shape: &[usize]| TensorSpec { dtype, shape: shape.to_vec() };
        BTreeMap::from([("a".to_string(), spec(Dtype::F32, &[2, 2])), ("b".to_string(), spec(Dtype::U64, &[1]))])
    }

    fn put() -> TensorsOut {
        let mut out = TensorsOut::default();
        out.put("b", &[7u64]);
        out.put("a", &[1.0f32, 2.0, 3.0, -4.5]);
        out
    }

    fn file(tensors: &[(&str, Dtype, &[usize], &[u8])]) -> Vec<u8> {
        let view = |(name, dtype, shape, bytes): &(&str, Dtype, &[usize], &[u8])| {
            (name.to_string(), TensorView::new(*dtype, shape.to_vec(), bytes.to_vec().leak()).unwrap())
        };
        serialize(tensors.iter().map(view), None).unwrap()
    }

    #[test]
    fn what_is_put_is_read_by_name_in_its_dtype_and_shape() {
        let contents = put().checked(&specs()).unwrap();
        let bytes = file(&[("a", Dtype::F32, &[2, 2], &contents["a"]), ("b", Dtype::U64, &[1], &contents["b"])]);
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = TensorsIn::check(&file, specs(), "checksum", "a test").unwrap();
        assert_eq!(tensors.rows::<f32, 2>("a").unwrap(), [[1.0, 2.0], [3.0, -4.5]]);
        assert_eq!(tensors.numbers::<u64>("b").unwrap(), [7]);
        for refused in [tensors.numbers::<f64>("a").map(drop), tensors.numbers::<u8>("c").map(drop)] {
            let expected_or_missing = refused.unwrap_err().to_string();
            assert!(expected_or_missing.contains("has no") || expected_or_missing.contains("missing"));
        }
    }

    #[test]
    fn tensors_that_the_table_does_not_have_are_not_written() {
        assert!(TensorsOut::default().checked(&specs()).is_err());
        let mut other = put();
        other.put("b", &[7i64]);
        assert!(other.checked(&specs()).is_err());
        let mut more = put();
        more.put("c", &[7u64]);
        assert!(more.checked(&specs()).is_err());
    }

    #[test]
    fn a_file_of_other_tensors_is_refused_by_name() {
        let (a, b) = ([0; 16], [0; 8]);
        let good: [(&str, Dtype, &[usize], &[u8]); 2] = [("a", Dtype::F32, &[2, 2], &a), ("b", Dtype::U64, &[1], &b)];
        let refusal = |tensors: &[(&str, Dtype, &[usize], &[u8])]| {
            let bytes = file(tensors);
            let file = SafeTensors::deserialize(&bytes).unwrap();
            TensorsIn::check(&file, specs(), "checksum", "a test")
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default()
        };
        assert_eq!(refusal(&[good[0], good[1], ("checksum", Dtype::U32, &[1], &[0; 4])]), "");
        assert!(refusal(&good[..1]).contains("\"b\" is missing"));
        assert!(refusal(&[good[0], good[1], ("c", Dtype::U8, &[0], &[])]).contains("has no tensor \"c\""));
        for other in [("a", Dtype::F32, &[4][..], &a[..]), ("a", Dtype::I64, &[2], &a)] {
            assert!(refusal(&[other, good[1]]).contains("a test needs F32 [2, 2]"));
        }
    }
}
