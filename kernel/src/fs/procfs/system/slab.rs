//! `slabinfo` (`slabinfo(5)`): the caches and the size classes of the kernel's heap.

use crate::mm::heap;
use abi::Result;
use alloc::{borrow::Cow, format, string::String};
use core::fmt::Write;

/// `slabinfo`. Objects that CPUs keep in their magazines count as active.
pub fn slabinfo(out: &mut String) -> Result<()> {
    out.push_str("slabinfo - version: 2.1\n");
    out.push_str(
        "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> \
         : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> \
         <sharedavail>\n",
    );
    for class in heap::usage() {
        let name: Cow<'_, str> = match (class.cache, class.size) {
            (Some(name), _) => name.into(),
            (None, size) if size >= 1024 && size.is_multiple_of(1024) => {
                format!("kmalloc-{}k", size / 1024).into()
            }
            (None, size) => format!("kmalloc-{size}").into(),
        };
        let (slabs, per_slab) = (class.usage.slabs, class.per_slab);
        let _ = writeln!(
            out,
            "{name:<17} {:6} {:6} {:6} {per_slab:4} {:4} : tunables {:4} {:4} {:4} : \
             slabdata {slabs:6} {slabs:6} {:6}",
            class.usage.taken,
            slabs * per_slab,
            class.size,
            class.slab_pages,
            0,
            0,
            0,
            0,
        );
    }
    Ok(())
}
