//! Files whose content need not be text: `cmdline`, `environ`, `auxv`. Made anew for every read, so that a reader sees the
//! process as it is.

use crate::fs::{
    File, FileOps, FileType, Inode, InodeOps, IoSink, Metadata, OpenFlags,
    synthetic::{Attributes, Common, SyntheticFs},
};
use abi::{Errno, Result};
use alloc::{boxed::Box, sync::Arc, vec::Vec};

/// Makes the content.
type Make = Box<dyn Fn() -> Result<Vec<u8>> + Send + Sync>;

/// A read-only file of bytes.
pub fn file(
    fs: &Arc<SyntheticFs>,
    attributes: Attributes,
    make: impl Fn() -> Result<Vec<u8>> + Send + Sync + 'static,
) -> Arc<Inode> {
    let make: Arc<Make> = Arc::new(Box::new(make));
    fs.inode(FileType::Regular, attributes, |common| Arc::new(Node { common, make }))
}

struct Node {
    common: Common,
    make: Arc<Make>,
}

impl InodeOps for Node {
    fn metadata(&self, inode: &Inode) -> Result<Metadata> {
        Ok(self.common.metadata(inode, 0))
    }
    fn open(&self, _: &Arc<Inode>, _: OpenFlags) -> Result<Arc<dyn FileOps>> {
        Ok(Arc::new(Open { make: Arc::clone(&self.make) }))
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

struct Open {
    make: Arc<Make>,
}

impl FileOps for Open {
    fn read(&self, _: &File, dst: &mut IoSink<'_>, offset: &mut u64) -> Result<usize> {
        let bytes = (self.make)()?;
        let start = usize::try_from(*offset).unwrap_or(usize::MAX).min(bytes.len());
        let n = dst.write(&bytes[start..])?;
        *offset += n as u64;
        Ok(n)
    }
    fn write(&self, _: &File, _: &mut crate::fs::IoSource<'_>, _: &mut u64) -> Result<usize> {
        Err(Errno::EINVAL)
    }
    fn seekable(&self) -> bool {
        true
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
