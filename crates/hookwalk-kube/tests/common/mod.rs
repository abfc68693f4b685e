//! Dumps with the objects they were made from.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test says what is wrong by failing")]

use std::path::{Path, PathBuf};

use hookwalk_kube::objects::Objects;
use hookwalk_parser::types::Family;

/// The dumps beside the project's own checkout, and those of the project.
pub(crate) fn dumps() -> Vec<(PathBuf, Objects, Family)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = root.join("../shared/kube-proxy");
    if !shared.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "../shared is not there");
        eprintln!("skipped: ../shared/kube-proxy is not there, the project's own dumps alone are read");
    }
    let mut found = Vec::new();
    for (dir, stem, file) in [
        (shared.clone(), "showcase-v4", "showcase4.json"),
        (shared.clone(), "showcase-v6", "showcase6.json"),
        (shared, "rich100-v4", "rich4.json"),
        (root.join("testdata/kube-proxy"), "showcase4", "showcase4-objects.json"),
        (root.join("testdata/kube-proxy"), "showcase6", "showcase6-objects.json"),
    ] {
        let Ok(text) = std::fs::read_to_string(dir.join(file)) else { continue };
        let (objects, errors) = Objects::read(&text);
        assert_eq!(errors, []);
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.contains(stem) && name.contains(".save") {
                let family =
                    if name.contains("v6") || name.contains("case6") { Family::V6 } else { Family::V4 };
                found.push((path, objects.clone(), family));
            }
        }
    }
    found
}
