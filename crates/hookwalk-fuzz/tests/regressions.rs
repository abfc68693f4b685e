//! What fuzzing found once, and every case of reading, through every check.

use std::path::{Path, PathBuf};

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parse")
}

#[test]
fn what_was_found_stays_mended() {
    let folder = testdata().join("regressions");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder is part of the checkout") {
        let path = entry.expect("it can be listed").path();
        let bytes = std::fs::read(&path).expect("it can be read");
        count += 1;
        for (name, check) in hookwalk_fuzz::CHECKS {
            println!("{name} {}", path.display());
            check(&bytes);
        }
    }
    assert!(count > 0, "there are no regression files");
}
