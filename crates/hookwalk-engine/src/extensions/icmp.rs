use hookwalk_parser::extensions::{IcmpMatch, IcmpType};
use hookwalk_parser::types::Protocol;

use crate::question::{Field, Question, Ranges};
use crate::state::{Answer, View};

pub(super) fn test(m: IcmpMatch, view: &View<'_>) -> Answer {
    if view.packet.protocol != Protocol::ICMP || view.is_later_fragment() {
        return Answer::No;
    }
    match m.icmp_type {
        None => Answer::Yes,
        Some(wanted) => match wanted.value {
            IcmpType::Any => Answer::Yes,
            IcmpType::Type { icmp_type, code } => type_and_code(icmp_type, code, view),
        }
        .negate(wanted.negated),
    }
}

/// Whether type and code are these, either family.
pub(super) fn type_and_code(icmp_type: u8, code: Option<u8>, view: &View<'_>) -> Answer {
    match (view.packet.icmp_type, view.packet.icmp_code) {
        (Some(known), _) if known != icmp_type => Answer::No,
        (Some(_), Some(known)) => code.is_none_or(|code| code == known).into(),
        (Some(_), None) if code.is_none() => Answer::Yes,
        _ => {
            let base = u32::from(icmp_type) << 8;
            let wanted = match code {
                Some(code) => (base + u32::from(code), base + u32::from(code)),
                None => (base, base + 0xff),
            };
            view.ask(Question::Number { field: Field::IcmpTypeAndCode, wanted: Ranges::new([wanted]) })
        }
    }
}
