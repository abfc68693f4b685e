//! The check `index`, driven by libFuzzer or run over files.
#![cfg_attr(feature = "libfuzzer", no_main)]

#[cfg(feature = "libfuzzer")]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = hookwalk_fuzz::check_index(bytes);
});

#[cfg(not(feature = "libfuzzer"))]
fn main() -> std::io::Result<()> {
    hookwalk_fuzz::run_files(|bytes| _ = hookwalk_fuzz::check_index(bytes))
}
