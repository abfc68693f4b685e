//! Draws rules out of the templates of `testdata/parse/saved/grammar.txt`.

use hookwalk_parser::types::Family;

use crate::values;

/// A template and where its rules can stand.
pub(crate) struct Template {
    families: Vec<Family>,
    pub(crate) table: String,
    text: String,
}

/// The templates of the list.
pub(crate) fn templates(list: &str) -> Vec<Template> {
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let template = |line: &str| {
        let (families, rest) = line.split_once(' ').unwrap();
        let (table, text) = rest.split_once(' ').unwrap();
        let known = [('4', Family::V4), ('6', Family::V6)];
        let known = known.into_iter().filter(|(digit, _)| families.contains(*digit));
        Template {
            families: known.map(|(_, family)| family).collect(),
            table: table.to_owned(),
            text: text.to_owned(),
        }
    };
    lines.map(template).collect()
}

impl Template {
    /// A rule of this family, without `-A CHAIN`; none when the template has no such rules.
    pub(crate) fn draw(&self, family: Family, dice: &mut Dice) -> Option<String> {
        if !self.families.contains(&family) {
            return None;
        }
        let rule = dice.fill(&self.text, family);
        let has_target = ["-j ", "-g ", "--jump "].iter().any(|option| self.text.contains(option));
        let rule = if has_target {
            rule
        } else {
            dice.fill("{||-s <net> |-i <iface> |<!>-d <net> |-m comment --comment <text> }", family)
                + &rule
                + &dice.fill("{| -j ACCEPT| -j DROP| -j RETURN| -j Y| -g Y}", family)
        };
        Some(single_blanks(&rule))
    }
}

/// One blank between words, but not inside quotes.
fn single_blanks(rule: &str) -> String {
    let (mut out, mut quoted, mut escaped) = (String::new(), false, false);
    for c in rule.trim().chars() {
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        if c != ' ' || quoted || !out.ends_with(' ') {
            out.push(c);
        }
    }
    out
}

/// A small generator of its own, so that a seed gives the same rules on every machine.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 16) % end as u64).unwrap()
    }

    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Fills a template; see the head of the list for its marks.
    pub(crate) fn fill(&mut self, template: &str, family: Family) -> String {
        let mut out = String::new();
        let mut rest = template;
        while let Some(c) = rest.chars().next() {
            if c == '{' {
                let (alternatives, behind) = alternatives(rest);
                let kind = out.chars().next_back().filter(|last| matches!(last, '*' | '+' | ','));
                // A comma that stands behind a value is one, not a mark.
                let kind = kind.filter(|kind| *kind != ',' || out == "," || out.ends_with(" ,"));
                match kind {
                    None => {
                        let chosen = self.one(&alternatives);
                        out += &self.fill(chosen, family);
                    }
                    Some(kind) => {
                        out.pop();
                        let chosen = self.some(alternatives, kind != '*');
                        let filled: Vec<_> = chosen.iter().map(|part| self.fill(part, family)).collect();
                        out += &filled.join(if kind == ',' { "," } else { " " });
                    }
                }
                rest = behind;
                continue;
            }
            let name = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
            let name = name.filter(|(name, _)| {
                *name == "!" || (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()))
            });
            if let Some((name, behind)) = name {
                out += &values::value(name, family, self);
                rest = behind;
            } else {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        out
    }

    /// Some of several, in any order.
    fn some<'t>(&mut self, mut of: Vec<&'t str>, at_least_one: bool) -> Vec<&'t str> {
        // Few more often than many.
        let most = if self.below(4) == 0 { of.len() } else { of.len().min(3) };
        let count = if at_least_one { 1 + self.below(most) } else { self.below(most + 1) };
        (0..count).map(|_| of.remove(self.below(of.len()))).collect()
    }
}

/// The alternatives of the braces that a text starts with, and what stands behind them.
fn alternatives(text: &str) -> (Vec<&str>, &str) {
    let (mut depth, mut start, mut found) = (0, 1, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            '|' if depth == 1 => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        if depth == 0 {
            found.push(&text[start..at]);
            return (found, &text[at + 1..]);
        }
    }
    panic!("a brace is not closed: {text}");
}
