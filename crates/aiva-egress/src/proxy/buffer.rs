//! Large buffers that only bytes under way occupy.
//!
//! Promises: a connection that waits for bytes holds none; a thread keeps a bounded number for reuse; when very many hold
//! bytes that nobody takes (receivers that do not read), further ones get small buffers, so that memory stays bounded by
//! the number of connections times [`SMALL`]. Each thread has its own: the proxy's tasks never move between threads.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// What one read takes at most: few system calls for bulk, small enough for the second-level cache.
pub const LARGE: usize = 64 * 1024;

/// The size when memory is short.
pub const SMALL: usize = 4 * 1024;

/// How many large ones a thread has in use at most (64 MiB).
const MOST_IN_USE: usize = 1024;

/// How many unused ones a thread keeps (2 MiB).
const MOST_SPARE: usize = 32;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { spare: Vec::new(), in_use: 0 }) };
}

struct Pool {
    spare: Vec<Box<[u8]>>,
    in_use: usize,
}

/// A buffer; it goes back when it is dropped.
#[derive(Debug)]
pub struct Buffer(Box<[u8]>);

impl Buffer {
    /// A buffer with whatever an earlier user left in it.
    pub fn take() -> Self {
        POOL.with_borrow_mut(|pool| {
            if pool.in_use >= MOST_IN_USE {
                return Self(vec![0; SMALL].into_boxed_slice());
            }
            pool.in_use += 1;
            Self(pool.spare.pop().unwrap_or_else(|| vec![0; LARGE].into_boxed_slice()))
        })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.0.len() < LARGE {
            return;
        }
        let bytes = std::mem::take(&mut self.0);
        // The thread's own end has no pool any more, and needs none.
        let _ended = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            pool.in_use = pool.in_use.saturating_sub(1);
            if pool.spare.len() < MOST_SPARE {
                pool.spare.push(bytes);
            }
        });
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_used_again_and_small_when_many_are_held() {
        // A thread of its own has a pool of its own.
        let sizes = std::thread::spawn(|| {
            let mut first = Buffer::take();
            first[0] = 7;
            drop(first);
            assert_eq!(Buffer::take()[0], 7);
            let held: Vec<Buffer> = (0..MOST_IN_USE + 2).map(|_| Buffer::take()).collect();
            let sizes = (held[0].len(), held[MOST_IN_USE].len());
            drop(held);
            assert_eq!(POOL.with_borrow(|pool| (pool.in_use, pool.spare.len())), (0, MOST_SPARE));
            sizes
        });
        assert_eq!(sizes.join().unwrap(), (LARGE, SMALL));
    }
}
