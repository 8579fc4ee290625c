// SPDX-License-Identifier: MIT OR Apache-2.0

use super::submit;
use crate::{
    common::{sysctl, temp_file},
    need_device,
};
use raio::{Buffer, Context, ErrorKind, Limit, Request};

fn is_root() -> bool {
    // SAFETY: It only says a number.
    unsafe { libc::geteuid() == 0 }
}

/// Does it in a child, as nobody, who has no capabilities.
fn as_nobody(test: impl FnOnce() -> bool) {
    // SAFETY: Tests run one after the other on a device, and the allocator is usable
    // in a child.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        // SAFETY: Changes the child only.
        let changed = unsafe { libc::setgid(65534) == 0 && libc::setuid(65534) == 0 };
        let passed = changed
            && std::panic::catch_unwind(std::panic::AssertUnwindSafe(test)).unwrap_or(false);
        // SAFETY: The child is not to run anything else.
        unsafe { libc::_exit(i32::from(!passed)) };
    }
    let mut status = -1;
    // SAFETY: `status` is there to be written.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert_eq!(status, 0);
}

#[test]
fn too_many_events_are_told_with_the_limit() {
    need_device!();
    let max = Context::new(1).unwrap().info().unwrap().max_events;
    let error = Context::new(max + 1).unwrap_err();
    assert_eq!(
        error.limit(),
        Some(Limit::Events {
            wanted: max + 1,
            max
        })
    );
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    let error = Context::new(0).unwrap_err();
    assert_eq!(
        (error.kind(), error.call()),
        (ErrorKind::Os, "RAIO_IOC_SETUP")
    );
}

#[test]
fn the_system_s_limit_is_told_with_its_numbers() {
    need_device!();
    let max = sysctl("raio-max-nr");
    let _context = Context::new(10).unwrap();
    let wanted = u32::try_from(max).unwrap() - 5;
    let error = Context::new(wanted).unwrap_err();
    let Some(Limit::System { used, .. }) = error.limit() else {
        panic!("{error}");
    };
    assert_eq!(used, sysctl("raio-nr"));
    let text = error.to_string();
    assert!(text.starts_with("RAIO_IOC_SETUP: ") && text.contains("fs.raio-max-nr"));
    assert!(text.contains(&max.to_string()), "{text}");
}

#[test]
fn the_limits_of_a_user_are_told_with_their_numbers() {
    need_device!();
    if !is_root() {
        return;
    }
    let device = std::fs::metadata("/dev/raio").unwrap().permissions();
    let mode = |mode| {
        use std::os::unix::fs::PermissionsExt;
        let mut permissions = device.clone();
        permissions.set_mode(mode);
        std::fs::set_permissions("/dev/raio", permissions).unwrap();
    };
    mode(0o600);
    as_nobody(|| {
        let error = Context::new(1).unwrap_err();
        error.kind() == ErrorKind::PermissionDenied && error.to_string().contains("udev")
    });
    mode(0o666);
    let max = sysctl("raio-max-user-nr");
    as_nobody(|| {
        let events = max as u32 + 1;
        // Of 32 bytes each, in whole pages, but for the header and an empty one.
        let limit = Limit::User {
            wanted: (events + 3).next_multiple_of(128) - 2,
            used: 0,
            max,
        };
        Context::new(events).unwrap_err().limit() == Some(limit)
    });
    as_nobody(|| {
        let limit = libc::rlimit {
            rlim_cur: 8192,
            rlim_max: 8192,
        };
        // SAFETY: It is a limit.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit) }, 0);
        let mut one_page = Context::new(1).unwrap();
        let limit = Limit::Memlock {
            wanted: 8192,
            used: 4096,
            max: 8192,
        };
        Context::new(200).unwrap_err().limit() == Some(limit)
            && one_page
                .register_buffers(&mut [Buffer::new(4097)])
                .unwrap_err()
                .limit()
                == Some(limit)
            && one_page.register_buffers(&mut [Buffer::new(4096)]).is_ok()
    });
    std::fs::set_permissions("/dev/raio", device).unwrap();
}

#[test]
fn too_many_buffers_are_told_with_the_limit() {
    need_device!();
    let (mut context, file) = (Context::new(2).unwrap(), temp_file());
    let buffers = |nr| (0..nr).map(|_| Buffer::from(vec![1])).collect::<Vec<_>>();
    let max = Request::MAX_SEGMENTS;
    let request = Request::write_vectored_at(&file, buffers(max + 1), 0);
    let (request, error) = context.submit_one(request).unwrap_err().into_parts();
    let wanted = max + 1;
    assert_eq!(error.limit(), Some(Limit::Segments { wanted, max }));
    assert_eq!(request.into_buffers().len(), max + 1);
    submit(
        &mut context,
        Request::write_vectored_at(&file, buffers(max), 0),
    );
}

#[test]
fn another_device_is_not_taken_for_it() {
    need_device!();
    let error = Context::with_device("/dev/null", 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
