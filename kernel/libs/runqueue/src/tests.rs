use super::*;
use lists::Links;
use proptest::prelude::*;

struct Fake {
    links: Links<Fake>,
    fair: FairState,
    deadline: DeadlineState,
    band: Band,
    weight: u64,
    id: usize,
}

// SAFETY: always the same field, which nothing else uses.
unsafe impl Linked for Fake {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl Entity for Fake {
    fn band(&self) -> Band {
        self.band
    }
    fn fair(&self) -> &FairState {
        &self.fair
    }
    fn deadline(&self) -> &DeadlineState {
        &self.deadline
    }
}

fn task(id: usize, band: Band, weight: u64) -> Arc<Fake> {
    let deadline = DeadlineState::new();
    if let Band::Deadline(at) = band {
        deadline.set_deadline(at);
    }
    Arc::new(Fake { links: Links::new(), fair: FairState::new(), deadline, band, weight, id })
}

/// Runs hogs in slices for `total` nanoseconds; what each got.
fn run_hogs(weights: &[u64], total: u64, slice: u64) -> Vec<u64> {
    let mut queue = RunQueue::<Fake>::new();
    for (id, &weight) in weights.iter().enumerate() {
        let hog = task(id, Band::Fair, weight);
        queue.place(&hog, 0);
        queue.insert(hog, End::Back);
    }
    let mut got = vec![0; weights.len()];
    let mut now = 0;
    while now < total {
        let running = queue.pick().unwrap();
        running.fair.charge(slice, running.weight);
        got[running.id] += slice;
        now += slice;
        queue.advance_clock(Some(running.fair.virtual_time()));
        queue.insert(running, End::Back);
    }
    got
}

#[test]
fn nice_0_and_nice_5_share_as_their_weights_say() {
    let weights = [weight_of_nice(0), weight_of_nice(5)];
    let got = run_hogs(&weights, 5_000_000_000, 4_000_000);
    let expected = 5e9 * weights[0] as f64 / (weights[0] + weights[1]) as f64;
    assert!((got[0] as f64 / expected - 1.0).abs() < 0.01, "{got:?}");
}

#[test]
fn equal_hogs_share_equally() {
    let got = run_hogs(&[1024; 7], 5_000_000_000, 4_000_000);
    assert!(got.iter().max().unwrap() - got.iter().min().unwrap() <= 8_000_000, "{got:?}");
}

#[test]
fn an_idle_task_gets_its_small_share() {
    let got = run_hogs(&[1024, IDLE_WEIGHT], 20_000_000_000, 4_000_000);
    let share = got[1] as f64 / 20e9;
    assert!((0.001..0.006).contains(&share), "{share}");
}

#[test]
fn a_sleeper_among_hogs_is_picked_first_and_gains_no_more_than_its_credit() {
    let mut queue = RunQueue::<Fake>::new();
    let sleeper = task(9, Band::Fair, 1024);
    queue.displace(&sleeper);
    for id in 0..3 {
        let hog = task(id, Band::Fair, 1024);
        queue.place(&hog, 0);
        queue.insert(hog, End::Back);
    }
    for _ in 0..1000 {
        let running = queue.pick().unwrap();
        running.fair.charge(4_000_000, 1024);
        queue.advance_clock(Some(running.fair.virtual_time()));
        queue.insert(running, End::Back);
    }
    queue.place(&sleeper, 4_000_000_000);
    assert!(sleeper.fair.virtual_time() + SLEEPER_CREDIT >= queue.clock());
    queue.insert(sleeper, End::Back);
    assert_eq!(queue.pick().unwrap().id, 9);
}

#[test]
fn real_time_runs_before_all_else_and_by_priority() {
    let mut queue = RunQueue::<Fake>::new();
    for (id, band) in
        [Band::Fair, Band::RealTime(1), Band::RealTime(99), Band::RealTime(50), Band::RealTime(50)]
            .into_iter()
            .enumerate()
    {
        let one = task(id, band, 1024);
        queue.place(&one, 0);
        queue.insert(one, End::Back);
    }
    assert_eq!(queue.best_real_time(), Some(99));
    let order: Vec<usize> = core::iter::from_fn(|| queue.pick()).map(|task| task.id).collect();
    assert_eq!(order, [2, 3, 4, 1, 0]);
}

#[test]
fn fair_tasks_can_be_picked_before_real_time_ones_however_far_ahead_they_are() {
    let mut queue = RunQueue::<Fake>::new();
    let (near, far) = (task(0, Band::Fair, 1024), task(1, Band::Fair, 1024));
    for fair in [&near, &far] {
        queue.place(fair, 0);
    }
    far.fair.charge(3_000_000_000, 1024);
    for queued in [far, task(2, Band::RealTime(1), 1024), near] {
        queue.insert(queued, End::Back);
    }
    assert!(queue.has_fair());
    assert_eq!(queue.pick_fair().map(|task| task.id), Some(0));
    assert_eq!(queue.pick_fair().map(|task| task.id), Some(1));
    assert!(!queue.has_fair() && queue.pick_fair().is_none());
    assert_eq!(queue.pick().map(|task| task.id), Some(2));
}

#[test]
fn stealing_takes_the_wanted_task_and_keeps_the_others() {
    let mut queue = RunQueue::<Fake>::new();
    for id in 0..10 {
        let one = task(id, Band::Fair, 1024);
        queue.place(&one, 0);
        queue.insert(one, End::Back);
    }
    assert_eq!(queue.steal(32, |task| task.id == 7).unwrap().id, 7);
    assert!(queue.steal(5, |task| task.id == 7).is_none());
    assert_eq!(queue.len(), 9);
}

proptest! {
    /// Whatever the weights and slices, nobody waits for ever, everybody's share is right, and the bitmap is true.
    #[test]
    fn shares_follow_weights(nices in prop::collection::vec(-10i32..=10, 2..6), slice in 1u64..6) {
        let weights: Vec<u64> = nices.iter().map(|&nice| weight_of_nice(nice)).collect();
        let slice = slice * 1_000_000;
        let got = run_hogs(&weights, 60_000_000_000, slice);
        let sum: u64 = weights.iter().sum();
        for (index, &weight) in weights.iter().enumerate() {
            let expected = 60e9 * weight as f64 / sum as f64;
            let error = (got[index] as f64 - expected).abs();
            prop_assert!(error <= expected * 0.05 + 3.0 * slice as f64, "{nices:?} {got:?} {index}");
        }
    }

    #[test]
    fn what_goes_in_comes_out_once(operations in prop::collection::vec((0u8..4, 0usize..12, 0u64..20_000_000), 0..300)) {
        let tasks: Vec<_> = (0..12)
            .map(|id| task(id, if id < 3 { Band::RealTime(id as u8 + 1) } else { Band::Fair }, 1024))
            .collect();
        let mut queue = RunQueue::<Fake>::new();
        let mut queued = std::collections::BTreeSet::new();
        for (operation, which, amount) in operations {
            match operation {
                0 | 1 => {
                    if queued.insert(which) {
                        queue.place(&tasks[which], amount);
                        tasks[which].fair.charge(amount * 20, 1024);
                        queue.insert(tasks[which].clone(), if operation == 0 { End::Back } else { End::Front });
                    }
                }
                2 => prop_assert_eq!(queue.remove(&tasks[which]).is_some(), queued.remove(&which)),
                _ => match queue.pick() {
                    Some(task) => {
                        prop_assert!(queued.remove(&task.id));
                        queue.displace(&task);
                    }
                    None => prop_assert!(queued.is_empty()),
                },
            }
            prop_assert_eq!(queue.len(), queued.len());
        }
    }
}

proptest! {
    #[test]
    fn deadlines_come_in_order_whoever_was_taken_out(
        deadlines in prop::collection::vec(0..50u64, 1..60),
        taken in prop::collection::vec(0..60usize, 0..30),
    ) {
        let mut queue = RunQueue::<Fake>::new();
        queue.deadlines.grow(Vec::with_capacity(deadlines.len()));
        let tasks: Vec<_> = deadlines
            .iter()
            .enumerate()
            .map(|(id, &at)| task(id, Band::Deadline(at), 1024))
            .collect();
        let urgent = task(1000, Band::RealTime(99), 1024);
        queue.insert(urgent, End::Back);
        for task in &tasks {
            queue.insert(Arc::clone(task), End::Back);
        }
        let mut left: Vec<u64> = deadlines.clone();
        for &id in taken.iter().filter(|&&id| id < tasks.len()) {
            if let Some(out) = queue.remove(&tasks[id]) {
                prop_assert_eq!(out.id, id);
                let place = left.iter().position(|&at| at == deadlines[id]).unwrap();
                left.swap_remove(place);
            }
            prop_assert!(!queue.contains(&tasks[id]));
        }
        left.sort_unstable();
        for at in left {
            prop_assert_eq!(queue.pick().unwrap().band, Band::Deadline(at));
        }
        prop_assert_eq!(queue.pick().unwrap().id, 1000);
        prop_assert!(queue.pick().is_none() && queue.is_empty());
    }
}
