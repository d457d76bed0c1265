//! What happens to pending signals before the return to user mode.
//!
//! The return path calls [`deliver`] as long as the task's signal work flag is up. Each call sets up at most one handler's
//! frame; the flag stays up while more is deliverable.

use super::{
    Action, ActionFlags, DefaultAction, SIG_DFL, SIG_IGN, SigInfo, Signal, SignalSet, frame, mask,
    send::{force, force_fatal, take},
    state::{Orders, ProcessSignals, recalculate},
};
use crate::{
    arch::TrapFrame,
    process::{ExitStatus, Task, exit::exit_thread, rseq},
    sched,
    sync::rcu,
};
use abi::Errno;
use core::sync::atomic::Ordering;

/// The `syscall` and `int 0x80` instructions' length: going back by it runs the call again.
const SYSCALL_INSTRUCTION: usize = 2;

/// Delivers pending signals before the return to user mode: sets up a handler's frame in the user registers, stops,
/// or ends the process. Called by the exit-to-user work loop with interrupts on.
pub fn deliver(registers: &mut TrapFrame) {
    let task = sched::current();
    match next(&task) {
        Next::Handle(info, action) => {
            restart_for_handler(registers, &action);
            run_handler(&task, registers, &info, &action);
        }
        Next::Nothing => {
            restart_without_handler(registers);
            if task.signals.saved_valid.swap(false, Ordering::Relaxed) {
                let saved = SignalSet(task.signals.saved.load(Ordering::Relaxed));
                mask::set_blocked(&task, saved);
            }
        }
        // Nothing that is counted lives in this function's frame.
        Next::Die(status) => exit_thread(status),
    }
}

enum Next {
    /// A handler is to run.
    Handle(SigInfo, Action),
    /// Nothing is left to do.
    Nothing,
    /// The thread ends.
    Die(ExitStatus),
}

/// Works through stops, ignored and default signals to the next that changes the course of the thread.
fn next(task: &Task) -> Next {
    let signals = &task.process.signals;
    loop {
        if signals.orders().contains(Orders::NOTIFY) {
            ProcessSignals::tell_parent(task);
        }
        let mut state = signals.state.lock();
        if let Some(status) = state.exit_status {
            return Next::Die(status);
        }
        if task.signals.pending_set().contains(Signal::SIGKILL) {
            let victim = state.exec.is_some_and(|tid| tid != task.tid());
            drop(state);
            let status = ExitStatus::Killed(Signal::SIGKILL);
            return Next::Die(if victim { status } else { signals.begin_group_exit(status) });
        }
        if state.stop.is_some() {
            drop(state);
            ProcessSignals::stay_stopped(task);
            continue;
        }
        let open = SignalSet(!task.signals.blocked().0);
        let fault = take_fault(task, open);
        let Some(info) = fault.or_else(|| take(task, &mut state, open)) else {
            drop(state);
            recalculate(task);
            return Next::Nothing;
        };
        let continues = state.continues;
        drop(state);
        recalculate(task);

        let action = signals.handlers.get(&rcu::read()).take(info.signal);
        match action.handler {
            SIG_IGN => {}
            SIG_DFL => {
                if let Some(status) = default_action(task, info.signal, continues) {
                    return Next::Die(status);
                }
            }
            _ => return Next::Handle(info, action),
        }
    }
}

fn take_fault(task: &Task, open: SignalSet) -> Option<SigInfo> {
    let wanted = open.intersection(SignalSet::SYNCHRONOUS);
    if task.signals.pending_set().intersection(wanted).is_empty() {
        return None;
    }
    let mut queue = task.signals.queue.lock();
    let info = queue.pop_fault(wanted);
    task.signals.publish(&queue);
    info
}

/// Does what a signal does without a handler; how the process ends, if it does. `continues` is how many SIGCONTs had been
/// sent when the signal was taken: a later one cancels a stop.
fn default_action(task: &Task, signal: Signal, continues: u32) -> Option<ExitStatus> {
    let signals = &task.process.signals;
    let action = signal.default_action();
    if action == DefaultAction::Ignore {
        return None;
    }
    if signals.unkillable.load(Ordering::Relaxed) && !SignalSet::KERNEL_ONLY.contains(signal) {
        return None;
    }
    if action == DefaultAction::Stop {
        // Nobody could continue an orphaned group: the terminal's stops do not apply to it (POSIX).
        if signal == Signal::SIGSTOP || !task.process.group().is_orphaned() {
            let mut state = signals.state.lock();
            if state.continues == continues {
                signals.begin_stop(&mut state, signal);
            }
        }
        return None;
    }
    // No core is ever written, so its bit in the status stays clear.
    Some(signals.begin_group_exit(ExitStatus::Killed(signal)))
}

fn run_handler(task: &Task, registers: &mut TrapFrame, info: &SigInfo, action: &Action) {
    let blocked = task.signals.blocked();
    let restored = if task.signals.saved_valid.load(Ordering::Relaxed) {
        SignalSet(task.signals.saved.load(Ordering::Relaxed))
    } else {
        blocked
    };
    let frame = rseq::before_return(task, registers)
        .and_then(|()| frame::set_up(task, registers, info, action, restored));
    if frame.is_err() {
        // The handler cannot run: SIGSEGV; and if that was SIGSEGV's own, the end.
        if info.signal == Signal::SIGSEGV {
            force_fatal(Signal::SIGSEGV);
        } else {
            force(SigInfo::kernel(Signal::SIGSEGV));
        }
        return;
    }
    task.signals.saved_valid.store(false, Ordering::Relaxed);
    let mut during = blocked.union(action.mask);
    if !action.flags.contains(ActionFlags::NODEFER) {
        during = during.with(info.signal);
    }
    mask::set_blocked(task, during);
    task.signals.frame_delivered();
}

/// The restart error that an interrupted call left in `rax`, if this is the return from a call.
fn interrupted(registers: &TrapFrame) -> Option<Errno> {
    if registers.orig_rax.cast_signed() < 0 {
        return None;
    }
    [Errno::ERESTARTSYS, Errno::ERESTARTNOINTR, Errno::ERESTARTNOHAND, Errno::ERESTART_RESTARTBLOCK]
        .into_iter()
        .find(|error| error.as_syscall_return() == registers.rax)
}

fn restart_for_handler(registers: &mut TrapFrame, action: &Action) {
    let again = match interrupted(registers) {
        None => return,
        Some(Errno::ERESTARTNOINTR) => true,
        Some(Errno::ERESTARTSYS) => action.flags.contains(ActionFlags::RESTART),
        Some(_) => false,
    };
    if again {
        registers.rax = registers.orig_rax;
        registers.rip = registers.rip.wrapping_sub(SYSCALL_INSTRUCTION);
    } else {
        registers.rax = Errno::EINTR.as_syscall_return();
    }
}

fn restart_without_handler(registers: &mut TrapFrame) {
    let number = match interrupted(registers) {
        None => return,
        Some(Errno::ERESTART_RESTARTBLOCK) => abi::number::restart_syscall as usize,
        Some(_) => registers.orig_rax,
    };
    registers.rax = number;
    registers.rip = registers.rip.wrapping_sub(SYSCALL_INSTRUCTION);
}
