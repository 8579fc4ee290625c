// SPDX-License-Identifier: GPL-2.0

//! The limits on requests, of the system and of each user.
//!
//! The sum of the requests that contexts can have in flight, which is somewhat more than the
//! `nr_events` that they were asked for, is `fs.raio-nr`, and at most `fs.raio-max-nr`. What contexts
//! of one real user have of it is at most `fs.raio-max-user-nr`, if that user was not privileged at
//! setup. Both are given back to whom they were taken from.

use crate::sys::{
    capability,
    mm,
    printk,
    sysctl::{
        Entry,
        Sysctls, //
    }, //
};
use kernel::{
    current,
    new_mutex,
    prelude::*,
    rbtree::RBTree,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        Arc,
        Mutex, //
    }, //
};

/// Sum of the capacities of contexts.
static NR: Atomic<usize> = Atomic::new(0);
/// Its limit.
static MAX_NR: Atomic<usize> = Atomic::new(LEAST_MAX_NR);
/// The limit of a user's part of it.
static MAX_USER_NR: Atomic<usize> = Atomic::new(LEAST_MAX_NR / 2);

/// Memory of the machine for each request that is allowed. A request takes up to 512 bytes and its
/// slot of the ring 32, so that all of them take 3.3% of the memory at most.
const MEMORY_PER_REQUEST: usize = 16 << 10;
/// As native aio's `fs.aio-max-nr` on every machine.
const LEAST_MAX_NR: usize = 1 << 16;
/// That of a machine with 256 GiB: what needs more is known to who runs it.
const MOST_MAX_NR: usize = 1 << 24;

/// The default of `fs.raio-max-nr` on a machine with `memory` bytes.
fn default_max_nr(memory: usize) -> usize {
    (memory / MEMORY_PER_REQUEST).clamp(LEAST_MAX_NR, MOST_MAX_NR)
}

/// Sets the defaults, and registers the sysctls.
pub(crate) fn sysctls() -> Result<Sysctls> {
    let max = default_max_nr(mm::total_ram());
    MAX_NR.store(max, Relaxed);
    // One user alone can't shut out all others.
    MAX_USER_NR.store(max / 2, Relaxed);
    Sysctls::register(
        c"fs",
        &[
            Entry {
                name: c"raio-nr",
                value: &NR,
                mode: 0o444,
            },
            Entry {
                name: c"raio-max-nr",
                value: &MAX_NR,
                mode: 0o644,
            },
            Entry {
                name: c"raio-max-user-nr",
                value: &MAX_USER_NR,
                mode: 0o644,
            },
        ],
    )
}

/// The counts and limits that hold for the current task.
pub(crate) struct Now {
    /// `fs.raio-nr`.
    pub(crate) nr: usize,
    /// `fs.raio-max-nr`.
    pub(crate) max_nr: usize,
    /// What the current user has of `fs.raio-nr`.
    pub(crate) user_nr: usize,
    /// `fs.raio-max-user-nr`.
    pub(crate) max_user_nr: usize,
}

/// What `nr` and another `n` make, if that is within `max`.
fn sum_within(nr: usize, n: usize, max: usize) -> Option<usize> {
    nr.checked_add(n).filter(|&sum| sum <= max)
}

/// The same if `exempt` says that there is no limit.
fn sum_within_unless(
    nr: usize,
    n: usize,
    max: usize,
    exempt: impl FnOnce() -> bool,
) -> Option<usize> {
    sum_within(nr, n, max).or_else(|| nr.checked_add(n).filter(|_| exempt()))
}

/// What each user has, by the kernel's number of the user; those who have nothing are not there.
struct Accounts(RBTree<u32, usize>);

impl Accounts {
    fn nr(&self, user: u32) -> usize {
        self.0.get(&user).copied().unwrap_or(0)
    }

    /// ENOMEM.
    fn set(&mut self, user: u32, nr: usize) -> Result {
        if nr == 0 {
            self.0.remove(&user);
        } else if let Some(old) = self.0.get_mut(&user) {
            *old = nr;
        } else {
            self.0.try_create_and_insert(user, nr, GFP_KERNEL)?;
        }
        Ok(())
    }
}

/// The users' accounts.
#[pin_data]
pub(crate) struct Users {
    #[pin]
    accounts: Mutex<Accounts>,
}

impl Users {
    /// None has anything.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Users {
                accounts <- new_mutex!(Accounts(RBTree::new()), "Users::accounts"),
            }),
            GFP_KERNEL,
        )
    }

    /// Process context.
    pub(crate) fn now(&self) -> Now {
        Now {
            nr: NR.load(Relaxed),
            max_nr: MAX_NR.load(Relaxed),
            user_nr: self.accounts.lock().nr(current_user()),
            max_user_nr: MAX_USER_NR.load(Relaxed),
        }
    }

    /// Adds `n` to the account of `user`. EAGAIN beyond the limit, ENOMEM.
    fn take(&self, user: u32, n: usize) -> Result {
        let max = MAX_USER_NR.load(Relaxed);
        let mut accounts = self.accounts.lock();
        match sum_within_unless(accounts.nr(user), n, max, capability::has_sys_resource) {
            Some(sum) => accounts.set(user, sum),
            None => {
                drop(accounts);
                printk::notice_max_user_nr(max);
                Err(EAGAIN)
            }
        }
    }

    fn give_back(&self, user: u32, n: usize) {
        let mut accounts = self.accounts.lock();
        let nr = accounts.nr(user).saturating_sub(n);
        // The account is there: no memory is needed.
        let _ = accounts.set(user, nr);
    }
}

/// The real user of the current task.
fn current_user() -> u32 {
    current!().uid().into_raw().val
}

/// A part of `fs.raio-nr`, given back when this is dropped.
struct SystemShare(usize);

impl SystemShare {
    /// EAGAIN beyond the limit.
    fn take(n: usize) -> Result<Self> {
        let mut nr = NR.load(Relaxed);
        loop {
            let max = MAX_NR.load(Relaxed);
            let Some(sum) = sum_within(nr, n, max) else {
                printk::notice_max_nr(max);
                return Err(EAGAIN);
            };
            match NR.cmpxchg(nr, sum, Relaxed) {
                Ok(_) => return Ok(SystemShare(n)),
                Err(now) => nr = now,
            }
        }
    }
}

impl Drop for SystemShare {
    fn drop(&mut self) {
        NR.fetch_sub(self.0, Relaxed);
    }
}

/// A context's share, given back when this is dropped.
pub(crate) struct Share {
    system: SystemShare,
    users: Arc<Users>,
    user: u32,
}

impl Share {
    /// Takes a share for `n` requests of the current user.
    ///
    /// EAGAIN beyond a limit, and the kernel log says which; ENOMEM. Process context.
    pub(crate) fn take(users: &Arc<Users>, n: u32) -> Result<Self> {
        let user = current_user();
        let system = SystemShare::take(n as usize)?;
        users.take(user, system.0)?;
        Ok(Share {
            system,
            users: users.clone(),
            user,
        })
    }
}

impl Drop for Share {
    /// Process context.
    fn drop(&mut self) {
        self.users.give_back(self.user, self.system.0);
    }
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_limit)]
mod tests {
    use super::*;

    #[test]
    fn the_default_grows_with_memory() {
        assert_eq!(default_max_nr(0), 65_536);
        assert_eq!(default_max_nr(1 << 30), 65_536);
        assert_eq!(default_max_nr(2 << 30), 131_072);
        assert_eq!(default_max_nr(64 << 30), 4_194_304);
        assert_eq!(default_max_nr(256 << 30), 16_777_216);
        assert_eq!(default_max_nr(usize::MAX), 16_777_216);
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        assert_eq!(sum_within(0, 8, 8), Some(8));
        assert_eq!(sum_within(7, 1, 8), Some(8));
        assert_eq!(sum_within(8, 1, 8), None);
    }

    #[test]
    fn a_limit_below_what_is_there() {
        assert_eq!(sum_within(9, 1, 8), None);
    }

    #[test]
    fn sums_do_not_overflow() {
        assert_eq!(sum_within(usize::MAX, 1, usize::MAX), None);
    }

    #[test]
    fn an_exempt_user_is_not_bound() {
        assert_eq!(sum_within_unless(8, 1, 8, || true), Some(9));
        assert_eq!(sum_within_unless(8, 1, 8, || false), None);
        assert_eq!(sum_within_unless(usize::MAX, 1, 8, || true), None);
    }

    #[test]
    fn nobody_is_asked_within_the_limit() {
        assert_eq!(sum_within_unless(7, 1, 8, || unreachable!()), Some(8));
    }

    #[test]
    fn accounts_of_users_are_their_own() {
        let mut accounts = Accounts(RBTree::new());
        assert_eq!(accounts.set(1, 5), Ok(()));
        assert_eq!(accounts.set(2, 7), Ok(()));
        assert_eq!(accounts.set(1, 6), Ok(()));
        assert_eq!(accounts.nr(1), 6);
        assert_eq!(accounts.nr(2), 7);
        assert_eq!(accounts.nr(3), 0);
    }

    #[test]
    fn an_empty_account_goes() {
        let mut accounts = Accounts(RBTree::new());
        assert_eq!(accounts.set(1, 5), Ok(()));
        assert_eq!(accounts.set(1, 0), Ok(()));
        assert!(accounts.0.is_empty());
    }
}
