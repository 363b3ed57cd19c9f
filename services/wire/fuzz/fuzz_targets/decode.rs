//! Bytes from outside through every decoder of the contract; see `tests/support/decoded.rs` for what must hold.
#![no_main]

#[path = "../../tests/support/decoded.rs"]
mod decoded;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoded::check_all(bytes));
