//! Running independent tasks on a few threads, for the length of one call.
//!
//! The tasks have no effects but their results, and these come back in order: how many threads
//! ran them shows in the time taken and nowhere else.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Most threads of one call, whatever it asked for.
pub const MAX_THREADS: usize = 64;

/// `task(0), task(1), …, task(count - 1)`, on up to `threads` threads (0 and 1: the caller's own).
///
/// A panic of a task reaches the caller.
pub fn run_tasks<T: Send>(
    count: usize,
    threads: usize,
    task: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let threads = threads.min(count).min(MAX_THREADS);
    if threads <= 1 {
        return (0..count).map(task).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return done;
            }
            done.push((index, task(index)));
        }
    };
    let mut results = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut results = work();
        for helper in helpers {
            match helper.join() {
                Ok(part) => results.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::run_tasks;

    #[test]
    fn results_come_in_order_whatever_the_threads() {
        for threads in [0, 1, 2, 7] {
            for count in [0, 1, 5, 100] {
                let squares: Vec<usize> = (0..count).map(|i| i * i).collect();
                assert_eq!(run_tasks(count, threads, |i| i * i), squares);
            }
        }
    }

    #[test]
    #[should_panic(expected = "task 3")]
    fn a_panic_is_passed_on() {
        run_tasks(8, 2, |index| assert!(index != 3, "task {index}"));
    }
}
