use hookwalk_parser::extensions::{IdRange, OwnerMatch};
use hookwalk_parser::types::Negatable;

use crate::question::{Field, Question, Ranges};
use crate::state::{Answer, View};

/// kernel: `net/netfilter/xt_owner.c`, `owner_mt`. Without a local socket only an inverted option holds.
pub(super) fn test(m: &OwnerMatch, view: &View<'_>) -> Answer {
    if !view.is_sent_here() {
        let inverted = [
            m.socket_exists.map(|exists| exists.negated),
            m.uid.map(|uid| uid.negated),
            m.gid.map(|gid| gid.negated),
        ];
        return inverted.into_iter().flatten().all(|negated| negated).into();
    }
    if m.socket_exists.is_some_and(|exists| exists.negated) {
        return Answer::No;
    }
    let id = |wanted: Option<Negatable<IdRange>>, id: Option<u32>, field: Field| match (wanted, id) {
        (None, _) => Answer::Yes,
        (Some(wanted), Some(id)) => wanted.holds(|range| range.contains(id)).into(),
        (Some(wanted), None) => {
            let wanted_ids = Ranges::new([(wanted.value.first, wanted.value.last)]);
            view.ask(Question::Number { field, wanted: wanted_ids }).negate(wanted.negated)
        }
    };
    id(m.uid, view.packet.uid, Field::Uid).and(|| id(m.gid, view.packet.gid, Field::Gid))
}
