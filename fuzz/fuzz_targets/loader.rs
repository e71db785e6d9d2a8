#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| polars_anorand::fuzzing::loader(bytes));
