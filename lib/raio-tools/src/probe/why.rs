// SPDX-License-Identifier: MIT OR Apache-2.0

//! Why a request went its way: from what the file says of itself, and the way.

use super::{
    facts::{Facts, Nowait},
    measure::Way,
};

/// What is asked of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A read of data that are there.
    Read,
    /// A read of data that are not: not in the page cache, or not written yet.
    ReadAbsent,
    /// A write.
    Write,
    /// An fsync.
    Sync,
    /// A read or write past the page cache.
    Direct,
}

/// The reason.
pub fn why(ask: Ask, way: Way, facts: &Facts) -> String {
    let kind = &facts.kind;
    let (tried, what) = match ask {
        Ask::Write => (facts.write_nowait, "writes"),
        _ => (facts.read_nowait, "reads"),
    };
    let in_memory = matches!(kind.as_str(), "tmpfs" | "ramfs" | "memfd (tmpfs)");
    match (way, ask) {
        (Way::AtOnce, Ask::Sync) if in_memory => format!("{kind} has nothing to be made durable"),
        (Way::AtOnce, Ask::Sync) => "submit ran it, until it was done".into(),
        (Way::AtOnce | Way::AtOnceOrInFlight, _) if in_memory => format!("{kind}: all of it is in memory"),
        (Way::AtOnce, _) if kind == "/dev/zero" => format!("{kind} never waits"),
        (Way::AtOnce, Ask::Write) if honours(tried) => {
            format!("{kind} honours RWF_NOWAIT for writes, and there was room")
        }
        (Way::AtOnce, _) if honours(tried) => {
            format!("{kind} honours RWF_NOWAIT for reads, and the data were there")
        }
        (Way::AtOnce, Ask::ReadAbsent) => {
            format!("submit ran it; the data were there after all, or {kind} lets nobody else read them")
        }
        (Way::AtOnce, _) => format!(
            "submit ran it as it is (RWF_NOWAIT for {what}: {}): {kind} does not wait, or raio lets no thread run it",
            tried.text()
        ),
        (Way::Armed, _) => format!(
            "RWF_NOWAIT: {}; {kind} can be polled, and its wait queue wakes the request",
            Nowait::Again.text()
        ),
        (Way::InFlight, _) => "O_DIRECT: the driver has it, and its completion ends it".into(),
        (Way::AtOnceOrInFlight, _) => {
            "O_DIRECT: the driver was done, or submit, before one could look".into()
        }
        (Way::Thread, Ask::Sync) => "an fsync may wait, and can't be told not to (RWF_NOWAIT is for reads and writes)".into(),
        (Way::Thread | Way::ThreadArmed, Ask::Direct) => {
            "O_DIRECT: it had to wait before the driver could have it: for blocks, locks or metadata".into()
        }
        (Way::Thread | Way::ThreadArmed, _) if refuses(tried) => format!(
            "{kind} refuses {what} that are not to wait (RWF_NOWAIT: {})",
            tried.text()
        ),
        (Way::Thread, Ask::Write) => {
            format!("RWF_NOWAIT: EAGAIN; {kind} had to wait for blocks, memory or locks")
        }
        (Way::Thread, _) => {
            "RWF_NOWAIT: EAGAIN; the data were not in the page cache, and a thread waits for them".into()
        }
        (Way::ThreadArmed, _) => {
            "RWF_NOWAIT: EAGAIN; a thread began to read, and the page wakes the request".into()
        }
    }
}

fn honours(tried: Nowait) -> bool {
    matches!(tried, Nowait::Done | Nowait::Again)
}

fn refuses(tried: Nowait) -> bool {
    matches!(tried, Nowait::Refused(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    fn facts(kind: &str, nowait: Nowait) -> Facts {
        Facts {
            kind: kind.into(),
            magic: None,
            read_nowait: Nowait::Done,
            write_nowait: nowait,
            can_poll: false,
        }
    }

    #[test]
    fn who_refuses_is_named_with_the_error() {
        let ext4 = facts("ext4", Nowait::Refused(Errno::OPNOTSUPP));
        let text = why(Ask::Write, Way::Thread, &ext4);
        assert!(
            text.contains("ext4 refuses writes") && text.contains("EOPNOTSUPP"),
            "{text}"
        );
        let xfs = facts("xfs", Nowait::Again);
        let text = why(Ask::Write, Way::Thread, &xfs);
        assert!(
            text.contains("EAGAIN") && !text.contains("refuses"),
            "{text}"
        );
    }

    #[test]
    fn what_is_in_memory_needs_no_other_reason() {
        let tmpfs = facts("tmpfs", Nowait::Refused(Errno::OPNOTSUPP));
        assert_eq!(
            why(Ask::Write, Way::AtOnce, &tmpfs),
            "tmpfs: all of it is in memory"
        );
    }

    #[test]
    fn reads_and_writes_are_told_apart() {
        let ext4 = facts("ext4", Nowait::Refused(Errno::OPNOTSUPP));
        let text = why(Ask::Read, Way::AtOnce, &ext4);
        assert!(text.contains("honours RWF_NOWAIT for reads"), "{text}");
    }
}
