#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tallystick_core_fuzz::targets::kernel::run(data));
