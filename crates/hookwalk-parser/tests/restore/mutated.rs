//! Rules of real dumps with a word or a letter changed: what restores must be printed as the tool saves it,
//! and what the tool refuses should be named.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use hookwalk_parser::extensions::Target;
use hookwalk_parser::types::Family;
use hookwalk_parser::{Backend, Dump, Reader, Severity};

/// Draws from a seed (xorshift64*), so that a run can be repeated.
struct Draw(u64);

impl Draw {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % count
    }

    fn of<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        &list[self.below(list.len())]
    }
}

/// A rule of a dump, and where it can stand.
#[derive(Clone)]
struct Origin {
    family: Family,
    table: String,
    /// Its words behind `-A`.
    words: Vec<String>,
    chains: BTreeSet<String>,
}

/// The rules of `testdata/parse/saved`, which have every extension, but for those that need estimators.
fn listed() -> Vec<Origin> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parse/saved");
    let mut all = Vec::new();
    for file in ["saved.tsv", "generated.tsv"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        for line in text.lines().filter(|line| !line.contains("rateest")) {
            let columns: Vec<&str> = line.split('\t').collect();
            let [family, _, table, chain, rule, ..] = *columns else { continue };
            let Some(family) =
                [("4", Family::V4), ("6", Family::V6)].iter().find(|(digit, _)| *digit == family)
            else {
                continue;
            };
            if rule.is_ascii() && !rule.contains('\\') {
                all.push(Origin {
                    family: family.1,
                    table: table.to_owned(),
                    words: words(&format!("{chain} {rule}")),
                    chains: ["X", "Y"].map(str::to_owned).into(),
                });
            }
        }
    }
    all
}

/// Every rule whose line is one `-A CHAIN …`, those alike once.
fn origins() -> Vec<Origin> {
    let mut all: BTreeMap<String, Origin> = BTreeMap::new();
    let is_damaged = |path: &Path| {
        ["mangled", "pasted", "huge"].iter().any(|folder| path.parent().is_some_and(|p| p.ends_with(folder)))
    };
    for path in crate::files().iter().filter(|path| !is_damaged(path)) {
        let dump = Reader::new().parse(std::fs::read(path).unwrap());
        for table in dump.tables().iter().filter(|table| table.line.is_some()) {
            for chain in &table.chains {
                for rule in &chain.rules {
                    let Ok(line) = std::str::from_utf8(dump.slice(rule.span)) else { continue };
                    let Some(rest) = line.strip_prefix("-A ") else { continue };
                    let family = table.family.unwrap_or(Family::V4);
                    let mut chains = BTreeSet::from([chain.name.to_string()]);
                    if let Target::Jump(name) | Target::Goto(name) = &rule.target {
                        chains.insert(name.to_string());
                    }
                    chains.retain(|name| !table.is_builtin(name.as_bytes()));
                    let words = words(rest);
                    let table = table.name.to_string();
                    all.entry(format!("{family:?} {table} {}", shape(rest))).or_insert(Origin {
                        family,
                        table,
                        words,
                        chains,
                    });
                }
            }
        }
    }
    all.into_values().chain(listed()).collect()
}

/// A rule without its numbers and names: thousands of rules of one program are alike.
fn shape(rule: &str) -> String {
    words(rule)
        .iter()
        .filter(|word| word.starts_with('-') || *word == "!")
        .cloned()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Words as blanks part them, quoted ones whole.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for c in line.chars() {
        match c {
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn mutate(words: &mut Vec<String>, other: &[String], draw: &mut Draw) {
    if words.len() < 2 {
        return;
    }
    // The chain stays.
    let at = 1 + draw.below(words.len() - 1);
    match draw.below(12) {
        0 => drop(words.remove(at)),
        1 => words.insert(at, words[at].clone()),
        2 => {
            let to = 1 + draw.below(words.len() - 1);
            words.swap(at, to);
        }
        3 => words.insert(at, "!".to_owned()),
        4 | 5 => words[at].clone_from(draw.of(other)),
        6 => {
            let from = draw.below(other.len());
            let some = other[from..].iter().take(2).cloned();
            words.splice(at..at, some);
        }
        7 | 8 => {
            let digits: Vec<usize> =
                words[at].char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(i, _)| i).collect();
            if !digits.is_empty() {
                let digit = *draw.of(&digits);
                let new = *draw.of(&["0", "1", "9", "255", "", "x", "0x"]);
                words[at].replace_range(digit..=digit, new);
            }
        }
        9 => {
            let places: Vec<usize> = words[at].char_indices().map(|(i, _)| i).collect();
            let place = *draw.of(&places);
            let mark = *draw.of(&[",", ":", "/", "-", "+", "!", "=", "'", "\\", "a", "%", "\t", "\"", "."]);
            words[at].insert_str(place, mark);
        }
        10 => {
            let places: Vec<usize> = words[at].char_indices().map(|(i, _)| i).collect();
            let place = *draw.of(&places);
            words[at].remove(place);
        }
        _ => {
            let letter = words[at].to_uppercase();
            words[at] = if letter == words[at] { letter.to_lowercase() } else { letter };
        }
    }
}

/// One text for iptables-restore.
struct Drawn {
    origin: Origin,
    text: String,
}

fn draw(seed: u64, count: usize) -> Vec<Drawn> {
    let (origins, mut draw) = (origins(), Draw(seed | 1));
    let mut drawn = Vec::new();
    while drawn.len() < count {
        let (origin, other) = (draw.of(&origins).clone(), draw.of(&origins).words.clone());
        let mut words = origin.words.clone();
        for _ in 0..draw.below(3) {
            mutate(&mut words, &other[1..].iter().chain([&other[0]]).cloned().collect::<Vec<_>>(), &mut draw);
        }
        let mut chains = String::new();
        for chain in &origin.chains {
            writeln!(chains, ":{chain} - [0:0]").unwrap();
        }
        let text = format!("*{}\n{chains}-A {}\nCOMMIT\n", origin.table, words.join(" "));
        drawn.push(Drawn { origin, text });
    }
    drawn
}

/// What the backend saves of each text once it has restored it; those that it refuses are not there.
fn saved(drawn: &[Drawn], family: Family, backend: Backend) -> BTreeMap<usize, String> {
    let (tool, inet) = if family == Family::V4 { ("iptables", "inet") } else { ("ip6tables", "inet6") };
    let backend = if backend == Backend::Legacy { "legacy" } else { "nft" };
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mutated-{tool}-{backend}"));
    drop(std::fs::remove_dir_all(&work));
    std::fs::create_dir_all(&work).unwrap();
    let mut all = String::new();
    let own = || drawn.iter().enumerate().filter(|(_, drawn)| drawn.origin.family == family);
    for (number, Drawn { origin, text }) in own() {
        std::fs::write(work.join(number.to_string()), text).unwrap();
        writeln!(all, "-A {}", origin.words.join(" ")).unwrap();
    }
    let sets = crate::sets(&Reader::new().parse(all));
    let script = format!(
        "inet={inet}\n{sets}cd \"$1\"\nfor i in *; do\n  table=$(head -1 $i)\n  \
         timeout 10 {tool}-{backend}-restore < $i && {tool}-{backend}-save -t ${{table#?}} > $i.saved\ndone\n"
    );
    let status = Command::new("unshare")
        .args(["-n", "sh", "-c", &script, "sh"])
        .arg(&work)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.is_ok());
    let read = |number: usize| std::fs::read_to_string(work.join(format!("{number}.saved"))).ok();
    own().filter_map(|(number, _)| Some((number, read(number)?))).collect()
}

fn rule_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("-A ")).collect()
}

fn parse(drawn: &Drawn, backend: Backend) -> Dump {
    Reader::new().family(drawn.origin.family).backend(backend).parse(drawn.text.clone())
}

/// Whether the tool is known not to save all that the rule says: the table in docs/canonical.md.
fn loses_meaning(rule: &str) -> bool {
    [
        "--zone-orig",
        "! -i +",
        "NONE NONE",
        "--nflog-range",
        "0:65535",
        "0:4294967295",
        "/255.0.255.0",
        "/ffff:0:ffff::",
    ]
    .iter()
    .any(|part| rule.contains(part))
}

/// `HOOKWALK_SEED` and `HOOKWALK_MUTATED` draw others, and more of them.
#[test]
fn mutated_rules_are_what_this_kernel_saves() {
    if let Some(why) = crate::lacks() {
        return crate::skip(&why);
    }
    let number = |name| std::env::var(name).ok().and_then(|told| told.parse::<u64>().ok());
    let seed = number("HOOKWALK_SEED").unwrap_or(20_261_126);
    let drawn = draw(seed, usize::try_from(number("HOOKWALK_MUTATED").unwrap_or(300)).unwrap());
    let (mut doubted, mut wrong) = (Vec::new(), Vec::new());
    let (mut equal, mut kept, mut named, mut silent) = (0, 0, 0, Vec::new());
    for family in [Family::V4, Family::V6] {
        for backend in [Backend::Legacy, Backend::Nft] {
            let saved = saved(&drawn, family, backend);
            for (number, drawn) in drawn.iter().enumerate().filter(|(_, drawn)| drawn.origin.family == family)
            {
                let dump = parse(drawn, backend);
                assert_eq!(dump.text(), drawn.text.as_bytes());
                let canonical = dump.canonical();
                let again = Reader::new().parse(canonical.clone()).canonical();
                assert_eq!(
                    String::from_utf8_lossy(&canonical),
                    String::from_utf8_lossy(&again),
                    "{}",
                    drawn.text
                );
                let ours = String::from_utf8(canonical).unwrap();
                let line = rule_lines(&drawn.text)[0];
                let problem = dump.diagnostics().iter().find(|d| d.severity == Severity::Error);
                match saved.get(&number) {
                    Some(saved) if rule_lines(saved) == rule_lines(&ours) && problem.is_none() => equal += 1,
                    Some(_) if problem.is_none() && loses_meaning(&ours) => kept += 1,
                    // Such as a port of 95535, of which the tool takes the lower 16 bits.
                    Some(_) if problem.is_some() => doubted.push(line.to_owned()),
                    Some(saved) => wrong.push(format!(
                        "{} {backend:?}: {line}\n  saved {:?}\n  ours  {:?} {problem:?}",
                        drawn.origin.table,
                        rule_lines(saved),
                        rule_lines(&ours)
                    )),
                    None if problem.is_some() => named += 1,
                    None => silent.push(format!("{family} {} {backend:?}: {line}", drawn.origin.table)),
                }
            }
        }
    }
    eprintln!(
        "{equal} equal, {kept} of which the tool loses meaning, {named} refused and named, {} refused in silence:\n{}",
        silent.len(),
        silent.join("\n")
    );
    eprintln!("{} taken and doubted:\n{}", doubted.len(), doubted.join("\n"));
    assert!(50 * doubted.len() <= equal, "{} of {equal} are taken by the tool and doubted", doubted.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), equal + wrong.len(), wrong.join("\n"));
    assert!(equal > drawn.len() / 8, "only {equal} texts restored");
}
