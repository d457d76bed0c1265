//! SLIT: how far the proximity domains are from each other.

use super::{Error, LOCAL_DISTANCE, Topology, u64_at};

/// Where the number of domains is, and the matrix behind it.
const COUNT: usize = 36;
const MATRIX: usize = 44;

impl Topology {
    /// Takes the distances of a whole SLIT (header included, its checksum tested). If it is refused nothing has changed.
    pub fn set_distances(&mut self, table: &[u8]) -> Result<(), Error> {
        let count = usize::try_from(u64_at(table, COUNT)?).map_err(|_| Error::Truncated)?;
        let size = count.checked_mul(count).ok_or(Error::Truncated)?;
        let matrix = table.get(MATRIX..).and_then(|matrix| matrix.get(..size));
        let matrix = matrix.ok_or(Error::Truncated)?;
        let good = |(at, &distance): (usize, &u8)| {
            if at / count == at % count {
                distance == LOCAL_DISTANCE
            } else {
                distance > LOCAL_DISTANCE
            }
        };
        if !matrix.iter().enumerate().all(good) {
            return Err(Error::BadDistance);
        }
        for (from, &row) in self.domains.iter().enumerate() {
            for (to, &column) in self.domains.iter().enumerate() {
                let (row, column) = (row as usize, column as usize);
                if row < count && column < count {
                    self.distances[from][to] = matrix[row * count + column];
                }
            }
        }
        self.sort_nodes();
        Ok(())
    }
}
