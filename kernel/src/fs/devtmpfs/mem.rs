//! `/dev/null`, `zero`, `full`, `random` and `urandom` (`null(4)`, `full(4)`, `random(4)`).

use super::MEM_MAJOR;
use crate::{
    fs::{
        DeviceId, File, FileOps, Inode, IoSink, IoSource, OpenFlags,
        inode::{DeviceDriver, register_char_device},
    },
    mm::{self, Frame, PageIndex, PageKind, PageSource, UserAddr, try_alloc, user},
    process::{Capability, capable},
    random,
    sync::{Mutex, class},
};
use abi::{Errno, Result};
use alloc::{collections::BTreeMap, sync::Arc};

pub const NULL: u32 = 3;
pub const ZERO: u32 = 5;
pub const FULL: u32 = 7;
pub const RANDOM: u32 = 8;
pub const URANDOM: u32 = 9;

/// Bytes of randomness made at a time.
const CHUNK: usize = 256;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Device {
    Null,
    Zero,
    Full,
    Random,
}

struct Driver;

impl DeviceDriver for Driver {
    fn open(&self, _: &Arc<Inode>, device: DeviceId, _: OpenFlags) -> Result<Arc<dyn FileOps>> {
        Ok(Arc::new(match device.minor {
            NULL => Device::Null,
            ZERO => Device::Zero,
            FULL => Device::Full,
            RANDOM | URANDOM => Device::Random,
            _ => return Err(Errno::ENXIO),
        }))
    }
}

pub fn init() {
    register_char_device(MEM_MAJOR, NULL..URANDOM + 1, Arc::new(Driver));
}

impl FileOps for Device {
    fn read(&self, _: &File, dst: &mut IoSink<'_>, _: &mut u64) -> Result<usize> {
        match self {
            Device::Null => Ok(0),
            Device::Zero | Device::Full => dst.write_zeros(dst.remaining()),
            Device::Random => fill(dst),
        }
    }

    fn write(&self, _: &File, src: &mut IoSource<'_>, _: &mut u64) -> Result<usize> {
        let len = src.remaining();
        match self {
            Device::Null | Device::Zero => {
                src.skip(len);
                Ok(len)
            }
            Device::Full => Err(Errno::ENOSPC),
            Device::Random => stir(src),
        }
    }

    fn seekable(&self) -> bool {
        true
    }

    /// The position stays at 0, wherever one seeks (`null_lseek`).
    fn seek(&self, file: &File, _: i64, _: u32) -> Result<u64> {
        file.set_position(0);
        Ok(0)
    }

    fn ioctl(&self, _: &File, command: u32, argument: usize) -> Result<usize> {
        match self {
            Device::Random => random_ioctl(command, UserAddr(argument)),
            _ => Err(Errno::ENOTTY),
        }
    }

    fn page_source(&self, _: &File) -> Result<Arc<dyn PageSource>> {
        match self {
            Device::Zero => Ok(Arc::new(ZeroPages(Mutex::new(&class::PAGE, BTreeMap::new())))),
            _ => Err(Errno::ENODEV),
        }
    }

    fn lent_pages(&self, _: &File) -> Result<Arc<dyn PageSource>> {
        match self {
            Device::Zero | Device::Full => Ok(try_alloc::arc(SharedZeros)?),
            _ => Err(Errno::ENODEV),
        }
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// Random bytes, until a fault or a signal ends it.
fn fill(dst: &mut IoSink<'_>) -> Result<usize> {
    let mut done = 0;
    while dst.remaining() > 0 {
        let mut chunk = [0; CHUNK];
        let want = dst.remaining().min(CHUNK);
        random::fill(&mut chunk[..want]);
        match dst.write(&chunk[..want]) {
            Ok(n) => done += n,
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
        let interrupted = || crate::process::signal::pending(&crate::sched::current());
        if done % 4096 == 0 && interrupted() {
            break;
        }
    }
    Ok(done)
}

/// What is written is mixed in, and counts for nothing.
fn stir(src: &mut IoSource<'_>) -> Result<usize> {
    let mut done = 0;
    while src.remaining() > 0 {
        let mut chunk = [0; CHUNK];
        match src.read(&mut chunk) {
            Ok(n) => {
                random::mix(&chunk[..n]);
                done += n;
            }
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    Ok(done)
}

fn random_ioctl(command: u32, address: UserAddr) -> Result<usize> {
    const RNDGETENTCNT: u32 = 0x8004_5200;
    const RNDADDTOENTCNT: u32 = 0x4004_5201;
    const RNDADDENTROPY: u32 = 0x4008_5203;
    const RNDZAPENTCNT: u32 = 0x5204;
    const RNDCLEARPOOL: u32 = 0x5206;
    const RNDRESEEDCRNG: u32 = 0x5207;
    match command {
        RNDGETENTCNT => user::write(address, &random::POOL_BITS).map(|()| 0),
        RNDADDTOENTCNT | RNDADDENTROPY | RNDZAPENTCNT | RNDCLEARPOOL | RNDRESEEDCRNG
            if !capable(Capability::SysAdmin) =>
        {
            Err(Errno::EPERM)
        }
        RNDADDENTROPY => {
            let [bits, len]: [u32; 2] = user::read(address)?;
            let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
            if bits.cast_signed() < 0 || len > 4096 {
                return Err(Errno::EINVAL);
            }
            let bytes: alloc::vec::Vec<u8> = user::read_array(address.add(8), len)?;
            random::mix(&bytes);
            Ok(0)
        }
        RNDRESEEDCRNG => {
            random::reseed();
            Ok(0)
        }
        // The pool keeps no count to change.
        RNDADDTOENTCNT | RNDZAPENTCNT | RNDCLEARPOOL => Ok(0),
        _ => Err(Errno::ENOTTY),
    }
}

/// The pages of one mapping of `/dev/zero`: shared mappings of it are memory of their own.
struct ZeroPages(Mutex<BTreeMap<PageIndex, Frame>>);

impl PageSource for ZeroPages {
    fn page(&self, index: PageIndex, _: bool) -> Result<Frame> {
        let mut pages = self.0.lock();
        if let Some(frame) = pages.get(&index) {
            return Ok(frame.clone());
        }
        let frame = Frame::alloc_zeroed(PageKind::Shmem)?;
        pages.insert(index, frame.clone());
        Ok(frame)
    }
}

/// The page of zeros at every index, for those who only read.
struct SharedZeros;

impl PageSource for SharedZeros {
    fn page(&self, _: PageIndex, _: bool) -> Result<Frame> {
        mm::fault::zero_frame()
    }
}
