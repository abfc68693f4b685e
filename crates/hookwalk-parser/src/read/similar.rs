//! Likely fixes: a name that is one letter off.

use super::diagnostics::quote;
use crate::extensions::Target;

/// The help that names the one of `names` which is one letter off.
pub(super) fn name(wrong: &[u8], names: &[&str]) -> Option<String> {
    let near = names.iter().find(|name| is_near(wrong, name.as_bytes()))?;
    Some(format!("did you mean {}?", quote(near.as_bytes())))
}

/// The help that names a target which is one letter off.
pub(super) fn target(wrong: &[u8]) -> Option<String> {
    name(wrong, &["ACCEPT", "DROP", "RETURN"]).or_else(|| name(wrong, Target::NAMES))
}

/// Whether one letter too much, too few, changed or swapped with its neighbour makes one of the
/// other; case does not count.
pub(super) fn is_near(a: &[u8], b: &[u8]) -> bool {
    const SHORTEST: usize = 3;
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.len() < SHORTEST || long.len() - short.len() > 1 {
        return false;
    }
    let same = |(x, y): (&u8, &u8)| x.eq_ignore_ascii_case(y);
    let start = short.iter().zip(long).take_while(|&pair| same(pair)).count();
    let end = short.iter().rev().zip(long.iter().rev()).take_while(|&pair| same(pair)).count();
    if start == short.len() && start == long.len() {
        return true;
    }
    if short.len() < long.len() {
        return start + end >= short.len();
    }
    let differing = short.len().saturating_sub(start + end);
    differing == 1
        || (differing == 2
            && matches!(
                (short.get(start..start + 2), long.get(start..start + 2)),
                (Some([a, b]), Some([c, d])) if same((a, d)) && same((b, c))
            ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_letter_off() {
        for (a, b) in [
            ("comment", "coment"),
            ("comment", "commnet"),
            ("comment", "commant"),
            ("comment", "commentt"),
            ("DROP", "drop"),
            ("KUBE-SVC-A", "KUBE-SVC-B"),
        ] {
            assert!(is_near(a.as_bytes(), b.as_bytes()), "{a} {b}");
            assert!(is_near(b.as_bytes(), a.as_bytes()), "{b} {a}");
        }
        for (a, b) in [("tcp", "udp"), ("ah", "a"), ("limit", "hashlimit"), ("comment", "moment"), ("", "x")]
        {
            assert!(!is_near(a.as_bytes(), b.as_bytes()), "{a} {b}");
        }
    }
}
