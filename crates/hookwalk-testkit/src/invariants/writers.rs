//! What has to hold for a writer of rules, whatever it wrote before.

use hookwalk_parser::types::Family;
use hookwalk_parser::{Backend, Dump, Reader};

use super::{Counterexample, Trial, same};
use crate::cluster::Cluster;

/// The order in which a writer is given Services and slices does not matter.
pub fn order_of_services(
    cluster: &Cluster,
    writer: impl Fn(&Cluster) -> String,
) -> Result<(), Counterexample> {
    let mut turned = cluster.clone();
    turned.services.reverse();
    turned.slices.reverse();
    let (one, other) = (writer(cluster), writer(&turned));
    // The probes of both are those of the cluster as given.
    same(&Trial::new(&one, cluster), &Trial::new(&other, cluster)).map_err(|found| named("order", found))
}

/// What a writer gives to `iptables-restore --noflush` leaves the same rules when it is loaded twice.
/// `before` is what was loaded before that; it may be empty.
pub fn syncing_twice(cluster: &Cluster, before: &str, sync: &str) -> Result<(), Counterexample> {
    let family = cluster.config.family;
    let once = loaded(family, &[before, sync]).canonical();
    let twice = loaded(family, &[before, sync, sync]).canonical();
    if once == twice {
        return Ok(());
    }
    let (once, twice) = (String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice));
    let differ = once.lines().zip(twice.lines()).find(|(a, b)| a != b);
    let message = match differ {
        Some((a, b)) => format!("the second sync changes\n    {a}\n  to\n    {b}"),
        None => "the second sync adds or takes away rules".to_owned(),
    };
    Err(Counterexample::new("twice", message))
}

/// A partial sync leaves rules that treat every packet as those of a full sync do. `before` is what was
/// loaded before either.
pub fn partial_equals_full(
    cluster: &Cluster,
    before: &str,
    partial: &str,
    full: &str,
) -> Result<(), Counterexample> {
    let family = cluster.config.family;
    let partial = Trial::of(vec![loaded(family, &[before, partial])], cluster);
    super::jumps(&partial).map_err(|found| named("partial", found))?;
    let full = Trial::of(vec![loaded(family, &[before, full])], cluster);
    same(&partial, &full).map_err(|found| named("partial", found))
}

/// The same rules on the legacy and on the nft backend treat every packet the same.
pub fn backends_agree(cluster: &Cluster, rules: &str) -> Result<(), Counterexample> {
    let of = |backend| {
        let dump = Reader::new().family(cluster.config.family).backend(backend).parse(rules);
        Trial::of(vec![dump], cluster)
    };
    same(&of(Backend::Legacy), &of(Backend::Nft)).map_err(|found| named("backends", found))
}

/// What is loaded after `iptables-restore --noflush` took one text after the other.
fn loaded(family: Family, texts: &[&str]) -> Dump {
    Reader::new().family(family).backend(Backend::Legacy).noflush(true).parse(texts.concat())
}

fn named(invariant: &'static str, mut found: Counterexample) -> Counterexample {
    found.invariant = invariant;
    found
}
