// SPDX-License-Identifier: GPL-2.0

//! One run: one engine, one workload, one queue depth.

use crate::{args::Args, cold, contexts, engine::Kind, files, streams, threads};
use std::io;

pub fn run(args: &Args) -> io::Result<()> {
    let kind = match args.op.as_str() {
        "noop" => Kind::Noop,
        "read" => Kind::Read,
        "write" => Kind::Write,
        "fsync" => Kind::Fsync,
        "cold" => return cold::run(args),
        "ping" | "poll" | "cancel" => return streams::run(args),
        "setup" => return contexts::setup(args),
        "memory" => return contexts::memory(args),
        other => return Err(io::Error::other(format!("no such operation: {other}"))),
    };
    if args.threads > 0 {
        threads::run(args, kind)
    } else {
        files::run(args, kind)
    }
}
