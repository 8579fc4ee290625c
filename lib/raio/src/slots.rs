// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{
    completion, data::Data, registered::Registered, sys, Completion, Operation, Request, RequestId,
};
use std::{
    cell::UnsafeCell,
    sync::atomic::{AtomicU64, Ordering},
};

/// The requests of a context that are in flight, and what they own.
///
/// A slot is an iocb, which stays where it is, and what a request has left behind.
/// What comes back from the kernel names it by the address of the iocb and by a
/// generation, which is never used twice.
#[derive(Debug)]
pub(crate) struct Slots {
    iocbs: Box<[Iocb]>,
    // What the iocbs name, as long as they are submitted.
    deadlines: Box<[sys::raio_deadline]>,
    held: Box<[Option<Held>]>,
    // Slots that have no request; the last is next.
    free: Vec<u32>,
    generation: u64,
    context: u64,
}

/// The kernel writes `aio_key`, inside submit.
#[derive(Debug, Default)]
#[repr(transparent)]
struct Iocb(UnsafeCell<sys::iocb>);

// SAFETY: By `&` only its address is taken; it is written by `&mut`, and by the
// kernel during a submission, which has `&mut Context`.
unsafe impl Sync for Iocb {}

#[derive(Debug)]
struct Held {
    generation: u64,
    parts: (Operation, Data, u64),
}

/// Contexts of this process; 0 is none.
static CONTEXTS: AtomicU64 = AtomicU64::new(1);

impl Slots {
    pub(crate) fn new(nr: u32) -> Self {
        Self {
            iocbs: (0..nr).map(|_| Iocb::default()).collect(),
            deadlines: (0..nr).map(|_| sys::raio_deadline::default()).collect(),
            held: (0..nr).map(|_| None).collect(),
            free: (0..nr).rev().collect(),
            generation: 0,
            context: CONTEXTS.fetch_add(1, Ordering::Relaxed),
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.iocbs.len()
    }

    pub(crate) fn room(&self) -> usize {
        self.free.len()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.capacity() - self.room()
    }

    /// Writes the iocbs of these requests, for the slots that the next ones get, and
    /// says where they are: of as many as there is room for.  `registered` is what the
    /// context has registered, and `features` what the kernel can do.
    pub(crate) fn stage<'a, 'fd: 'a>(
        &mut self,
        requests: impl Iterator<Item = &'a Request<'fd>>,
        registered: &Registered,
        features: u64,
        addresses: &mut Vec<usize>,
    ) {
        addresses.clear();
        for ((&index, request), generation) in
            self.free.iter().rev().zip(requests).zip(self.generation..)
        {
            let iocb = &mut self.iocbs[index as usize];
            *iocb.0.get_mut() = request.iocb(generation, registered, features);
            request.set_deadline(iocb.0.get_mut(), &mut self.deadlines[index as usize]);
            addresses.push(iocb.0.get().expose_provenance());
        }
    }

    /// Takes the next request of those that were staged: it is in flight now.
    ///
    /// It neither panics nor allocates, so that a caller that has to take a number of them
    /// takes all.
    pub(crate) fn hold(&mut self, request: Request<'_>) -> Option<RequestId> {
        let index = self.free.pop()?;
        let generation = self.generation;
        self.generation += 1;
        self.held[index as usize] = Some(Held {
            generation,
            parts: request.into_parts(),
        });
        Some(RequestId {
            context: self.context,
            index,
            generation,
        })
    }

    /// Where the iocb of that request is, if it is in flight.
    pub(crate) fn find(&self, id: RequestId) -> Option<usize> {
        let held = self.held.get(id.index as usize)?.as_ref()?;
        (id.context == self.context && held.generation == id.generation)
            .then(|| self.iocbs[id.index as usize].0.get().expose_provenance())
    }

    /// All that are in flight.
    pub(crate) fn ids(&self) -> impl Iterator<Item = RequestId> + '_ {
        self.held.iter().zip(0..).filter_map(|(held, index)| {
            Some(RequestId {
                context: self.context,
                index,
                generation: held.as_ref()?.generation,
            })
        })
    }

    /// The completion that an event says, if it is that of a request in flight.
    pub(crate) fn finish(&mut self, event: &sys::io_event) -> Option<Completion> {
        let base = self.iocbs.as_ptr().addr();
        let offset = usize::try_from(event.obj).ok()?.checked_sub(base)?;
        if offset % size_of::<Iocb>() != 0 {
            return None;
        }
        let id = RequestId {
            context: self.context,
            index: u32::try_from(offset / size_of::<Iocb>()).ok()?,
            generation: event.data,
        };
        self.finish_id(id, event)
    }

    /// The same where it is known which.
    pub(crate) fn finish_id(&mut self, id: RequestId, event: &sys::io_event) -> Option<Completion> {
        self.find(id)?;
        let held = self.held[id.index as usize].take()?;
        // There is room: it was in the list before.
        self.free.push(id.index);
        let moved = completion::moved(held.parts.0, event);
        let result = completion::result(event.res);
        Some(Completion::new(id, held.parts, result, moved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Buffer;
    use std::{collections::VecDeque, fs::File};

    const NONE: Registered = Registered::NONE;

    fn event(address: usize, data: u64, res: i64) -> sys::io_event {
        sys::io_event {
            data,
            obj: address as u64,
            res,
            res2: 0,
        }
    }

    fn one_in_flight(file: &File) -> (Slots, usize, RequestId) {
        let mut slots = Slots::new(4);
        let mut queue =
            VecDeque::from([Request::read_at(file, Buffer::new(8), 0).with_user_data(9)]);
        let mut addresses = Vec::new();
        slots.stage(queue.iter(), &NONE, u64::MAX, &mut addresses);
        let id = slots.hold(queue.pop_front().unwrap()).unwrap();
        (slots, addresses[0], id)
    }

    #[test]
    fn a_request_comes_back_once_with_what_it_owns() {
        let file = File::open("/dev/null").unwrap();
        let (mut slots, address, id) = one_in_flight(&file);
        assert_eq!((slots.in_flight(), slots.room()), (1, 3));
        assert_eq!(slots.find(id), Some(address));
        let event = event(address, id.generation, 5);
        let completion = slots.finish(&event).unwrap();
        assert_eq!((completion.id, completion.user_data), (id, 9));
        assert_eq!(completion.result.unwrap(), 5);
        assert_eq!(completion.buffer.unwrap().len(), 8);
        assert!(slots.finish(&event).is_none());
        assert_eq!(slots.find(id), None);
        assert_eq!(slots.in_flight(), 0);
    }

    #[test]
    fn an_event_of_no_request_takes_nothing() {
        let file = File::open("/dev/null").unwrap();
        let (mut slots, address, id) = one_in_flight(&file);
        for (obj, data) in [
            (address, id.generation + 1),
            (address + 64, id.generation),
            (address + 1, id.generation),
            (address.wrapping_sub(64), id.generation),
            (address + 64 * 4, id.generation),
            (0, id.generation),
            (usize::MAX, id.generation),
        ] {
            assert!(slots.finish(&event(obj, data, 0)).is_none());
        }
        assert_eq!(slots.in_flight(), 1);
    }

    #[test]
    fn an_old_name_is_not_the_next_request() {
        let (file, mut addresses) = (File::open("/dev/null").unwrap(), Vec::new());
        let (mut slots, _, old) = one_in_flight(&file);
        slots.finish_id(old, &event(0, 0, 0)).unwrap();
        slots.stage([Request::noop()].iter(), &NONE, u64::MAX, &mut addresses);
        let new = slots.hold(Request::noop()).unwrap();
        assert_eq!(new.index, old.index);
        assert_eq!(slots.find(old), None);
        assert!(slots.find(new).is_some());
        assert_eq!(slots.ids().collect::<Vec<_>>(), [new]);
        // Nor that of another context.
        let (other, _, _) = one_in_flight(&file);
        assert_eq!(other.find(new), None);
    }

    #[test]
    fn no_more_are_staged_than_there_is_room_for() {
        let (mut slots, mut addresses) = (Slots::new(2), Vec::new());
        let queue = [Request::noop(), Request::noop(), Request::noop()];
        slots.stage(queue.iter(), &NONE, u64::MAX, &mut addresses);
        assert_eq!(addresses.len(), 2);
        for request in queue {
            slots.hold(request);
        }
        assert_eq!((slots.in_flight(), slots.room()), (2, 0));
    }
}
