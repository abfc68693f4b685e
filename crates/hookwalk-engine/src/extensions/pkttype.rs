use hookwalk_parser::extensions::{AddressType, PacketType, PkttypeMatch};

use crate::question::{Field, Question, Ranges};
use crate::state::{Answer, View};

/// kernel: `net/netfilter/xt_pkttype.c`. The link layer carries broadcasts and multicasts as such, and what
/// is sent here has no link layer yet and counts as unicast.
pub(super) fn test(m: &PkttypeMatch, view: &View<'_>) -> Answer {
    let Some(wanted) = m.packet_type else { return Answer::Yes };
    let dst = view.packet.dst;
    let told = match view.host.address_type(dst) {
        _ if view.is_sent_here() || view.state.looped_back => Some(PacketType::Unicast),
        Some(AddressType::Multicast) => Some(PacketType::Multicast),
        Some(AddressType::Broadcast) => Some(PacketType::Broadcast),
        Some(_) => Some(PacketType::Unicast),
        None => None,
    };
    let holds = match (told, wanted.value) {
        (Some(told), wanted) => (told == wanted).into(),
        // Of an address that nobody told about only this is open.
        (None, PacketType::Multicast | PacketType::Otherhost) => Answer::No,
        (None, asked) => {
            let broadcast = Ranges::types(std::iter::once(AddressType::Broadcast));
            let question = Question::Number { field: Field::TypeOf(dst), wanted: broadcast };
            view.ask(question).negate(asked == PacketType::Unicast)
        }
    };
    holds.negate(wanted.negated)
}
