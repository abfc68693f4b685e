use rustc_hash::FxHashMap;

use super::numbers::{NumberSets, Numbers};
use super::{List, Lists};
use crate::question::{Field, Question};

/// The questions that came up in a walk, and the answers assumed on each of its ways.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    questions: Vec<Question>,
    ids: FxHashMap<Question, QuestionId>,
    assumed: Lists<Assumed>,
    /// Answers that were added before: ways that have come to the same are equal.
    added: FxHashMap<(List, QuestionId, bool), List>,
    numbers: NumberSets,
}

/// The index of a question; equal questions have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct QuestionId(u32);

/// An answer, and what a number can be after it and all before it.
#[derive(Clone, Copy, Debug)]
struct Assumed {
    id: QuestionId,
    is: bool,
    left: Option<(Field, Numbers)>,
}

impl Facts {
    pub(crate) fn clear(&mut self) {
        self.questions.clear();
        self.ids.clear();
        self.assumed.clear();
        self.added.clear();
        self.numbers.clear();
    }

    pub(crate) fn id(&mut self, question: Question) -> QuestionId {
        if let Some(id) = self.ids.get(&question) {
            return *id;
        }
        let id = QuestionId(u32::try_from(self.questions.len()).unwrap_or(u32::MAX));
        self.questions.push(question.clone());
        self.ids.insert(question, id);
        id
    }

    pub(crate) fn question(&self, id: QuestionId) -> Option<&Question> {
        self.questions.get(id.0 as usize)
    }

    /// The answers of a way with one more.
    pub(crate) fn assume(&mut self, known: List, id: QuestionId, is: bool) -> List {
        if let Some(same) = self.added.get(&(known, id, is)) {
            return *same;
        }
        let left = match self.questions.get(id.0 as usize) {
            Some(Question::Number { field, wanted }) => {
                let field = *field;
                let mut left = self.left(field, known).unwrap_or_else(|| {
                    field.domain().iter().fold(Numbers::NONE, |set, range| self.numbers.with(set, range))
                });
                // The questions and their numbers are apart, so that each can be looked at while the other grows.
                let numbers = &mut self.numbers;
                let mut without = |range| left = numbers.without(left, range);
                if is {
                    wanted.gaps().for_each(&mut without);
                } else {
                    wanted.iter().for_each(&mut without);
                }
                Some((field, left))
            }
            _ => None,
        };
        let more = self.assumed.push(known, Assumed { id, is, left });
        self.added.insert((known, id, is), more);
        more
    }

    /// What a number can be by the answers of a way; none where they say nothing of it.
    fn left(&self, field: Field, known: List) -> Option<Numbers> {
        let mut told = self.assumed.iter(known).filter_map(|assumed| assumed.left);
        told.find(|(of, _)| *of == field).map(|(_, left)| left)
    }

    /// What the answers of a way say of a question.
    pub(crate) fn settle(&self, question: &Question, known: List) -> Option<bool> {
        match question {
            _ if known.is_empty() => question.settled_by(std::iter::empty()),
            Question::Number { field, wanted } => {
                let Some(left) = self.left(*field, known) else {
                    return question.settled_by(std::iter::empty());
                };
                let meets = |range| self.numbers.meets(left, range);
                match (wanted.iter().any(meets), wanted.gaps().any(meets)) {
                    (false, _) => Some(false),
                    (true, false) => Some(true),
                    (true, true) => None,
                }
            }
            Question::LeavesBy { .. } => {
                let facts = self.assumed.iter(known);
                question.settled_by(facts.filter_map(|fact| Some((self.question(fact.id)?, fact.is))))
            }
            Question::SetHolds { .. } | Question::Bridge(_) | Question::Opaque { .. } => {
                let id = self.ids.get(question)?;
                self.assumed.iter(known).find(|fact| fact.id == *id).map(|fact| fact.is)
            }
        }
    }

    /// Whether answers that were given apart from each other can all be right.
    pub(crate) fn agree(&self, one: &[(QuestionId, bool)], other: &[(QuestionId, bool)]) -> bool {
        other.iter().all(|(id, is)| {
            let Some(question) = self.question(*id) else { return true };
            if let Question::Number { .. } | Question::LeavesBy { .. } = question {
                let known = one.iter().filter_map(|(id, is)| Some((self.question(*id)?, *is)));
                return question.settled_by(known) != Some(!is);
            }
            !one.contains(&(*id, !is))
        })
    }
}
