//! Taking the memory of a process that is being killed before it gets to do so itself (`process_mrelease(2)`).

use super::{AddressSpace, tlb::Gather, vma::VmaFlags};
use abi::Result;
use core::sync::atomic::Ordering::Relaxed;

impl AddressSpace {
    /// Takes out all private pages. Every thread that uses the space must have been told to die: what it touches from now on is gone
    /// (SIGBUS; copies to and from it fail), so no zeros are taken for its data on its way out.
    pub fn reap(&self) -> Result<()> {
        let map = self.write_map_killable()?;
        self.reaped.store(true, Relaxed);
        let mut gather = Gather::new(self);
        for entry in map.vmas.iter() {
            let vma = &entry.value;
            if vma.is_private() && !vma.flags.contains(VmaFlags::FOREIGN) {
                let range = entry.start..entry.end;
                self.before_zap(vma, range.clone(), |_| true);
                self.zap(range, &mut gather);
            }
        }
        drop(gather);
        drop(map);
        Ok(())
    }

    /// Whether its memory was taken. Asked with the map held for reading; faults that do not hold it know only ranges that were
    /// remembered before the map was held for writing, and do without them.
    #[inline]
    pub(in crate::mm) fn is_reaped(&self) -> bool {
        self.reaped.load(Relaxed)
    }
}
