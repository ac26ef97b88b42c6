//! A fault that only coverage leads to: four bytes, one after the other, out of 2^32.
//!
//! Whoever does not find it in a minute does not look at coverage, and would find nothing else
//! either. It is there to be broken.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if data.first() == Some(&b'T')
        && data.get(1) == Some(&b'S')
        && data.get(2) == Some(&0)
        && data.get(3) == Some(&0xfe)
    {
        panic!("the planted fault");
    }
});
