// SPDX-License-Identifier: GPL-2.0

//! Lists of requests that wait to be run, and groups of requests that must run in order.
//!
//! Both are linked by index through [`Links`] in the requests themselves. So nothing is allocated, and
//! a request can leave from the middle in constant time. The caller holds one lock for all of it,
//! `Context::queues`.

use crate::sys::util::once::Once;
use kernel::prelude::*;

/// No request.
const NONE: u32 = u32::MAX;

/// A list. It says who may run the requests on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum List {
    /// The run list: for a task or a thread of the process. The try does not block in the file.
    Run = 0,
    /// For a thread: the try may wait for the device's queue, but for no page.
    Page = 1,
    /// For a thread: the try may block.
    Block = 2,
    /// As [`List::Run`], but only after a pause: another task holds the file's lock, or too many
    /// requests wait for the file.
    Held = 3,
    /// Not to be run yet: another request of the group is first.
    Waiting = 4,
    /// As [`List::Run`], but for a task of the process alone: the file may look at descriptors.
    Task = 5,
    /// Not to be run yet: a barrier, or a request behind one.
    Barrier = 6,
}

impl List {
    const NUMBER: usize = 7;

    /// The list with this number.
    pub(crate) fn from_number(number: u32) -> Self {
        match number {
            0 => List::Run,
            1 => List::Page,
            3 => List::Held,
            4 => List::Waiting,
            5 => List::Task,
            6 => List::Barrier,
            _ => List::Block,
        }
    }
}

/// The links of a request. The lock of the lists guards them.
pub(crate) struct Links {
    /// The list that the request is on, or [`NONE`].
    list: Once<u32>,
    prev: Once<u32>,
    next: Once<u32>,
    /// The group that the request is in, or 0.
    key: Once<usize>,
    before: Once<u32>,
    after: Once<u32>,
    /// Only valid in the first of a group: the last of the group, and the first of the next group in
    /// the bucket.
    last: Once<u32>,
    chain: Once<u32>,
}

impl Default for Links {
    fn default() -> Self {
        let none = || Once::new(NONE);
        Links {
            list: none(),
            prev: none(),
            next: none(),
            key: Once::new(0),
            before: none(),
            after: none(),
            last: none(),
            chain: none(),
        }
    }
}

impl Links {
    /// Whether the request is on a list.
    pub(crate) fn is_listed(&self) -> bool {
        self.list.get() != NONE
    }

    /// Whether the request is on `list`.
    pub(crate) fn is_on(&self, list: List) -> bool {
        self.list.get() == list as u32
    }
}

/// Finds requests by their index.
pub(crate) trait Nodes {
    /// The links of request `index`.
    fn links(&self, index: u32) -> Option<&Links>;

    /// As [`Self::links`], for an index that is often [`NONE`].
    #[inline(always)]
    fn neighbour(&self, index: u32) -> Option<&Links> {
        if index == NONE {
            return None;
        }
        self.links(index)
    }
}

#[derive(Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
    len: u32,
}

/// All lists of a context.
pub(crate) struct Lists([Ends; List::NUMBER]);

impl Lists {
    /// Empty lists.
    pub(crate) fn new() -> Self {
        let empty = Ends {
            first: NONE,
            last: NONE,
            len: 0,
        };
        Lists([empty; List::NUMBER])
    }

    /// The number of requests on `list`.
    pub(crate) fn len(&self, list: List) -> u32 {
        self.0.get(list as usize).map_or(0, |ends| ends.len)
    }

    /// The first request on `list`.
    pub(crate) fn first(&self, list: List) -> Option<u32> {
        let first = self.0.get(list as usize)?.first;
        (first != NONE).then_some(first)
    }

    /// Puts `index` at the end of `list`. It must not be on a list.
    pub(crate) fn push(&mut self, nodes: &impl Nodes, index: u32, list: List) {
        let (Some(ends), Some(links)) = (self.0.get_mut(list as usize), nodes.links(index)) else {
            return;
        };
        links.list.set(list as u32);
        links.prev.set(ends.last);
        links.next.set(NONE);
        match nodes.neighbour(ends.last) {
            Some(last) => last.next.set(index),
            None => ends.first = index,
        }
        ends.last = index;
        ends.len = ends.len.saturating_add(1);
    }

    /// Takes `index` off its list, if it is on one.
    pub(crate) fn remove(&mut self, nodes: &impl Nodes, index: u32) {
        let Some(links) = nodes.links(index) else {
            return;
        };
        let Some(ends) = self.0.get_mut(links.list.get() as usize) else {
            return;
        };
        let (prev, next) = (links.prev.get(), links.next.get());
        match nodes.neighbour(prev) {
            Some(links) => links.next.set(next),
            None => ends.first = next,
        }
        match nodes.neighbour(next) {
            Some(links) => links.prev.set(prev),
            None => ends.last = prev,
        }
        ends.len = ends.len.saturating_sub(1);
        links.list.set(NONE);
    }

    /// Takes the first request off `list`.
    pub(crate) fn pop(&mut self, nodes: &impl Nodes, list: List) -> Option<u32> {
        let ends = self.0.get_mut(list as usize)?;
        let first = ends.first;
        let links = nodes.neighbour(first)?;
        let next = links.next.get();
        ends.first = next;
        match nodes.neighbour(next) {
            Some(links) => links.prev.set(NONE),
            None => ends.last = NONE,
        }
        ends.len = ends.len.saturating_sub(1);
        links.list.set(NONE);
        Some(first)
    }
}

/// Groups of requests that must run one after the other. A group is all requests of one key, in the
/// order in which they joined. Only the first of a group runs or is armed.
pub(crate) struct Groups(KVVec<u32>);

impl Groups {
    /// A table for a context of `requests` requests. Fails with ENOMEM. Process context, may sleep.
    pub(crate) fn new(requests: u32) -> Result<Self> {
        let buckets = requests.clamp(16, 1 << 20).next_power_of_two();
        let mut heads = KVVec::with_capacity(buckets as usize, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..buckets {
            heads.push(NONE, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(Groups(heads))
    }

    fn bucket(&mut self, key: usize) -> &mut u32 {
        // As `hash_long()`; the number of buckets is a power of two.
        let hash = (key as u64).wrapping_mul(0x61c8_8646_80b5_83eb) >> 32;
        let place = hash as usize & (self.0.len().wrapping_sub(1));
        // There is at least one bucket, and `place` is less than their number.
        &mut self.0[place]
    }

    /// The links of the first of the group `key`.
    fn first<'a>(&mut self, nodes: &'a impl Nodes, key: usize) -> Option<&'a Links> {
        let mut at = *self.bucket(key);
        while let Some(links) = nodes.neighbour(at) {
            if links.key.get() == key {
                return Some(links);
            }
            at = links.chain.get();
        }
        None
    }

    /// Whether the group `key` has a member.
    pub(crate) fn is_busy(&mut self, nodes: &impl Nodes, key: usize) -> bool {
        self.first(nodes, key).is_some()
    }

    /// Puts `index`, which must be in no group, at the end of the group `key`. Returns whether it is
    /// the first.
    pub(crate) fn join(&mut self, nodes: &impl Nodes, index: u32, key: usize) -> bool {
        let Some(first) = self.first(nodes, key) else {
            self.found(nodes, index, key);
            return true;
        };
        if let Some(links) = nodes.links(index) {
            let last = first.last.get();
            links.key.set(key);
            links.before.set(last);
            links.after.set(NONE);
            if let Some(last) = nodes.neighbour(last) {
                last.after.set(index);
            }
            first.last.set(index);
        }
        false
    }

    /// Puts `index`, which must be in no group, in the group `key`, which must be empty.
    pub(crate) fn found(&mut self, nodes: &impl Nodes, index: u32, key: usize) {
        if let Some(links) = nodes.links(index) {
            links.key.set(key);
            links.before.set(NONE);
            links.after.set(NONE);
            links.last.set(index);
            self.chain(links, index, key);
        }
    }

    /// Whether `index` is the first of its group, or in no group.
    pub(crate) fn is_first(&self, nodes: &impl Nodes, index: u32) -> bool {
        nodes
            .links(index)
            .is_none_or(|links| links.key.get() == 0 || links.before.get() == NONE)
    }

    fn chain(&mut self, links: &Links, index: u32, key: usize) {
        let bucket = self.bucket(key);
        links.chain.set(*bucket);
        *bucket = index;
    }

    fn unchain(&mut self, nodes: &impl Nodes, links: &Links, index: u32) {
        let rest = links.chain.get();
        let bucket = self.bucket(links.key.get());
        if *bucket == index {
            *bucket = rest;
            return;
        }
        let mut at = *bucket;
        while let Some(before) = nodes.neighbour(at) {
            at = before.chain.get();
            if at == index {
                before.chain.set(rest);
                return;
            }
        }
    }

    /// Takes `index` out of its group. If it was the first, returns the next one, which is the first
    /// now.
    pub(crate) fn leave(&mut self, nodes: &impl Nodes, index: u32) -> Option<u32> {
        let links = nodes.links(index)?;
        let key = links.key.get();
        if key == 0 {
            return None;
        }
        let (before, after) = (links.before.get(), links.after.get());
        let next = nodes.neighbour(after);
        if let Some(next) = next {
            next.before.set(before);
        }
        if let Some(previous) = nodes.neighbour(before) {
            previous.after.set(after);
            if next.is_none() {
                let first = self.first(nodes, key)?;
                first.last.set(before);
            }
            links.key.set(0);
            return None;
        }
        self.unchain(nodes, links, index);
        links.key.set(0);
        let next = next?;
        next.last.set(links.last.get());
        self.chain(next, after, key);
        Some(after)
    }
}

#[cfg(CONFIG_KUNIT = "y")]
mod tests;
