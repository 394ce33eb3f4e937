//! How an order to start a shim travels from the daemon to the fork server: words, and the pipe on
//! which the shim reports.
//!
//! A length (u32, little-endian), then each word with a zero byte behind it; the pipe comes along
//! as a descriptor. The answer is one number (i32, little-endian): that of the shim's process, or
//! the kernel's error number, negative. It must never carry half an order: who reads less than the
//! length runs nothing.

use std::ffi::{CString, OsStr, OsString};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, send, sendmsg,
};
use rustix::process::Pid;

/// Longest id of an attempt, bytes.
pub(crate) const ATTEMPT_BYTES_MAX: usize = 255;
/// Largest order, bytes: more than the kernel takes as arguments and environment of a program.
const ORDER_BYTES_MAX: usize = 8 << 20;
/// Room for an order that is kept for the next, bytes.
const ROOM: usize = 64 << 10;
/// Bytes of the length and of the answer.
const NUMBER: usize = 4;

/// An order as bytes.
#[derive(Debug)]
pub(crate) struct Order(Vec<u8>);

impl Order {
    /// # Errors
    /// `INVAL` for a word with a zero byte, which no program can be given; `TOOBIG` for more than
    /// any program can be.
    pub(crate) fn new(words: impl IntoIterator<Item = OsString>) -> Result<Self, Errno> {
        let mut bytes = vec![0; NUMBER];
        for word in words {
            let word = CString::new(word.into_vec()).map_err(|_| Errno::INVAL)?;
            bytes.extend_from_slice(word.as_bytes_with_nul());
        }
        let length = bytes.len() - NUMBER;
        match u32::try_from(length) {
            Ok(number) if length <= ORDER_BYTES_MAX => {
                bytes[..NUMBER].copy_from_slice(&number.to_le_bytes());
                Ok(Self(bytes))
            }
            _ => Err(Errno::TOOBIG),
        }
    }

    /// Sends it; with an error not all of it has gone, and so nothing comes of it.
    pub(crate) fn send(&self, socket: BorrowedFd<'_>, report: BorrowedFd<'_>) -> io::Result<()> {
        let descriptors = [report];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        let first = [IoSlice::new(&self.0)];
        let mut sent =
            retry_on_intr(|| sendmsg(socket, &first, &mut control, SendFlags::NOSIGNAL))?;
        while sent < self.0.len() {
            sent += retry_on_intr(|| send(socket, &self.0[sent..], SendFlags::NOSIGNAL))?;
        }
        Ok(())
    }
}

/// Reads the next order into `bytes`, for [`words`]; `None` when there will be no more. Gives the
/// pipe.
pub(crate) fn receive(socket: BorrowedFd<'_>, bytes: &mut Vec<u8>) -> io::Result<Option<OwnedFd>> {
    let mut length = [0; NUMBER];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = retry_on_intr(|| {
        let mut room = [IoSliceMut::new(&mut length)];
        recvmsg(socket, &mut room, &mut control, RecvFlags::CMSG_CLOEXEC | RecvFlags::WAITALL)
    })?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let length = u32::from_le_bytes(length) as usize;
    let Some(report) = descriptor.filter(|_| received.bytes == NUMBER && length <= ORDER_BYTES_MAX)
    else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    bytes.clear();
    bytes.shrink_to(ROOM);
    bytes.resize(length, 0);
    read_whole(socket, bytes)?;
    Ok(Some(report))
}

/// The words of an order.
pub(crate) fn words(bytes: &[u8]) -> impl Iterator<Item = &OsStr> {
    bytes.split_inclusive(|byte| *byte == 0).map(|word| OsStr::from_bytes(&word[..word.len() - 1]))
}

/// Says what came of an order.
pub(crate) fn answer(socket: BorrowedFd<'_>, forked: Result<Pid, Errno>) -> io::Result<()> {
    let number = match forked {
        Ok(pid) => pid.as_raw_nonzero().get(),
        Err(errno) => -errno.raw_os_error(),
    };
    let sent = retry_on_intr(|| send(socket, &number.to_le_bytes(), SendFlags::NOSIGNAL))?;
    if sent == NUMBER { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// What came of the order that was sent last.
pub(crate) fn read_answer(socket: BorrowedFd<'_>) -> io::Result<Result<Pid, Errno>> {
    let mut number = [0; NUMBER];
    read_whole(socket, &mut number)?;
    let number = i32::from_le_bytes(number);
    match Pid::from_raw(number.max(0)) {
        Some(pid) => Ok(Ok(pid)),
        None => Ok(Err(Errno::from_raw_os_error(number.saturating_neg()))),
    }
}

fn read_whole(socket: impl AsFd, mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match retry_on_intr(|| rustix::io::read(&socket, &mut *bytes))? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes = &mut bytes[count..],
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn an_order_comes_as_it_was_sent_with_its_pipe() {
        let (here, there) = UnixStream::pair().unwrap();
        let mut bytes = Vec::new();
        let large = "x".repeat(3 << 20);
        for sent in [words(&["--", "a b", "", "ü"]), words(&[&large]), words(&[])] {
            let (read_end, write_end) = rustix::pipe::pipe().unwrap();
            let order = Order::new(sent.clone()).unwrap();
            let report = std::thread::scope(|scope| {
                scope.spawn(|| order.send(here.as_fd(), write_end.as_fd()).unwrap());
                receive(there.as_fd(), &mut bytes).unwrap().unwrap()
            });
            assert!(super::words(&bytes).eq(&sent));
            rustix::io::write(&report, b"!").unwrap();
            assert_eq!(rustix::io::read(&read_end, &mut [0; 8]).unwrap(), 1);
        }
        drop(here);
        assert!(receive(there.as_fd(), &mut bytes).unwrap().is_none());
    }

    #[test]
    fn half_an_order_and_one_without_a_pipe_are_no_orders() {
        let (report, _end) = rustix::pipe::pipe().unwrap();
        for (bytes, descriptors) in [
            (&b"\x05\0\0\0abc"[..], &[report.as_fd()][..]),
            (b"\x05\0", &[report.as_fd()]),
            (b"\xff\xff\xff\xff", &[report.as_fd()]),
            (b"\x02\0\0\0a\0", &[]),
        ] {
            let (here, there) = UnixStream::pair().unwrap();
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !descriptors.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(descriptors));
            }
            sendmsg(&here, &[IoSlice::new(bytes)], &mut control, SendFlags::empty()).unwrap();
            drop(here);
            assert!(receive(there.as_fd(), &mut Vec::new()).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn what_no_program_can_be_given_is_refused_before_it_is_sent() {
        // A zero byte would end a word, and what follows would be another.
        assert_eq!(Order::new(words(&["a\0--user"])).unwrap_err(), Errno::INVAL);
        assert_eq!(Order::new(words(&[&"x".repeat(8 << 20)])).unwrap_err(), Errno::TOOBIG);
    }

    #[test]
    fn an_answer_is_a_process_or_why_there_is_none() {
        let (here, there) = UnixStream::pair().unwrap();
        for answered in [Ok(Pid::from_raw(4711).unwrap()), Err(Errno::AGAIN)] {
            answer(there.as_fd(), answered).unwrap();
            assert_eq!(read_answer(here.as_fd()).unwrap(), answered);
        }
        drop(there);
        assert_eq!(read_answer(here.as_fd()).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
