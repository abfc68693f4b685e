//! Every command of docs/test-your-rules.md runs. Its Rust programs are doctests of the test kit.
#![allow(clippy::unwrap_used, reason = "a test may stop where it is wrong")]

use std::path::Path;
use std::process::Command;

#[test]
fn every_command_of_the_guide_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guide = std::fs::read_to_string(root.join("docs/test-your-rules.md")).unwrap();
    let blocks = guide.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let script: String = ["set -e\n"].into_iter().chain(blocks).collect();
    let folder = std::env::temp_dir().join(format!("hookwalk-guide-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let command = Path::new(env!("CARGO_BIN_EXE_hookwalk")).parent().unwrap().to_owned();
    let path = format!("{}:{}", command.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(&root)
        .env("PATH", path)
        .env("TMP", &folder)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("shares: service shop/web:http"), "{said}");
    assert_eq!(said.matches(": hold").count(), 2, "{said}");
    assert!(said.contains("masquerade: service demo/lb:https"), "{said}");
}
