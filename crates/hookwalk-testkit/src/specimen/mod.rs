//! From a disagreement of two arbiters to the smallest scene and packet that they still disagree about.
//!
//! What they disagree about is a [`Specimen`]. [`shrink`] takes away rules, chains, tables, matches, sets, routes and
//! fields of packets, one after the other, and forces draws by probabilities of 0 or 1, since the kernel's dice
//! cannot be seeded; whatever leaves no disagreement is put back. It asks nobody itself: the caller says
//! whether a smaller one still is a disagreement.

mod packets;
mod rules;

use hookwalk_parser::types::Family;

use crate::arbiter::{Backend, Context, Scene, Shot};
use crate::ruleset::Ruleset;
use crate::topology::Topology;

/// A node with rules, and what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Specimen {
    /// Whose rules.
    pub backend: Backend,
    /// The node.
    pub topology: Topology,
    /// Its rules and sets.
    pub ruleset: Ruleset,
    /// One packet, or those of a session in their order.
    pub shots: Vec<Shot>,
}

impl Specimen {
    /// Of a scene whose rules are text, as `iptables-save` prints it.
    pub fn of_scene(scene: &Scene, shots: Vec<Shot>) -> Self {
        let ruleset = Ruleset::read(scene.family, &scene.sets, &scene.rules);
        Self { backend: scene.backend, topology: scene.topology.clone(), ruleset, shots }
    }

    /// The scene, without what the node's tools would print.
    pub fn scene(&self) -> Scene {
        Scene {
            backend: self.backend,
            family: self.ruleset.family,
            topology: self.topology.clone(),
            sets: self.ruleset.sets_text(),
            rules: self.ruleset.to_string(),
            context: Context::default(),
        }
    }

    /// How much there is of it: each pass has to make this less.
    fn size(&self) -> usize {
        let rules = self.ruleset.rules();
        let parts: usize =
            rules.map(|rule| 2 + rule.conditions.len() + rule.target.text.split(' ').count()).sum();
        let sets: usize = self.ruleset.sets.iter().map(|set| set.text.lines().count()).sum();
        let chains: usize = self.ruleset.tables.iter().map(|table| 1 + table.chains.len()).sum();
        let Topology { interfaces, routes, rules, sysctls, .. } = &self.topology;
        let addresses: usize = interfaces.iter().map(|interface| 1 + interface.addresses.len()).sum();
        parts + sets + chains + addresses + routes.len() + rules.len() + sysctls.len() + self.shots.len()
    }
}

/// The smallest specimen found of which `differs` says yes, with at most `tries` questions. The one given counts
/// as one that it says yes to.
pub fn shrink(specimen: Specimen, tries: usize, differs: impl FnMut(&Specimen) -> bool) -> Specimen {
    let mut search = Search { best: specimen, left: tries, differs };
    loop {
        let before = search.best.clone();
        search.draws();
        search.shots();
        search.tables();
        search.rules();
        search.chains();
        search.jumps();
        search.sets();
        search.conditions();
        search.targets();
        search.topology();
        search.fields();
        if search.best == before || search.left == 0 {
            return search.best;
        }
    }
}

struct Search<F> {
    best: Specimen,
    /// How many questions may still be asked.
    left: usize,
    differs: F,
}

impl<F: FnMut(&Specimen) -> bool> Search<F> {
    /// Keeps what a change makes of the best one, where they still disagree about it.
    fn attempt(&mut self, change: impl FnOnce(&mut Specimen)) -> bool {
        let mut candidate = self.best.clone();
        change(&mut candidate);
        if self.left == 0 || candidate == self.best {
            return false;
        }
        self.left -= 1;
        let holds = (self.differs)(&candidate);
        if holds {
            self.best = candidate;
        }
        holds
    }

    /// Takes away as many of `count` things as can be: halves first, then quarters, then each. `remove` is
    /// given which of them stay.
    fn take_away(&mut self, count: usize, remove: impl Fn(&mut Specimen, &dyn Fn(usize) -> bool)) {
        let mut here: Vec<usize> = (0..count).collect();
        let mut size = count;
        // What `remove` counts is what the specimen held at first.
        let whole = self.best.clone();
        while size > 0 && self.left > 0 {
            let mut at = 0;
            while at < here.len() && self.left > 0 {
                let stay: Vec<usize> = here
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| *i < at || *i >= at + size)
                    .map(|(_, one)| *one)
                    .collect();
                let mut candidate = whole.clone();
                remove(&mut candidate, &|one| stay.binary_search(&one).is_ok());
                self.left -= 1;
                if candidate.size() < self.best.size() && (self.differs)(&candidate) {
                    self.best = candidate;
                    here = stay;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
    }

    fn family(&self) -> Family {
        self.best.ruleset.family
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arbiter::{Answer, Answers, Arbiter, EngineArbiter};
    use crate::packets::aimed_at;
    use hookwalk_engine::Host;

    /// An engine that passes over one target.
    struct Faulty(EngineArbiter);

    impl Arbiter for Faulty {
        fn place(&mut self, scene: &Scene) -> Result<(), crate::arbiter::ArbiterError> {
            self.0.place(&Scene { rules: scene.rules.replace(" -j DROP", ""), ..scene.clone() })
        }

        fn answer(&mut self, shot: &Shot) -> Result<Answers, crate::arbiter::ArbiterError> {
            self.0.answer(shot)
        }
    }

    fn answers(arbiter: &mut dyn Arbiter, specimen: &Specimen) -> Option<Vec<Answer>> {
        arbiter.place(&specimen.scene()).ok()?;
        let [shot] = specimen.shots.as_slice() else { return None };
        let mut possible = arbiter.answer(shot).ok()?.possible;
        for answer in &mut possible {
            answer.steps.clear();
        }
        Some(possible)
    }

    #[test]
    fn a_planted_fault_shrinks_to_the_rule_that_shows_it() {
        let topology = Topology::random(3);
        let mut found = 0;
        for seed in 1..60 {
            let ruleset = Ruleset::random(seed, Family::V4, &topology);
            let (mut right, mut wrong) =
                (EngineArbiter::new(|_| Host::default()), Faulty(EngineArbiter::new(|_| Host::default())));
            let mut differs = |specimen: &Specimen| {
                let (right, wrong) = (answers(&mut right, specimen), answers(&mut wrong, specimen));
                right.is_some() && wrong.is_some() && right != wrong
            };
            let packets = aimed_at(&ruleset, &topology, seed, 20);
            let specimens = packets.iter().map(|packet| Specimen {
                backend: Backend::Legacy,
                topology: topology.clone(),
                ruleset: ruleset.clone(),
                shots: vec![Shot::first(packet)],
            });
            let Some(specimen) = specimens.into_iter().find(|specimen| differs(specimen)) else { continue };
            let small = shrink(specimen, 2000, &mut differs);
            found += 1;
            let text = small.ruleset.to_string();
            assert!(differs(&small));
            assert!(text.contains(" -j DROP"), "{text}");
            assert!(small.ruleset.rules().count() <= 2 && small.ruleset.tables.len() <= 2, "{text}");
            assert!(small.ruleset.rules().all(|rule| rule.conditions.is_empty()), "{text}");
            assert!(small.topology.routes.is_empty() && small.topology.rules.is_empty());
        }
        assert!(found > 5, "{found} faults were seen");
    }

    #[test]
    fn a_draw_is_forced() {
        let rules = "*filter\n:FORWARD ACCEPT [0:0]\n:X - [0:0]\n\
            -A FORWARD -p tcp -m statistic --mode random --probability 0.50000000000 -j X\n-A X -j DROP\nCOMMIT\n";
        let ruleset = Ruleset::read(Family::V4, "", rules);
        assert_eq!(ruleset.to_string(), rules);
        let packet = crate::packets::PacketSpec { in_iface: Some("tun0".into()), ..Default::default() };
        let specimen = Specimen {
            backend: Backend::Nft,
            topology: Topology::default(),
            ruleset,
            shots: vec![Shot::first(&packet)],
        };
        // Whoever rolls dice disagrees with himself only where the draw is certain.
        let small = shrink(specimen, 500, |specimen| {
            let text = specimen.ruleset.to_string();
            text.contains("-j DROP") && text.contains("--probability 1 ")
        });
        assert!(small.ruleset.to_string().contains("-m statistic --mode random --probability 1 "));
    }
}
