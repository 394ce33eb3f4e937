//! The few system calls that neither std nor rustix offers safely, each behind a safe function.
//!
//! Only the shim and the server that it is forked from use them, which have one thread from their
//! first to their last instruction; that is what makes forking and changing the environment sound.
//! Three are for the daemon: one gives memory back, one lets little be kept, one looks users up.
//! Besides the entry point of the binary no other file may use `unsafe`.

use std::ffi::{CStr, c_char, c_int};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::Pid;

use crate::process::to_pid;

/// A child that has ended and still stands in the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndedChild {
    pub(crate) pid: Pid,
    pub(crate) end: End,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Exited { code: i32 },
    Signaled { signal: i32 },
}

/// What all ended children used together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) max_rss_bytes: u64,
    pub(crate) user_cpu_micros: u64,
    pub(crate) system_cpu_micros: u64,
}

/// Signals that the shim acts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signals {
    /// SIGTERM: stop gracefully.
    pub(crate) stop: bool,
    /// SIGQUIT: stop at once.
    pub(crate) kill: bool,
}

fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// Has the kernel kill what is started when the thread that starts it ends.
#[expect(unsafe_code, reason = "what runs between fork and exec is unsafe by its nature")]
pub(crate) fn die_with_parent(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;

    let parent = rustix::process::getpid();
    let before_exec = move || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // The parent may have died before the kernel was told.
        if rustix::process::getppid() == Some(parent) {
            Ok(())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    };
    // SAFETY: it only makes system calls, and allocates nothing.
    unsafe { command.pre_exec(before_exec) };
}

/// `None` in the child.
#[expect(unsafe_code, reason = "no safe fork exists")]
pub(crate) fn fork() -> rustix::io::Result<Option<Pid>> {
    // SAFETY: the shim has one thread, so the child starts with consistent memory and no lock
    // held; it only makes system calls on data prepared before, then executes or ends.
    match unsafe { libc::fork() } {
        -1 => Err(last_errno()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// As [`fork`], but the child is one of this process' parent, as if that had forked.
#[expect(unsafe_code, reason = "the C library offers no fork with flags")]
pub(crate) fn fork_sibling() -> rustix::io::Result<Option<Pid>> {
    let flags = libc::CLONE_PARENT | libc::SIGCHLD;
    // SAFETY: as for `fork`. Without a stack and without shared memory the child goes on with a
    // copy of this one. The C library is not told, and goes on to believe that the child has the
    // thread number of its parent; it asks the kernel itself where that matters, when it aborts.
    match unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) } {
        -1 => Err(last_errno()),
        pid => Ok(i32::try_from(pid).ok().and_then(Pid::from_raw)),
    }
}

/// Executes a program found along the `PATH` of `environment`; returns only when that fails.
#[expect(unsafe_code, reason = "std's exec would allocate and touch signals in the forked child")]
pub(crate) fn execute(
    program: &CStr,
    arguments: &NullEnded<'_>,
    environment: &NullEnded<'_>,
) -> Errno {
    // The C library's own list of variables: `execvpe` would look for `PATH` in it all the same.
    unsafe extern "C" {
        static mut environ: *const *const c_char;
    }
    // SAFETY: all are C strings that outlive the call, and both lists end with a null pointer. This
    // process has one thread, which reads its variables nowhere else.
    unsafe {
        environ = environment.pointers.as_ptr();
        libc::execvp(program.as_ptr(), arguments.pointers.as_ptr());
    }
    last_errno()
}

/// Pointers to C strings, ended by a null pointer.
pub(crate) struct NullEnded<'a> {
    pointers: Vec<*const libc::c_char>,
    strings: std::marker::PhantomData<&'a CStr>,
}

impl<'a> NullEnded<'a> {
    pub(crate) fn new(strings: impl Iterator<Item = &'a CStr>) -> Self {
        let null = std::iter::once(std::ptr::null());
        let pointers = strings.map(CStr::as_ptr).chain(null).collect();
        Self { pointers, strings: std::marker::PhantomData }
    }
}

/// Ends a forked child without running anything of the parent's.
#[expect(unsafe_code, reason = "std's exit would run the parent's exit handlers")]
pub(crate) fn exit_now(code: c_int) -> ! {
    // SAFETY: always sound; it ends the process.
    unsafe { libc::_exit(code) }
}

/// Closes the child's copy of a descriptor that the parent goes on to own.
#[expect(unsafe_code, reason = "the owner is a variable of the parent, copied by fork")]
pub(crate) fn close_in_child(fd: BorrowedFd<'_>) {
    // SAFETY: called only in the forked child, which never returns to the owner of the
    // descriptor and never uses it again.
    unsafe { libc::close(fd.as_raw_fd()) };
}

/// Makes `target` (0, 1 or 2) a copy of the descriptor, without close-on-exec.
#[expect(unsafe_code, reason = "the standard descriptors have no owner to pass to rustix")]
pub(crate) fn duplicate_onto(fd: BorrowedFd<'_>, target: c_int) -> rustix::io::Result<()> {
    // SAFETY: the source is open; the standard descriptors are owned by nobody in this process.
    if unsafe { libc::dup2(fd.as_raw_fd(), target) } == -1 { Err(last_errno()) } else { Ok(()) }
}

/// Marks every descriptor above standard error to be closed by the next exec.
#[expect(unsafe_code, reason = "neither std nor rustix has close_range")]
pub(crate) fn close_others_on_exec() -> rustix::io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: sets flags only; nothing is closed here. The raw call, since older C libraries do
    // not have the function.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, flags) };
    if result == -1 { Err(last_errno()) } else { Ok(()) }
}

/// Forbids this process and all its descendants to gain privileges by executing.
#[expect(unsafe_code, reason = "rustix has it only in a feature that is not on")]
pub(crate) fn forbid_new_privileges() -> rustix::io::Result<()> {
    // SAFETY: passes numbers only.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if result == -1 { Err(last_errno()) } else { Ok(()) }
}

/// Takes every signal out of its default way and returns the descriptor on which SIGTERM, SIGQUIT
/// and SIGCHLD arrive. All others, except those of a crash, are held back for good.
#[expect(unsafe_code, reason = "signal masks and signalfd are offered by libc only")]
pub(crate) fn take_signals() -> rustix::io::Result<OwnedFd> {
    let crashes =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT, libc::SIGTRAP];
    let default = [0_u64; 8];
    // SAFETY: sigset_t is plain data that sigfillset and sigemptyset initialise. Zeros are the
    // default action in the kernel's own form, which is shorter than 64 bytes; the C library's
    // function would leave out the two signals that it keeps for itself. The descriptor is new
    // and owned by nobody else.
    unsafe {
        // An ignored SIGCHLD would reap the task behind the shim's back, and ignored signals
        // would be inherited by the task.
        for signal in 1..=64_i32 {
            let old = std::ptr::null_mut::<u64>();
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), old, 8_usize);
        }
        let mut blocked: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut blocked);
        for crash in crashes {
            libc::sigdelset(&raw mut blocked, crash);
        }
        if libc::sigprocmask(libc::SIG_SETMASK, &raw const blocked, std::ptr::null_mut()) == -1 {
            return Err(last_errno());
        }
        let mut wanted: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut wanted);
        for signal in [libc::SIGTERM, libc::SIGQUIT, libc::SIGCHLD] {
            libc::sigaddset(&raw mut wanted, signal);
        }
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        match libc::signalfd(-1, &raw const wanted, flags) {
            -1 => Err(last_errno()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

/// Lets all signals through again, for the child that is about to execute.
#[expect(unsafe_code, reason = "signal masks are offered by libc only")]
pub(crate) fn unblock_signals() -> rustix::io::Result<()> {
    // SAFETY: sigset_t is plain data that sigemptyset initialises.
    let result = unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut())
    };
    if result == -1 { Err(last_errno()) } else { Ok(()) }
}

/// Takes all waiting signals off their descriptor.
pub(crate) fn read_signals(fd: &OwnedFd) -> rustix::io::Result<Signals> {
    // The number of the signal is the first field of each record.
    const RECORD: usize = size_of::<libc::signalfd_siginfo>();
    let mut signals = Signals::default();
    let mut buffer = [0; RECORD * 4];
    loop {
        match rustix::io::read(fd, &mut buffer) {
            Ok(0) | Err(Errno::AGAIN) => return Ok(signals),
            Ok(count) => {
                for record in buffer[..count].chunks_exact(RECORD) {
                    let number = i32::from_ne_bytes([record[0], record[1], record[2], record[3]]);
                    signals.stop |= number == libc::SIGTERM;
                    signals.kill |= number == libc::SIGQUIT;
                }
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// A child that has ended, left in the process table so that its number stays taken.
///
/// # Errors
/// `CHILD` when there are no children at all.
#[expect(unsafe_code, reason = "rustix does not tell which child has ended")]
pub(crate) fn peek_ended_child() -> rustix::io::Result<Option<EndedChild>> {
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: siginfo_t is plain data, zero where the call leaves it; its fields are read only
    // when the call says that it describes an ended child.
    let (pid, code, status) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        if libc::waitid(libc::P_ALL, 0, &raw mut info, options) == -1 {
            return Err(last_errno());
        }
        (info.si_pid(), info.si_code, info.si_status())
    };
    let Some(pid) = u32::try_from(pid).ok().and_then(to_pid) else { return Ok(None) };
    let end = if code == libc::CLD_EXITED {
        End::Exited { code: status }
    } else {
        End::Signaled { signal: status }
    };
    Ok(Some(EndedChild { pid, end }))
}

/// What the children that were reaped have used.
#[expect(unsafe_code, reason = "neither std nor rustix has getrusage")]
pub(crate) fn children_usage() -> Usage {
    // SAFETY: rusage is plain data and the call fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let micros = |time: libc::timeval| {
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        seconds * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
    };
    Usage {
        max_rss_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
        user_cpu_micros: micros(usage.ru_utime),
        system_cpu_micros: micros(usage.ru_stime),
    }
}

/// Large blocks go back to the system as soon as they are freed, and few threads keep memory of
/// their own: else what was needed for a moment stays. Before any thread is started.
#[expect(unsafe_code, reason = "no safe call of the allocator exists")]
pub(crate) fn keep_little_memory() {
    // SAFETY: takes numbers only, and no other thread allocates yet.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
        libc::mallopt(libc::M_ARENA_MAX, ARENAS_MAX);
    };
}

/// A block of so many bytes is one that is given back by itself.
#[cfg(target_env = "gnu")]
const LARGE_BLOCK_BYTES: c_int = 256 << 10;
#[cfg(target_env = "gnu")]
const ARENAS_MAX: c_int = 2;

/// Gives freed memory back to the system, as far as the allocator can do that.
#[expect(unsafe_code, reason = "no safe call of the allocator exists")]
pub(crate) fn return_free_memory() {
    // SAFETY: takes no pointer and gives none; the allocator locks what it looks at.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Most groups of a user that are taken over.
const GROUPS_MAX: c_int = 65_536;

/// A user as the host's database has it.
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) name: String,
    pub(crate) home: String,
}

/// Looks a user up in the host's database; `None` when there is none of that name.
#[expect(unsafe_code, reason = "the host's user database is offered by libc only")]
pub(crate) fn find_user(name: &str) -> io::Result<Option<Account>> {
    let name = std::ffi::CString::new(name)?;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        // SAFETY: passwd is plain data that the call fills with pointers into the buffer, which
        // lives as long; they are read only when the call says that it found the user.
        let found = unsafe {
            let mut entry: libc::passwd = std::mem::zeroed();
            let mut result = std::ptr::null_mut();
            let length = buffer.len();
            let errno = libc::getpwnam_r(
                name.as_ptr(),
                &raw mut entry,
                buffer.as_mut_ptr(),
                length,
                &raw mut result,
            );
            if errno == libc::ERANGE && length < 1 << 20 {
                buffer.resize(length * 4, 0);
                continue;
            }
            // What a database says of a name that it does not have differs.
            if matches!(errno, libc::ENOENT | libc::ESRCH) || (errno == 0 && result.is_null()) {
                return Ok(None);
            }
            if errno != 0 {
                return Err(io::Error::from_raw_os_error(errno));
            }
            let text = |pointer| CStr::from_ptr(pointer).to_string_lossy().into_owned();
            let (name, home) = (text(entry.pw_name), text(entry.pw_dir));
            Account { uid: entry.pw_uid, gid: entry.pw_gid, name, home }
        };
        return Ok(Some(found));
    }
}

/// All groups of a user, `gid` among them.
#[expect(unsafe_code, reason = "the host's user database is offered by libc only")]
pub(crate) fn groups_of(name: &str, gid: u32) -> io::Result<Vec<u32>> {
    let name = std::ffi::CString::new(name)?;
    let mut count: c_int = 64;
    loop {
        let mut groups = vec![0; usize::try_from(count).unwrap_or(0)];
        // SAFETY: the list has room for `count` groups, which is what the call is told.
        let result =
            unsafe { libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &raw mut count) };
        if result >= 0 {
            groups.truncate(usize::try_from(count).unwrap_or(0));
            return Ok(groups);
        }
        if count > GROUPS_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        count = count.max(i32::try_from(groups.len()).unwrap_or(GROUPS_MAX).saturating_mul(2));
    }
}

/// Becomes another user for good. The groups first: afterwards it may not any more.
#[expect(unsafe_code, reason = "std's and rustix's calls change one thread or are not on")]
pub(crate) fn become_user(uid: u32, gid: u32, groups: &[u32]) -> rustix::io::Result<()> {
    // SAFETY: the list of groups is read as long as it is. The raw calls, since this process has
    // one thread and the C library's would signal others.
    let failed = unsafe {
        libc::setgroups(groups.len(), groups.as_ptr()) == -1
            || libc::syscall(libc::SYS_setresgid, gid, gid, gid) == -1
            || libc::syscall(libc::SYS_setresuid, uid, uid, uid) == -1
    };
    if failed { Err(last_errno()) } else { Ok(()) }
}
