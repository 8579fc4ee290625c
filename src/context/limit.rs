// SPDX-License-Identifier: GPL-2.0

//! The limits on requests, for the system and for each user.
//!
//! `fs.raio-nr` is the sum of the requests that contexts can have in flight, and is at most
//! `fs.raio-max-nr`. A context can have somewhat more of them than the `nr_events` that it was asked
//! for. The part of one user is at most `fs.raio-max-user-nr`, unless the task that sets a context up
//! has CAP_SYS_RESOURCE. A context gives back its share to the users that were charged.
//!
//! A context is charged to its real user, and to the owners of the user namespace that it was set up in
//! and of those above: otherwise a user could have a share for each of their subordinate ids.
//!
//! Lock: `Users::accounts` (mutex), with nothing inside.

use crate::sys::{
    capability,
    cred,
    mm,
    printk,
    sysctl::{
        Entry,
        Sysctls, //
    },
    user_namespace, //
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

/// The sum of the capacities of contexts: `fs.raio-nr`.
static NR: Atomic<usize> = Atomic::new(0);
/// The limit of [`NR`]: `fs.raio-max-nr`.
static MAX_NR: Atomic<usize> = Atomic::new(LEAST_MAX_NR);
/// The limit of one user's part of [`NR`]: `fs.raio-max-user-nr`.
static MAX_USER_NR: Atomic<usize> = Atomic::new(LEAST_MAX_NR / 2);

/// Memory of the machine for each request that is allowed. A request takes up to 512 bytes, its slot in
/// the ring 32, and its places in tables 12. So all requests together take at most 3.4% of the memory.
const MEMORY_PER_REQUEST: usize = 16 << 10;
/// Twice the `fs.aio-max-nr` of native aio: a ring for as many requests has a few slots more.
const LEAST_MAX_NR: usize = 1 << 17;
/// The limit on a machine with 256 GiB. An administrator who needs more can set it.
const MOST_MAX_NR: usize = 1 << 24;

/// The default of `fs.raio-max-nr` on a machine with `memory` bytes.
fn default_max_nr(memory: usize) -> usize {
    (memory / MEMORY_PER_REQUEST).clamp(LEAST_MAX_NR, MOST_MAX_NR)
}

/// Sets the defaults and registers the sysctls.
pub(crate) fn sysctls() -> Result<Sysctls> {
    let max = default_max_nr(mm::total_ram());
    MAX_NR.store(max, Relaxed);
    // So one user alone can't lock out all others.
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

/// The counts and limits for the current task.
pub(crate) struct Now {
    /// `fs.raio-nr`.
    pub(crate) nr: usize,
    /// `fs.raio-max-nr`.
    pub(crate) max_nr: usize,
    /// The part of `fs.raio-nr` that is charged to the current user, or to an owner of their namespaces
    /// if that is more.
    pub(crate) user_nr: usize,
    /// `fs.raio-max-user-nr`.
    pub(crate) max_user_nr: usize,
}

/// The sum of `nr` and `n`, if it is at most `max`.
fn sum_within(nr: usize, n: usize, max: usize) -> Option<usize> {
    nr.checked_add(n).filter(|&sum| sum <= max)
}

/// What each user is charged, by the kernel's uid. Users who are charged nothing have no entry.
struct Accounts(RBTree<u32, usize>);

impl Accounts {
    fn nr(&self, user: u32) -> usize {
        self.0.get(&user).copied().unwrap_or(0)
    }

    /// Fails with ENOMEM.
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

    /// Whether each of `users` may be charged `n` more, with `max` as the limit of one.
    fn allow(&self, users: &[u32], n: usize, max: usize) -> bool {
        let within = |&user| sum_within(self.nr(user), n, max).is_some();
        users.iter().all(within)
    }

    /// Charges `n` to each of `users`, or to none. Fails with ENOMEM.
    fn add(&mut self, users: &[u32], n: usize) -> Result {
        for (i, &user) in users.iter().enumerate() {
            let sum = self.nr(user).checked_add(n).ok_or(ENOMEM);
            if let Err(e) = sum.and_then(|sum| self.set(user, sum)) {
                self.subtract(users.get(..i).unwrap_or_default(), n);
                return Err(e);
            }
        }
        Ok(())
    }

    fn subtract(&mut self, users: &[u32], n: usize) {
        for &user in users {
            let nr = self.nr(user).saturating_sub(n);
            // The account exists, so `set` needs no memory.
            let _ = self.set(user, nr);
        }
    }
}

/// The users' accounts.
#[pin_data]
pub(crate) struct Users {
    #[pin]
    accounts: Mutex<Accounts>,
}

impl Users {
    /// Accounts without any charge.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Users {
                accounts <- new_mutex!(Accounts(RBTree::new()), "Users::accounts"),
            }),
            GFP_KERNEL,
        )
    }

    /// The counts and limits for the current task. Process context.
    pub(crate) fn now(&self) -> Now {
        let cred = cred::current();
        let owners = user_namespace::owners(&cred);
        let accounts = self.accounts.lock();
        let most = owners.map(|user| accounts.nr(user)).max().unwrap_or(0);
        Now {
            nr: NR.load(Relaxed),
            max_nr: MAX_NR.load(Relaxed),
            user_nr: most.max(accounts.nr(current_user())),
            max_user_nr: MAX_USER_NR.load(Relaxed),
        }
    }

    /// Charges `n` to each of `users`, and returns the largest of their charges before. EAGAIN beyond
    /// the limit of one user, ENOMEM.
    fn take(&self, users: &[u32], n: usize) -> Result<usize> {
        let max = MAX_USER_NR.load(Relaxed);
        let mut accounts = self.accounts.lock();
        // The capability is checked only if it makes a difference.
        if accounts.allow(users, n, max) || capability::has_sys_resource() {
            let before = users.iter().map(|&user| accounts.nr(user)).max();
            return accounts.add(users, n).map(|()| before.unwrap_or(0));
        }
        drop(accounts);
        printk::notice_max_user_nr(max);
        Err(EAGAIN)
    }

    fn give_back(&self, users: &[u32], n: usize) {
        self.accounts.lock().subtract(users, n);
    }
}

/// The real user of the current task.
fn current_user() -> u32 {
    current!().uid().into_raw().val
}

/// A list of `first` and then `users`, each once. Fails with ENOMEM.
fn once_each(first: u32, users: impl Iterator<Item = u32>) -> Result<KVec<u32>> {
    let mut list = KVec::with_capacity(1, GFP_KERNEL_ACCOUNT)?;
    list.push(first, GFP_KERNEL_ACCOUNT)?;
    for user in users {
        // The list is short: namespaces are nested 33 times at most.
        if !list.contains(&user) {
            list.push(user, GFP_KERNEL_ACCOUNT)?;
        }
    }
    Ok(list)
}

/// The users that are charged for what the current task sets up. Fails with ENOMEM.
fn charged_users() -> Result<KVec<u32>> {
    let cred = cred::current();
    once_each(current_user(), user_namespace::owners(&cred))
}

/// A part of `fs.raio-nr`. Given back on drop.
struct SystemShare(usize);

impl SystemShare {
    /// Fails with EAGAIN beyond the limit.
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

/// The share of a context. Given back on drop.
pub(crate) struct Share {
    system: SystemShare,
    users: Arc<Users>,
    charged: KVec<u32>,
}

impl Share {
    /// Takes a share of `n` requests for the current user, and returns what the user had before.
    ///
    /// EAGAIN beyond a limit, which the kernel log names; ENOMEM. Process context.
    pub(crate) fn take(users: &Arc<Users>, n: u32) -> Result<(Self, usize)> {
        let charged = charged_users()?;
        let system = SystemShare::take(n as usize)?;
        let before = users.take(&charged, system.0)?;
        let share = Share {
            system,
            users: users.clone(),
            charged,
        };
        Ok((share, before))
    }
}

impl Drop for Share {
    /// Process context.
    fn drop(&mut self) {
        self.users.give_back(&self.charged, self.system.0);
    }
}

#[cfg(CONFIG_KUNIT = "y")]
#[kernel::macros::kunit_tests(raio_limit)]
mod tests {
    use super::*;

    #[test]
    fn the_default_grows_with_memory() {
        assert_eq!(default_max_nr(0), 131_072);
        assert_eq!(default_max_nr(1 << 30), 131_072);
        assert_eq!(default_max_nr(4 << 30), 262_144);
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
    #[test]
    fn each_user_is_charged_once() {
        let users = |first, others: &[u32]| once_each(first, others.iter().copied());
        assert!(users(1, &[]).is_ok_and(|list| *list == [1]));
        assert!(users(7, &[5, 1]).is_ok_and(|list| *list == [7, 5, 1]));
        assert!(users(1, &[1, 5, 1, 5]).is_ok_and(|list| *list == [1, 5]));
    }

    #[test]
    fn all_must_be_within_the_limit() {
        let mut accounts = Accounts(RBTree::new());
        assert_eq!(accounts.add(&[1, 5], 6), Ok(()));
        assert!(accounts.allow(&[2, 5], 2, 8));
        assert!(!accounts.allow(&[2, 5], 3, 8));
        assert!(!accounts.allow(&[5, 2], 3, 8));
        assert!(accounts.allow(&[2], 3, 8));
        assert!(!accounts.allow(&[1], usize::MAX, usize::MAX));
    }

    #[test]
    fn what_cannot_be_added_to_one_is_added_to_none() {
        let mut accounts = Accounts(RBTree::new());
        assert_eq!(accounts.set(2, usize::MAX), Ok(()));
        assert_eq!(accounts.add(&[1, 2, 3], 1), Err(ENOMEM));
        assert_eq!((accounts.nr(1), accounts.nr(3)), (0, 0));
    }

    #[test]
    fn all_of_them_get_it_back() {
        let mut accounts = Accounts(RBTree::new());
        assert_eq!(accounts.add(&[1, 5], 6), Ok(()));
        assert_eq!(accounts.add(&[2, 5], 1), Ok(()));
        accounts.subtract(&[1, 5], 6);
        assert_eq!((accounts.nr(1), accounts.nr(2), accounts.nr(5)), (0, 1, 1));
        accounts.subtract(&[2, 5], 1);
        assert!(accounts.0.is_empty());
    }
}
