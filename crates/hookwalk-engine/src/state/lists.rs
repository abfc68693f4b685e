use std::num::NonZeroU32;

/// The newest element of a list that grows at its head and shares its tail with other lists: how many
/// nodes there were with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct List(Option<NonZeroU32>);

impl List {
    pub(crate) const EMPTY: List = List(None);

    pub(crate) const fn is_empty(self) -> bool {
        self.0.is_none()
    }

    /// The place of the newest element among the nodes of all lists.
    #[inline]
    pub(crate) fn index(self) -> Option<usize> {
        self.0.map(|count| count.get() as usize - 1)
    }
}

/// Where such lists live: an element and the one before it.
#[derive(Debug)]
pub(crate) struct Lists<T> {
    nodes: Vec<(T, List)>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Lists { nodes: Vec::new() }
    }
}

impl<T: Copy> Lists<T> {
    /// The list with one element more.
    pub(crate) fn push(&mut self, list: List, element: T) -> List {
        self.nodes.push((element, list));
        List(u32::try_from(self.nodes.len()).ok().and_then(NonZeroU32::new))
    }

    pub(crate) fn clear(&mut self) {
        self.nodes.clear();
    }

    /// How many nodes all lists have together.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The nodes of all lists, each behind the one before it.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &(T, List)> {
        self.nodes.iter()
    }

    /// The newest element and the list before it.
    pub(crate) fn pop(&self, list: List) -> Option<(T, List)> {
        self.nodes.get(list.index()?).copied()
    }

    /// The elements, newest first.
    pub(crate) fn iter(&self, list: List) -> impl Iterator<Item = T> {
        let mut rest = list;
        std::iter::from_fn(move || {
            let (element, before) = self.pop(rest)?;
            rest = before;
            Some(element)
        })
    }

    /// The elements, oldest first.
    pub(crate) fn to_vec(&self, list: List) -> Vec<T> {
        let mut elements: Vec<T> = self.iter(list).collect();
        elements.reverse();
        elements
    }
}
