//! The kinds of ranges that options have: each checks a given value, and says what it expects.

use std::fmt::Debug;

use polars::prelude::{polars_bail, PolarsResult};
use serde::de::{DeserializeOwned, Deserializer, Error, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// The values that an option of type `T` may have.
pub trait Range<T> {
    /// The type of a value before it is checked.
    type Given: Debug;

    /// The option's value, unless the given one is outside the range.
    fn value(&self, given: &Self::Given) -> Option<T>;

    /// What must be given, for an error.
    fn expected(&self) -> String;

    /// Returns the given value, or the default if none is given. An error names the option, its
    /// range and the value.
    fn check(&self, name: &str, given: Option<Self::Given>, default: T) -> PolarsResult<T> {
        let Some(given) = given else { return Ok(default) };
        match self.value(&given) {
            Some(value) => Ok(value),
            None => polars_bail!(ComputeError: "anorand: {name} must be {}, got {given:?}", self.expected()),
        }
    }
}

/// The name of one of an enum's variants, as serde knows it.
pub struct OneOf;

/// True or false.
pub struct Flag;

/// A whole number from the first to the second.
pub struct Whole(pub i64, pub i64);

/// A number from the first to the second, both included.
pub struct Between(pub f64, pub f64);

/// A number above 0, up to this one.
pub struct Positive(pub f64);

/// Widths of layers: from one to the first number of them, each from 1 to the second number.
pub struct Widths(pub usize, pub i64);

impl<T: DeserializeOwned> Range<T> for OneOf {
    type Given = String;

    fn value(&self, given: &String) -> Option<T> {
        let parsed: Result<T, serde::de::value::Error> = T::deserialize(given.as_str().into_deserializer());
        parsed.ok()
    }

    fn expected(&self) -> String {
        let quoted: Vec<String> = names_of::<T>().iter().map(|name| format!("{name:?}")).collect();
        quoted.join(" or ")
    }
}

impl Range<bool> for Flag {
    type Given = bool;

    fn value(&self, given: &bool) -> Option<bool> {
        Some(*given)
    }

    fn expected(&self) -> String {
        "true or false".to_string()
    }
}

impl<T: TryFrom<i64>> Range<T> for Whole {
    type Given = i64;

    fn value(&self, given: &i64) -> Option<T> {
        (self.0..=self.1).contains(given).then(|| T::try_from(*given).ok()).flatten()
    }

    fn expected(&self) -> String {
        format!("a whole number from {} to {}", self.0, self.1)
    }
}

// NaN is in neither range of numbers.
impl Range<f64> for Between {
    type Given = f64;

    fn value(&self, given: &f64) -> Option<f64> {
        (self.0..=self.1).contains(given).then_some(*given)
    }

    fn expected(&self) -> String {
        format!("a number from {} to {}", self.0, self.1)
    }
}

impl Range<f64> for Positive {
    type Given = f64;

    fn value(&self, given: &f64) -> Option<f64> {
        (*given > 0.0 && *given <= self.0).then_some(*given)
    }

    fn expected(&self) -> String {
        format!("a number above 0 and at most {}", self.0)
    }
}

impl Range<Vec<usize>> for Widths {
    type Given = Vec<i64>;

    fn value(&self, given: &Vec<i64>) -> Option<Vec<usize>> {
        let width = |width: &i64| Whole(1, self.1).value(width);
        (1..=self.0).contains(&given.len()).then(|| given.iter().map(width).collect()).flatten()
    }

    fn expected(&self) -> String {
        format!("1 to {} widths from 1 to {}", self.0, self.1)
    }
}

/// The names of an enum's variants: serde passes them to a deserializer that is asked for the enum.
fn names_of<T: DeserializeOwned>() -> &'static [&'static str] {
    /// Keeps the names, and has no value.
    struct Asked<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Asked<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(Self::Error::custom("no value"))
        }

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _: &'static str,
            variants: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = variants;
            self.deserialize_any(visitor)
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map struct identifier ignored_any
        }
    }

    let mut names: &'static [&'static str] = &[];
    // This always fails, but the deserializer has the names before it does.
    let _ = T::deserialize(Asked(&mut names));
    names
}

#[cfg(test)]
mod tests {
    use super::super::{Missing, Preset};
    use super::*;

    fn message<T, R: Range<T>>(range: &R, given: R::Given, default: T) -> String {
        range.check("option", Some(given), default).err().unwrap().to_string()
    }

    #[test]
    fn an_error_names_the_option_the_range_and_the_value() {
        let message = message(&Between(0.0, 1.0), 1.5, 0.2);
        assert!(message.contains("option must be a number from 0 to 1, got 1.5"), "{message}");
    }

    #[test]
    fn an_unknown_name_is_an_error_with_all_names() {
        let message = message(&OneOf, "drop".to_string(), Missing::Null);
        assert!(
            message.contains("option must be \"null\" or \"indicator\" or \"impute\" or \"error\", got \"drop\""),
            "{message}"
        );
        assert_eq!(OneOf.value(&"paper".to_string()), Some(Preset::Paper));
    }

    #[test]
    fn both_ends_of_a_range_are_in_it_and_what_is_beyond_is_not() {
        for (given, expected) in [(0, None), (1, Some(1usize)), (8, Some(8)), (9, None), (-1, None)] {
            assert_eq!(Whole(1, 8).value(&given), expected);
        }
        for (given, expected) in [(0.0, None), (1e-9, Some(1e-9)), (0.5, Some(0.5)), (0.6, None)] {
            assert_eq!(Positive(0.5).value(&given), expected);
        }
        for (given, expected) in [(-0.1, None), (0.0, Some(0.0)), (1.0, Some(1.0)), (1.1, None)] {
            assert_eq!(Between(0.0, 1.0).value(&given), expected);
        }
    }

    #[test]
    fn not_a_number_is_outside_every_range() {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Between(0.0, 1.0).value(&odd).is_none() && Positive(1.0).value(&odd).is_none());
        }
    }

    #[test]
    fn widths_are_some_and_each_is_in_its_range() {
        for given in [vec![], vec![0], vec![32, -1], vec![33], vec![1; 9]] {
            assert_eq!(Widths(8, 32).value(&given), None);
        }
        assert_eq!(Widths(8, 32).value(&vec![32, 1]), Some(vec![32, 1]));
    }
}
