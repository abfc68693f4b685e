use rustc_hash::FxHashMap;

use super::{List, Lists};
use crate::question::Question;

/// The questions that came up in a walk, and the answers assumed on each of its ways.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    questions: Vec<Question>,
    ids: FxHashMap<Question, QuestionId>,
    assumed: Lists<(QuestionId, bool)>,
}

/// The index of a question; equal questions have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct QuestionId(u32);

impl Facts {
    pub(crate) fn clear(&mut self) {
        self.questions.clear();
        self.ids.clear();
        self.assumed.clear();
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
        self.assumed.push(known, (id, is))
    }

    /// What the answers of a way say of a question.
    pub(crate) fn settle(&self, question: &Question, known: List) -> Option<bool> {
        if known.is_empty() {
            return question.settled_by(std::iter::empty());
        }
        question.settled_by(self.assumed.iter(known).filter_map(|(id, is)| Some((self.question(id)?, is))))
    }

    /// Whether answers that were given apart from each other can all be right.
    pub(crate) fn agree(&self, one: &[(QuestionId, bool)], other: &[(QuestionId, bool)]) -> bool {
        other.iter().all(|(id, is)| {
            let Some(question) = self.question(*id) else { return true };
            let known = one.iter().filter_map(|(id, is)| Some((self.question(*id)?, *is)));
            question.settled_by(known) != Some(!is)
        })
    }
}
