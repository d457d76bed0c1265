//! What a debug build adds to objects: poison, a red zone, and who allocated and who freed it.
//!
//! An object of a class is used to `size` bytes. Up to the [`Trailer`] at its end are bytes that nobody may write (the red zone); a free object is
//! filled with poison, but for its first word, which links lists. Fresh slabs are to be filled with [`FRESH`].

use core::{mem::offset_of, slice};

/// Fills what was never used.
pub const FRESH: u8 = 0x5a;
/// Fills what was freed.
const FREED: u8 = 0x6b;
/// Fills what is beyond the end of an object.
const RED: u8 = 0xcc;

const fn word(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// States; of free ones as long as nobody writes there.
const STATE_FRESH: u64 = word(FRESH);
const STATE_LIVE: u64 = 0x5ab0_11fe_0000_a11f;
const STATE_FREE: u64 = 0x5ab0_f3ee_0000_f3ee;

/// Bytes that every object has in addition.
pub const TRAILER_SIZE: usize = size_of::<Trailer>();
/// Where a free object's link ends.
const LINK_SIZE: usize = size_of::<usize>();

/// Who did something to an object.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Owner {
    /// Return addresses, innermost first.
    pub callers: [usize; 4],
    /// The thread.
    pub thread: u32,
    /// The CPU.
    pub cpu: u32,
}

#[repr(C)]
struct Trailer {
    red: u64,
    state: u64,
    allocated: Owner,
    freed: Owner,
}

const _: () = assert!(TRAILER_SIZE.is_multiple_of(16));

/// What was found to be wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Damage {
    /// The byte at this offset was written after the object was freed.
    WrittenAfterFree(usize),
    /// The byte at this offset, beyond the object's end, was written.
    WrittenBeyondEnd(usize),
    /// It is free already.
    FreedTwice,
    /// It is in use already.
    HandedOutTwice,
}

/// An object of a class of `room` bytes.
pub struct Guarded {
    object: *mut u8,
    room: usize,
}

impl Guarded {
    /// # Safety
    /// `object` points to `room` bytes, aligned to 8 and more than [`TRAILER_SIZE`], which belong to the caller.
    pub unsafe fn new(object: *mut u8, room: usize) -> Self {
        Self { object, room }
    }

    fn end(&self) -> usize {
        self.room - TRAILER_SIZE
    }

    fn trailer(&mut self) -> &mut Trailer {
        // SAFETY: the trailer is within the object, which is the caller's (`new`) and aligned; any bytes are one. No reference to it outlives the
        // function that asked for it.
        unsafe { &mut *self.object.add(self.end()).cast::<Trailer>() }
    }

    fn bytes(&mut self, from: usize, to: usize) -> &mut [u8] {
        // SAFETY: as for the trailer; callers stay below it.
        unsafe { slice::from_raw_parts_mut(self.object.add(from), to - from) }
    }

    /// The first byte of a part that is not `fill`.
    fn find_other(&mut self, from: usize, fill: u8) -> Option<usize> {
        let end = self.end();
        let place = self.bytes(from, end).iter().position(|&byte| byte != fill);
        place.map(|place| from + place)
    }

    /// The object is handed out, with `size` bytes to be used.
    pub fn allocate(&mut self, size: usize, by: Owner) -> Result<(), Damage> {
        let fill = match self.trailer().state {
            STATE_FRESH => FRESH,
            STATE_FREE => FREED,
            STATE_LIVE => return Err(Damage::HandedOutTwice),
            _ => return Err(Damage::WrittenAfterFree(self.end() + offset_of!(Trailer, state))),
        };
        if let Some(place) = self.find_other(LINK_SIZE, fill) {
            return Err(Damage::WrittenAfterFree(place));
        }
        self.bytes(0, size).fill(FRESH);
        let end = self.end();
        self.bytes(size, end).fill(RED);
        let trailer = self.trailer();
        (trailer.red, trailer.state, trailer.allocated) = (word(RED), STATE_LIVE, by);
        Ok(())
    }

    /// The object, of which `size` bytes were used, is given back.
    pub fn free(&mut self, size: usize, by: Owner) -> Result<(), Damage> {
        let state = self.trailer().state;
        if state == STATE_FREE {
            return Err(Damage::FreedTwice);
        }
        if let Some(place) = self.find_other(size, RED) {
            return Err(Damage::WrittenBeyondEnd(place));
        }
        if self.trailer().red != word(RED) || state != STATE_LIVE {
            return Err(Damage::WrittenBeyondEnd(self.end()));
        }
        let end = self.end();
        self.bytes(0, end).fill(FREED);
        let trailer = self.trailer();
        (trailer.state, trailer.freed) = (STATE_FREE, by);
        Ok(())
    }

    /// Who allocated and who freed it last, as far as that was not overwritten.
    pub fn owners(&mut self) -> (Owner, Owner) {
        let trailer = self.trailer();
        (trailer.allocated, trailer.freed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const ROOM: usize = 192;
    const WHO: Owner = Owner { callers: [1, 2, 3, 4], thread: 7, cpu: 1 };
    const OTHER: Owner = Owner { callers: [5, 0, 0, 0], thread: 8, cpu: 0 };

    fn with_object(test: impl FnOnce(Guarded, *mut u8)) {
        let mut room = [u64::from_ne_bytes([FRESH; 8]); ROOM / 8];
        let object = room.as_mut_ptr().cast();
        // SAFETY: an array of this size.
        test(unsafe { Guarded::new(object, ROOM) }, object);
    }

    /// Writes a byte of the object.
    fn write(object: *mut u8, offset: usize) {
        // SAFETY: the tests write within the room.
        unsafe { object.add(offset).write(1) };
    }

    #[test]
    fn right_use_is_not_complained_about() {
        with_object(|mut guarded, object| {
            for size in [0, 1, 40, ROOM - TRAILER_SIZE] {
                guarded.allocate(size, WHO).unwrap();
                (0..size).for_each(|offset| write(object, offset));
                guarded.free(size, OTHER).unwrap();
                // Lists link free objects through their first word.
                (0..8).for_each(|offset| write(object, offset));
                assert_eq!(guarded.owners(), (WHO, OTHER));
            }
        });
    }

    #[test]
    fn a_byte_too_much_is_found() {
        for place in [40, 41, ROOM - TRAILER_SIZE] {
            with_object(|mut guarded, object| {
                guarded.allocate(40, WHO).unwrap();
                write(object, place);
                assert_eq!(guarded.free(40, OTHER), Err(Damage::WrittenBeyondEnd(place)));
                assert_eq!(guarded.owners().0, WHO);
            });
        }
    }

    #[test]
    fn use_after_free_is_found() {
        with_object(|mut guarded, object| {
            guarded.allocate(40, WHO).unwrap();
            guarded.free(40, OTHER).unwrap();
            write(object, 30);
            assert_eq!(guarded.allocate(16, WHO), Err(Damage::WrittenAfterFree(30)));
        });
    }

    #[test]
    fn what_is_freed_or_handed_out_twice_is_found() {
        with_object(|mut guarded, _| {
            guarded.allocate(40, WHO).unwrap();
            assert_eq!(guarded.allocate(40, OTHER), Err(Damage::HandedOutTwice));
            guarded.free(40, WHO).unwrap();
            assert_eq!(guarded.free(40, OTHER), Err(Damage::FreedTwice));
        });
    }
}
