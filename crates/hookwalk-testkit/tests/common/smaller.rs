//! Disagreements with the kernel, made small and written as cases.

use std::path::PathBuf;

use hookwalk_testkit::arbiter::{Answer, Arbiter as _, EngineArbiter, KernelArbiter, Scene};
use hookwalk_testkit::packets::PacketSpec;
use hookwalk_testkit::specimen::{Specimen, shrink};

use super::case::{Case, folder};
use super::{host, setting};

/// So many questions are asked to make one smaller, each of which loads rules.
const TRIES: usize = 400;

/// Who answers the questions.
pub(crate) struct Both {
    kernel: KernelArbiter,
    engine: EngineArbiter,
}

/// What the kernel did with a specimen's packets, and how the engine's answer differs.
pub(crate) struct Difference {
    pub(crate) saved: Scene,
    pub(crate) seen: Vec<Answer>,
    pub(crate) why: String,
}

impl Both {
    pub(crate) fn new() -> Self {
        Self { kernel: KernelArbiter::new(), engine: EngineArbiter::new(host) }
    }

    /// None also where the kernel does not take the rules.
    pub(crate) fn difference(&mut self, specimen: &Specimen, session: bool) -> Option<Difference> {
        let scene = specimen.scene();
        let packets: Vec<PacketSpec> = specimen.shots.iter().map(|shot| shot.first.clone()).collect();
        self.kernel.place(&scene).ok()?;
        let saved = self.kernel.saved(&scene).ok()?;
        self.engine.place(&saved).ok()?;
        let (seen, answers) = if session {
            (
                self.kernel.answer_session(&scene, &packets).ok()?,
                self.engine.answer_session(&packets, 1).ok()?,
            )
        } else {
            let shot = specimen.shots.first()?;
            let seen = self.kernel.answer(shot).ok()?.possible;
            (seen, vec![self.engine.answer(shot).ok()?])
        };
        let whys = answers.iter().zip(&seen).map(|(answers, seen)| answers.agree(seen).err());
        let why = whys.flatten().next()?;
        Some(Difference { saved, seen, why })
    }
}

/// What two disagreements have in common where they have one cause: how steps differ, without where. So a smaller one
/// is not another.
fn kind(why: &str) -> String {
    let class = |step: &str| match step.split(" mark ").next().and_then(|step| step.rsplit('/').next()) {
        Some("return" | "policy") => "leaves",
        Some(number) if number.parse::<u32>().is_ok() => "rule",
        _ => "end",
    };
    let first = why.split("; or ").next().unwrap_or_default();
    match first.strip_prefix("step ").and_then(|rest| rest.split_once(": ")?.1.split_once(" against ")) {
        Some((one, other)) => {
            let place =
                |step: &str| step.rsplit_once('/').map_or(String::new(), |(chain, _)| chain.to_owned());
            let apart = if place(one) == place(other) { "in one chain" } else { "in two chains" };
            format!("{} against {} {apart}", class(one), class(other))
        }
        None if first.starts_with("verdict") => first.to_owned(),
        None => first.split(':').next().unwrap_or_default().to_owned(),
    }
}

/// Makes the first disagreement of each ruleset smaller and writes it: to testdata/kernel with `HOOKWALK_WRITE=1`,
/// else beside what the build leaves. `HOOKWALK_SHRINK` says how many at most.
#[expect(clippy::print_stderr, reason = "that is how a test says what it found")]
pub(crate) fn write(specimens: &[Specimen], session: bool) {
    let most = usize::try_from(setting("HOOKWALK_SHRINK", 1)).unwrap();
    let mut both = Both::new();
    let mut last = None;
    let new = specimens.iter().filter(|specimen| {
        let rules = Some(specimen.ruleset.to_string());
        let is_new = rules != last;
        last = rules;
        is_new
    });
    for (number, specimen) in new.take(most).enumerate() {
        match write_one(&mut both, specimen, number, session) {
            Some((text, path)) => eprintln!("{text}\nwritten to {}", path.display()),
            None => eprintln!("one disagreement is gone when it is asked again"),
        }
    }
}

fn write_one(
    both: &mut Both,
    specimen: &Specimen,
    number: usize,
    session: bool,
) -> Option<(String, PathBuf)> {
    let wanted = kind(&both.difference(specimen, session)?.why);
    let small = shrink(specimen.clone(), TRIES, |specimen| {
        both.difference(specimen, session).is_some_and(|found| kind(&found.why) == wanted)
    });
    let Difference { saved, seen, why } = both.difference(&small, session)?;
    let case = Case::new(&why, &saved, &small.shots, &seen, session);
    let text = toml::to_string_pretty(&case).unwrap();
    let folder = if std::env::var("HOOKWALK_WRITE").is_ok() {
        folder()
    } else {
        PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
    };
    let path = folder.join(format!("found-{}-{number}.toml", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(&path, &text).unwrap();
    Some((text, path))
}
