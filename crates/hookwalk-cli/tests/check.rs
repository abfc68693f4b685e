//! `check` as a command: what its file may say, and how it ends.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder with the plan, its objects and whatever else the plan names.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("hookwalk-check-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::copy(testdata("showcase4-objects.json"), folder.join("objects.json")).unwrap();
        Folder(folder)
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).unwrap();
        self.0.join(name).display().to_string()
    }

    fn plan(&self, more: &str) -> String {
        let settings = r#""settings":{"node":"node-1","cluster_cidr":"10.64.0.0/16"}"#;
        self.file("plan.json", &format!(r#"{{{settings},"objects":"objects.json"{more}}}"#))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/kube-proxy").join(name)
}

fn rules() -> String {
    fs::read_to_string(testdata("showcase4.rules")).unwrap()
}

/// `hookwalk check --invariants PLAN`, the rules piped in.
fn check(plan: &str, more: &[&str], rules: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwalk"));
    command.args(["check", "--invariants", plan]).args(more);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    // It may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(rules.as_bytes());
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn exits_tell_what_was_found() {
    let folder = Folder::new("exits");
    let plan = folder.plan("");
    let good = check(&plan, &[], &rules());
    assert_eq!(good.status.code(), Some(0), "{}", out(&good));
    let faulty = rules().replace("-m statistic --mode random --probability 0.5000000000", "");
    assert!(faulty.len() < rules().len());
    let bad = check(&plan, &[], &faulty);
    assert_eq!(bad.status.code(), Some(1));
    assert!(out(&bad).contains("shares: "), "{}", out(&bad));
    assert_eq!(check(&plan, &["--no-such-option"], "").status.code(), Some(2));
    let nothing = check(&plan, &[], "good morning\n");
    assert_eq!(nothing.status.code(), Some(3));
    assert!(errors(&nothing).contains("nothing in the input can be used"), "{}", errors(&nothing));
}

#[test]
fn a_plan_that_is_wrong_is_named() {
    let folder = Folder::new("wrong");
    for (plan, error) in [
        (r#"{"setings":{}}"#, "no key `setings`: there are objects, settings"),
        (r#"{"settings":{"verson":"1.30"}}"#, "no key `verson`"),
        (
            r#"{"settings":{"version":"1.99"}}"#,
            r#"`version`: expected a version from 1.22 to 1.33, found `"1.99"`"#,
        ),
        (r#"{"invariants":["sharse"]}"#, "no invariant `sharse`: there are"),
        (r#"{"settings":{"masquerade_bit":32}}"#, "`masquerade_bit`: expected a bit from 0 to 31"),
        ("{", "is not JSON"),
    ] {
        let output = check(&folder.file("plan.json", plan), &[], &rules());
        assert_eq!(output.status.code(), Some(3), "{plan}");
        assert!(errors(&output).contains(error), "{plan}\n{}", errors(&output));
    }
}

#[test]
fn onto_is_what_was_loaded_before() {
    let folder = Folder::new("onto");
    folder.file("before.rules", &rules());
    // A sync that only takes a Service's chain anew, without its last endpoint.
    let endpoints: Vec<String> = rules()
        .lines()
        .filter(|line| line.starts_with("-A KUBE-SVC-") && line.contains("-j KUBE-SEP-"))
        .map(str::to_owned)
        .collect();
    let chain = endpoints
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap())
        .find(|chain| endpoints.iter().filter(|line| line.contains(*chain)).count() > 1)
        .unwrap();
    let text = rules();
    let own = text.lines().filter(|line| line.starts_with(&format!("-A {chain} ")));
    let whole = own.collect::<Vec<_>>().join("\n") + "\n";
    let sync = |rules: &str| format!("*nat\n:{chain} - [0:0]\n{rules}COMMIT\n");
    let plan = folder.plan(r#","onto":"before.rules""#);
    let same = check(&plan, &[], &sync(&whole));
    assert_eq!(same.status.code(), Some(0), "{}", out(&same));
    let end = whole.trim_end().rfind('\n').unwrap() + 1;
    let lost = check(&plan, &[], &sync(&whole[..end]));
    assert_eq!(lost.status.code(), Some(1), "{}", out(&lost));
    // Without what was loaded before, almost everything is missing.
    assert_eq!(check(&folder.plan(""), &[], &sync(&whole)).status.code(), Some(1));
}

#[test]
fn same_as_compares_what_becomes_of_packets() {
    let folder = Folder::new("same");
    folder.file("other.rules", &fs::read_to_string(testdata("showcase4-nft.save")).unwrap());
    let plan = folder.plan(r#","same_as":"other.rules","invariants":["jumps"]"#);
    let same = check(&plan, &[], &rules());
    assert_eq!(same.status.code(), Some(0), "{}", out(&same));
    let faulty = rules().replace("-A KUBE-MARK-MASQ -j MARK --or-mark 0x00004000\n", "");
    assert!(faulty.len() < rules().len());
    let differs = check(&plan, &["--json"], &faulty);
    assert_eq!(differs.status.code(), Some(1), "{}", out(&differs));
    let report: serde_json::Value = serde_json::from_slice(&differs.stdout).unwrap();
    assert_eq!(report["findings"][0]["code"], "same");
    assert!(report["findings"][0]["counterexample"].as_str().unwrap().contains("masquerade"), "{report}");
}
