//! Sleeping with a deadline.

use super::{
    TaskState,
    switch::schedule,
    wake::{WakeEvent, set_state, wake},
};
use crate::{
    process::Task,
    sync::{IrqSpinLock, class, current},
    time::{self, Instant, Timer, TimerCallback},
};
use alloc::sync::Arc;

/// Wakes the task that it is set for.
pub struct Alarm(IrqSpinLock<Option<Arc<Task>>>);

impl TimerCallback for Alarm {
    fn expired(&self, _now: Instant) -> Option<Instant> {
        let task = self.0.lock().clone();
        if let Some(task) = task {
            wake(&task, WakeEvent::Normal);
        }
        None
    }
}

/// Sleeps in the state set until woken or `deadline`; false when the deadline passed.
pub fn schedule_until(deadline: Option<Instant>) -> bool {
    let Some(deadline) = deadline else {
        schedule();
        return true;
    };
    if time::monotonic() >= deadline {
        set_state(TaskState::Running);
        return false;
    }
    let task = current::current();
    let (timer, alarm) = task.sched.sleep_timer.call_once(|| {
        let alarm = Arc::new(Alarm(IrqSpinLock::new(&class::SLEEP_ALARM, None)));
        (Timer::new(alarm.clone()), alarm)
    });
    *alarm.0.lock() = Some(task.to_arc());
    timer.arm(deadline);
    schedule();
    timer.cancel();
    // The task must not keep itself alive. It is not the last reference: the task runs.
    let _ = alarm.0.lock().take();
    time::monotonic() < deadline
}
