//! What must hold of any bytes: the checks that the fuzz targets and the regression test share.
//!
//! Each check panics where it does not hold. `run SECONDS` in this folder runs the targets.

mod index;

use std::time::{Duration, Instant};

use hookwalk::types::Family;
use hookwalk::{Backend, Dump, Reader, parse};
pub use index::check_index;

/// A check and its name.
pub type Check = (&'static str, fn(&[u8]));

/// Every check by its name.
pub const CHECKS: &[Check] = &[
    ("parse", check_parse),
    ("identity", check_identity),
    ("canonical", check_canonical),
    ("linear", check_linear),
    ("index", |bytes| _ = check_index(bytes)),
];

/// Parsing does not panic, whatever the reader is told; every place lies in the dump.
///
/// # Panics
/// Where that does not hold.
pub fn check_parse(bytes: &[u8]) {
    let told = bytes.first().copied().unwrap_or(0);
    let mut reader = Reader::new().noflush(told & 1 != 0);
    if told & 2 != 0 {
        reader = reader.table("nat").family(Family::V6).backend(Backend::Nft);
    }
    let dump = reader.parse(bytes);
    let lines = bytes.split(|b| *b == b'\n').count();
    for diagnostic in dump.diagnostics() {
        assert!(diagnostic.span.start <= diagnostic.span.end && diagnostic.span.end as usize <= bytes.len());
        assert!(diagnostic.line >= 1 && diagnostic.line as usize <= lines && diagnostic.column >= 1);
        assert!(!diagnostic.message.contains('\n'));
    }
    for rule in rules(&dump) {
        assert!(rule.span.end as usize <= bytes.len() && rule.span.start <= rule.span.end);
        for part in rule.unknown_parts() {
            assert_eq!(dump.slice(part.span), part.text.as_bytes());
        }
    }
}

/// What was read comes back byte for byte.
///
/// # Panics
/// Where it does not.
pub fn check_identity(bytes: &[u8]) {
    assert_eq!(parse(bytes).text(), bytes);
}

/// Canonical of canonical is itself.
///
/// # Panics
/// Where that does not hold.
pub fn check_canonical(bytes: &[u8]) {
    let first = parse(bytes).canonical();
    let again = parse(first.clone());
    let second = again.canonical();
    assert_eq!(String::from_utf8_lossy(&first), String::from_utf8_lossy(&second));
}

/// Eight times the text takes about eight times as long.
///
/// # Panics
/// Where it takes far longer.
pub fn check_linear(bytes: &[u8]) {
    const SMALL: usize = 16 << 10;
    const TIMES: usize = 8;
    // Squared growth would be 64; other load blurs what is measured.
    const MOST: f64 = 40.0;
    if bytes.is_empty() || bytes.len() > SMALL {
        return;
    }
    let text = bytes.repeat(SMALL / bytes.len());
    let large = text.repeat(TIMES);
    let time = |text: &[u8]| {
        let start = Instant::now();
        let dump = parse(text);
        (start.elapsed(), dump).0
    };
    if time(&large) < Duration::from_millis(100) {
        return;
    }
    let least = |text: &[u8]| (0..3).map(|_| time(text)).min().unwrap_or_default();
    let growth = || least(&large).as_secs_f64() / least(&text).as_secs_f64().max(0.001);
    // What grows faster does so each time.
    let grew: Vec<f64> = (0..3).map(|_| growth()).take_while(|growth| *growth >= MOST).collect();
    assert!(grew.len() < 3, "{TIMES} times the text took {grew:.0?} times as long");
}

fn rules(dump: &Dump) -> impl Iterator<Item = &hookwalk::Rule> {
    dump.tables().iter().flat_map(|table| &table.chains).flat_map(|chain| &chain.rules)
}

/// Runs a check over the files named on the command line, as libFuzzer does with files.
///
/// # Errors
/// When a file cannot be read.
pub fn run_files(check: fn(&[u8])) -> std::io::Result<()> {
    for file in std::env::args_os().skip(1) {
        check(&std::fs::read(file)?);
    }
    Ok(())
}
