//! `ip rule`: either form into [`Draft`], and drafts into rules.

mod json;
mod text;

use hookwalk_engine::{RoutingAction, RoutingRule};
use hookwalk_parser::types::MarkMask;

use super::error::ContextError;
use super::pieces::{Piece, pieces};

/// Reads `ip rule` or `ip -j rule`, several in one text.
///
/// A rule with a selector or an action that is not understood (`oif`, `tos`, `ipproto`, `goto`,
/// `suppress_prefixlength`, ...) becomes [`RoutingAction::Unknown`], with an error that names it: what
/// of its selectors is understood is kept, so that it does not stand in the way of other packets.
/// Names of tables become numbers by [`route_table`](super::route_table).
///
/// ```
/// use hookwalk::{RouteTableId, RoutingAction};
/// let (rules, errors) = hookwalk::context::rules(
///     "0:\tfrom all lookup local
/// 100:\tnot from all fwmark 0xca6c lookup 51820
/// 101:\tfrom all lookup main suppress_prefixlength 0
/// ",
/// );
/// assert!(rules[1].not && rules[1].fwmark.is_some());
/// assert_eq!(rules[1].action, RoutingAction::Lookup(RouteTableId(51820)));
/// assert_eq!(rules[2].action, RoutingAction::Unknown);
/// assert_eq!(
///     errors[0].to_string(),
///     "3:27: `suppress_prefixlength` is not supported: what this rule does is taken for unknown"
/// );
/// ```
pub fn rules(text: &str) -> (Vec<RoutingRule>, Vec<ContextError>) {
    let (mut rules, mut errors) = (Vec::new(), Vec::new());
    for piece in pieces(text) {
        match piece {
            Piece::Line(line) => rules.extend(text::line(line, &mut errors).and_then(Draft::finish)),
            Piece::Object(at, object) => {
                rules.extend(json::object(at, &object, &mut errors).and_then(Draft::finish));
            }
            Piece::Bad(error) => errors.push(error),
        }
    }
    (rules, errors)
}

/// A rule as it is written.
#[derive(Clone, Debug)]
struct Draft {
    rule: RoutingRule,
    /// Something of it is not understood.
    unknown: bool,
    /// It does nothing: `nop`, or a `goto` to a rule that is not there.
    idle: bool,
}

impl Draft {
    fn new(priority: u32) -> Self {
        let action = RoutingAction::Unknown;
        let rule = RoutingRule {
            priority,
            not: false,
            from: None,
            to: None,
            fwmark: None,
            in_interface: None,
            action,
        };
        Draft { rule, unknown: false, idle: false }
    }

    fn finish(mut self) -> Option<RoutingRule> {
        if self.idle {
            return None;
        }
        if self.unknown {
            self.rule.action = RoutingAction::Unknown;
        }
        if self.rule.not && self.rule.action == RoutingAction::Unknown {
            // It holds where what is not understood does not, whatever the other selectors say.
            self.rule = Draft::new(self.rule.priority).rule;
        }
        Some(self.rule)
    }
}

/// The kernel compares under the mask, so bits outside it do not count.
fn mark(value: u32, mask: u32) -> MarkMask {
    MarkMask { value: value & mask, mask }
}

/// What a rule does by its word.
fn action(word: &str) -> Option<RoutingAction> {
    match word {
        "blackhole" => Some(RoutingAction::Blackhole),
        "unreachable" => Some(RoutingAction::Unreachable),
        "prohibit" => Some(RoutingAction::Prohibit),
        _ => None,
    }
}

const UNSUPPORTED: &str = "is not supported: what this rule does is taken for unknown";

#[cfg(test)]
mod tests;
