//! Real dumps in the folder beside the checkout, when it is there: kube-proxy's own, and a corpus of
//! dumps from twenty years.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop where it is wrong, and says when it is skipped"
)]

use std::path::{Path, PathBuf};

use hookwalk_parser::{Code, Dump, parse};

fn files(folder: &str) -> Option<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(folder);
    if !root.is_dir() {
        eprintln!("skipped: there is no folder {} beside the checkout", root.display());
        return None;
    }
    let (mut folders, mut files) = (vec![root], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Some(files)
}

/// The bytes come back, and the rules' spans are their lines.
fn check_bytes(path: &Path, bytes: &[u8], dump: &Dump) {
    assert_eq!(dump.text(), bytes, "{}", path.display());
    let lines: Vec<&[u8]> = bytes.split(|&b| b == b'\n').collect();
    for rule in dump.tables().iter().flat_map(|t| &t.chains).flat_map(|c| &c.rules) {
        let line = lines[rule.line as usize - 1];
        assert_eq!(dump.slice(rule.span), line.strip_suffix(b"\r").unwrap_or(line), "{}", path.display());
    }
}

/// The lines that are no comments, which hold times.
fn without_comments(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn kube_proxy() {
    let Some(mut files) = files("kube-proxy") else { return };
    let is_dump =
        |path: &PathBuf| path.extension().is_some_and(|end| end.to_string_lossy().starts_with("save"));
    files.retain(is_dump);
    assert!(files.len() >= 9, "{files:?}");
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        let dump = parse(bytes.clone());
        check_bytes(&path, &bytes, &dump);
        assert!(dump.is_whole(), "{}", path.display());
        let is_nft = dump.tables()[0].backend == Some(hookwalk_parser::Backend::Nft);
        let codes: Vec<_> = dump.diagnostics().iter().map(|d| d.code).collect();
        let expected: &[Code] = if is_nft { &[Code::NftMayOmit] } else { &[] };
        assert_eq!(codes, expected, "{}", path.display());
        assert_eq!(without_comments(&dump.canonical()), without_comments(&bytes), "{}", path.display());
        let rules = dump.tables().iter().flat_map(|t| &t.chains).flat_map(|c| &c.rules);
        assert_eq!(rules.flat_map(hookwalk_parser::Rule::unknown_parts).count(), 0, "{}", path.display());
    }
}

#[test]
fn corpus() {
    let Some(files) = files("corpus") else { return };
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        let dump = parse(bytes.clone());
        check_bytes(&path, &bytes, &dump);
        let canonical = dump.canonical();
        let again = parse(canonical.clone()).canonical();
        assert!(again == canonical, "{}: canonical of canonical differs", path.display());
    }
}

/// Whether a path lies in a folder of damaged dumps, or is no dump but what was saved beside one.
fn is_damaged(path: &Path) -> bool {
    ["mangled", "pasted"].iter().any(|folder| path.parent().is_some_and(|parent| parent.ends_with(folder)))
}

fn is_dump(path: &Path) -> bool {
    let ends = |end| path.extension().is_some_and(|found| found == end);
    !path.parent().is_some_and(|parent| parent.ends_with("companions")) && !ends("md") && !ends("tsv")
}

fn rules(dump: &Dump) -> impl Iterator<Item = &hookwalk_parser::Rule> {
    dump.tables().iter().flat_map(|t| &t.chains).flat_map(|c| &c.rules)
}

/// At most one rule in a thousand holds an unknown part, but for those whose values somebody masked.
#[test]
fn few_rules_are_unknown() {
    let Some(mut files) = files("corpus") else { return };
    files.retain(|path| is_dump(path) && !is_damaged(path));
    let (mut all, mut masked, mut unknown) = (0, 0, Vec::new());
    for path in files {
        let dump = parse(std::fs::read(&path).unwrap());
        let hidden: std::collections::BTreeSet<_> =
            dump.diagnostics().iter().filter(|d| d.code == Code::MaskedText).map(|d| d.line).collect();
        all += rules(&dump).count();
        for rule in rules(&dump).filter(|rule| rule.unknown_parts().next().is_some()) {
            if hidden.contains(&rule.line) {
                masked += 1;
            } else {
                unknown.push(format!("{}:{}", path.display(), rule.line));
            }
        }
    }
    eprintln!("{all} rules, {} unknown, {masked} masked:\n{}", unknown.len(), unknown.join("\n"));
    assert!(1000 * unknown.len() <= all - masked, "{} of {all}:\n{}", unknown.len(), unknown.join("\n"));
}

/// Each line of a damaged dump is used, named, or one that says nothing.
#[test]
fn damaged_dumps_lose_no_line_in_silence() {
    let Some(mut files) = files("corpus") else { return };
    files.retain(|path| is_damaged(path));
    assert!(files.len() > 15);
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        let dump = parse(bytes.clone());
        let mut known: std::collections::BTreeSet<u32> = dump.diagnostics().iter().map(|d| d.line).collect();
        for table in dump.tables() {
            known.extend(table.line);
            known.extend(table.chains.iter().filter_map(|chain| chain.line));
            known.extend(table.chains.iter().flat_map(|chain| &chain.rules).map(|rule| rule.line));
        }
        for (number, line) in (1..).zip(bytes.split(|&b| b == b'\n')) {
            let line = line.trim_ascii();
            let says_nothing = line.is_empty() || line.starts_with(b"#") || line == b"COMMIT";
            let is_prompt = line.contains(&b'@') && line.iter().any(|b| matches!(b, b'$' | b'#'));
            let text = String::from_utf8_lossy(line);
            assert!(
                says_nothing || is_prompt || known.contains(&number),
                "{}:{number}: {text}",
                path.display()
            );
        }
    }
}
