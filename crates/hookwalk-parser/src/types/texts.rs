use std::cell::RefCell;
use std::hash::Hasher;

use rustc_hash::FxHasher;

use super::Text;

/// Texts that came lately, so that those which stand in many rules are in memory once: a service's name
/// is the comment of each of its rules.
#[derive(Default)]
pub(crate) struct Texts {
    slots: RefCell<Vec<Option<Text>>>,
}

impl Texts {
    const SLOTS: usize = 4096;

    /// The text of these bytes, shared with an equal one where that is still known.
    pub(crate) fn text(&self, bytes: &[u8]) -> Text {
        let mut hasher = FxHasher::default();
        hasher.write(bytes);
        let slot = usize::try_from(hasher.finish() >> 40).unwrap_or(0) % Self::SLOTS;
        let mut slots = self.slots.borrow_mut();
        if slots.is_empty() {
            slots.resize(Self::SLOTS, None);
        }
        let Some(slot) = slots.get_mut(slot) else { return Text::from(bytes) };
        if let Some(known) = slot
            && known.as_bytes() == bytes
        {
            return known.clone();
        }
        slot.insert(Text::from(bytes)).clone()
    }
}
