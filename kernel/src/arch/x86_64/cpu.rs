//! CPU identity, the CPU-local block behind GS, and inter-processor interrupts.

use core::{
    arch::asm,
    mem::offset_of,
    sync::atomic::{
        AtomicIsize, AtomicPtr, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    },
};

use super::{apic, io, ipi, section_watch};
use crate::{
    mm::heap::{BOOT_MAGAZINES, CpuMagazines},
    process::Task,
};

/// The most CPUs that one kernel image can drive.
pub const MAX_CPUS: usize = 64;

/// Counters of each CPU: as many as a byte can tell apart. What they mean is for `mm` to say.
const COUNTERS: usize = 1 << u8::BITS;

/// What each CPU keeps at hand: assembly and the hottest paths reach it with one instruction.
///
/// A field is written only by its own CPU unless it says otherwise.
#[repr(C, align(128))]
pub struct CpuLocal {
    /// The address of this block: GS-relative addresses cannot be taken.
    this: AtomicPtr<CpuLocal>,
    /// The running task.
    pub(super) current: AtomicPtr<Task>,
    /// Where `syscall` puts the user registers: the top of the running task's kernel stack.
    pub(super) kernel_stack_top: AtomicUsize,
    /// The user stack pointer, for the two instructions that `syscall` has no stack.
    pub(super) user_rsp: AtomicUsize,
    /// See `irq`.
    pub(super) preempt_count: AtomicU32,
    /// Index of the CPU.
    index: AtomicU32,
    /// The state area that the FPU registers hold (null: none in particular).
    pub(super) fpu_owner: AtomicPtr<u8>,
    /// Local APIC id, written once when the CPU is found.
    pub(super) apic_id: AtomicU32,
    /// The NUMA node. Written before the CPU is started; the first CPU's once the tables were read.
    node: AtomicU32,
    /// See [`relax`].
    looks: AtomicU16,
    /// Functions to call here: see `ipi`. Written by other CPUs.
    pub(super) calls: AtomicU64,
    /// Interrupts taken, for `/proc/stat`.
    pub(super) interrupts: AtomicU64,
    /// Objects to allocate. Written before the CPU allocates.
    magazines: AtomicPtr<CpuMagazines>,
    /// See [`count`].
    counters: [AtomicIsize; COUNTERS],
}

/// Offsets for assembly.
pub(super) mod offset {
    use super::{CpuLocal, offset_of};
    pub const THIS: usize = offset_of!(CpuLocal, this);
    pub const CURRENT: usize = offset_of!(CpuLocal, current);
    pub const KERNEL_STACK_TOP: usize = offset_of!(CpuLocal, kernel_stack_top);
    pub const USER_RSP: usize = offset_of!(CpuLocal, user_rsp);
    pub const PREEMPT_COUNT: usize = offset_of!(CpuLocal, preempt_count);
    pub const INDEX: usize = offset_of!(CpuLocal, index);
    pub const LOOKS: usize = offset_of!(CpuLocal, looks);
    pub const MAGAZINES: usize = offset_of!(CpuLocal, magazines);
    pub const COUNTERS: usize = offset_of!(CpuLocal, counters);
}

impl CpuLocal {
    /// All zero, so that the blocks take no room in the image: see [`install_local`].
    const fn new() -> CpuLocal {
        CpuLocal {
            this: AtomicPtr::new(core::ptr::null_mut()),
            current: AtomicPtr::new(core::ptr::null_mut()),
            kernel_stack_top: AtomicUsize::new(0),
            user_rsp: AtomicUsize::new(0),
            preempt_count: AtomicU32::new(0),
            index: AtomicU32::new(0),
            fpu_owner: AtomicPtr::new(core::ptr::null_mut()),
            apic_id: AtomicU32::new(0),
            node: AtomicU32::new(0),
            looks: AtomicU16::new(0),
            calls: AtomicU64::new(0),
            interrupts: AtomicU64::new(0),
            magazines: AtomicPtr::new(core::ptr::null_mut()),
            counters: [const { AtomicIsize::new(0) }; COUNTERS],
        }
    }
}

impl CpuLocal {
    /// Notes which local APIC the CPU has, before it is started.
    pub(super) fn set_apic_id(&self, id: u32) {
        self.apic_id.store(id, Ordering::Relaxed);
    }

    /// Notes on which node the CPU is.
    pub(super) fn set_node(&self, node: usize) {
        self.node.store(node as u32, Ordering::Relaxed);
    }
}

static CPUS: [CpuLocal; MAX_CPUS] = [const { CpuLocal::new() }; MAX_CPUS];
/// Bit n: CPU n is online.
static ONLINE: AtomicU64 = AtomicU64::new(0);

/// Makes the GS base of this CPU point to its block. Nothing that locks or prints runs before.
pub(super) fn install_local(index: usize) {
    let block = &CPUS[index];
    let address = core::ptr::from_ref(block).cast_mut();
    block.this.store(address, Ordering::Relaxed);
    block.index.store(index as u32, Ordering::Relaxed);
    block.preempt_count.store(super::irq::BOOT_COUNT, Ordering::Relaxed);
    if index == 0 {
        // The others have got theirs.
        block.magazines.store((&raw const BOOT_MAGAZINES).cast_mut(), Ordering::Relaxed);
    }
    // SAFETY: the block is a static; GS is the kernel's alone while this CPU is in the kernel, and
    // the user's base starts as 0. The loader's selectors mean nothing with our descriptors, and loading one after the base
    // would replace it.
    unsafe {
        asm!("mov fs, {0:x}", "mov gs, {0:x}", in(reg) 0, options(nomem, nostack, preserves_flags));
        io::wrmsr(io::msr::GS_BASE, address as u64);
        io::wrmsr(io::msr::KERNEL_GS_BASE, 0);
    }
}

/// Where entries from user mode find a stack, until the first task is installed.
pub(super) fn set_kernel_stack_top(top: usize) {
    local().kernel_stack_top.store(top, Ordering::Relaxed);
    super::gdt::set_interrupt_stack(id(), top);
}

/// The block of some CPU.
pub(super) fn local_of(index: usize) -> &'static CpuLocal {
    &CPUS[index]
}

/// This CPU's block. Stays this CPU's only while preemption is off.
#[inline]
pub(super) fn local() -> &'static CpuLocal {
    let block: *const CpuLocal;
    // SAFETY: `install_local` made GS point to the block, whose first word is its own address.
    unsafe {
        asm!("mov {}, gs:[{}]", out(reg) block, const offset::THIS, options(nostack, readonly, preserves_flags));
        &*block
    }
}

/// The index of the CPU this runs on, from 0. Stable only while preemption is off.
#[inline]
pub fn id() -> usize {
    let index: u32;
    // SAFETY: GS points to this CPU's block.
    unsafe {
        asm!("mov {:e}, gs:[{}]", out(reg) index, const offset::INDEX, options(nostack, readonly, preserves_flags));
    }
    let index = index as usize;
    // SAFETY: `install_local` indexes `CPUS` with it before it writes it.
    unsafe { core::hint::assert_unchecked(index < MAX_CPUS) };
    index
}

/// What this CPU allocates from. Stays this CPU's only while preemption is off.
#[inline]
pub fn magazines() -> &'static CpuMagazines {
    let magazines: *const CpuMagazines;
    // SAFETY: GS points to this CPU's block; the pointer is set before the CPU gets here, by `install_local` or, if it is not the first, by
    // `set_magazines` before it runs. Magazines live for ever.
    unsafe {
        asm!("mov {}, gs:[{}]", out(reg) magazines, const offset::MAGAZINES, options(nostack, readonly, preserves_flags));
        &*magazines
    }
}

/// Gives a CPU that is not running yet what it will allocate from.
pub fn set_magazines(cpu: usize, magazines: &'static CpuMagazines) {
    CPUS[cpu].magazines.store(core::ptr::from_ref(magazines).cast_mut(), Ordering::Relaxed);
}

/// Adds to one of this CPU's counters, in a single instruction: nothing comes in its midst on this CPU, and no other CPU writes the counter. So it takes
/// no lock, and preemption may be on.
#[inline(always)]
pub fn count(counter: u8, by: isize) {
    // SAFETY: GS points to this CPU's block, which has a counter for every byte; counters are nobody's but ours to write.
    unsafe {
        asm!(
            "add qword ptr gs:[8 * {counter} + {counters}], {by}",
            counter = in(reg) usize::from(counter),
            by = in(reg) by,
            counters = const offset::COUNTERS,
            options(nostack),
        );
    }
}

/// Counts one more: `count(counter, 1)` in one instruction less.
#[inline(always)]
pub fn count_up(counter: u8) {
    // SAFETY: as in `count`.
    unsafe {
        asm!(
            "inc qword ptr gs:[8 * {} + {}]",
            in(reg) usize::from(counter),
            const offset::COUNTERS,
            options(nostack),
        );
    }
}

/// Counts one fewer.
#[inline(always)]
pub fn count_down(counter: u8) {
    // SAFETY: as in `count`.
    unsafe {
        asm!(
            "dec qword ptr gs:[8 * {} + {}]",
            in(reg) usize::from(counter),
            const offset::COUNTERS,
            options(nostack),
        );
    }
}

/// Counts one more by a counter that is known when the kernel is compiled: one instruction in all.
#[inline(always)]
pub fn count_one<const COUNTER: u8>() {
    // SAFETY: as in `count`.
    unsafe {
        asm!(
            "inc qword ptr gs:[{}]",
            const offset::COUNTERS + 8 * COUNTER as usize,
            options(nostack),
        );
    }
}

/// What all CPUs have counted by one counter. They are read one after the other: a sum in motion may be below zero.
pub fn counted(counter: u8) -> isize {
    CPUS.iter().map(|cpu| cpu.counters[usize::from(counter)].load(Ordering::Relaxed)).sum()
}

/// The task this CPU runs, as installed by the scheduler. Null before the first.
#[inline]
pub fn current_task() -> *const Task {
    let task: *const Task;
    // SAFETY: GS points to this CPU's block. Not `readonly`-cacheable across a switch does not
    // matter: a task that was switched away and back reads its own address again.
    unsafe {
        asm!("mov {}, gs:[{}]", out(reg) task, const offset::CURRENT, options(nostack, readonly, preserves_flags));
    }
    task
}

/// The task this CPU runs, or `None` before the first: for code that must work before there are tasks.
pub fn running_task() -> Option<&'static Task> {
    // SAFETY: the current task lives while this CPU runs it, and so while the caller does.
    unsafe { current_task().as_ref() }
}

/// Installs the task that [`current_task`] gives.
///
/// # Safety
/// `task` stays alive until another is installed. Only `sync::running` calls this, around a switch.
pub unsafe fn set_current_task(task: *const Task) {
    local().current.store(task.cast_mut(), Ordering::Relaxed);
}

/// The NUMA node that a CPU is on.
#[inline]
pub fn node_of(cpu: usize) -> usize {
    CPUS[cpu].node.load(Ordering::Relaxed) as usize
}

/// A CPU's number and its node's, as the vDSO and `rdpid` tell them.
pub(super) fn number_and_node(cpu: usize) -> u32 {
    const NODE_SHIFT: u32 = 12;
    cpu as u32 | (node_of(cpu) as u32) << NODE_SHIFT
}

/// How many CPUs are online.
pub fn online_count() -> usize {
    ONLINE.load(Ordering::Relaxed).count_ones() as usize
}

/// The CPUs that are online.
pub fn online() -> CpuMask {
    CpuMask(ONLINE.load(Ordering::Acquire))
}

/// Counts this CPU among those that may be sent work.
pub fn set_online() {
    ONLINE.fetch_or(1 << id(), Ordering::Release);
}

/// Interrupts that `cpu` has taken, for `/proc/stat`.
pub fn interrupt_count(cpu: usize) -> u64 {
    CPUS[cpu].interrupts.load(Ordering::Relaxed)
}

/// Between two looks at what another CPU will change once, soon, and whatever others do: its answer, or that it has left a stack. A `pause` once in 16,384 looks.
///
/// Locks wait with a `pause` before each look (`core::hint::spin_loop`), which leaves the line with the lock to the CPU that works on it. Here it would only make the
/// wait longer. In QEMU's emulation it does worse: it leaves the emulated code and takes the lock that every CPU needs for an interrupt or a fault, over
/// and over, and the CPU that is waited for may not get that for milliseconds. Now and then it is right: a hypervisor learns from it who waits in vain.
#[inline]
pub fn relax() {
    // SAFETY: GS points to this CPU's block; each instruction is split by nothing, and nobody minds an uncounted look.
    unsafe {
        asm!("add word ptr gs:[{}], 4", "jnz 2f", "pause", "2:", const offset::LOOKS, options(nostack));
    }
}

/// Asks `cpu` to run its scheduler (reschedule IPI): the handler calls
/// [`super::irq::set_need_resched`]; it also leaves `hlt`. Callable with interrupts off.
pub fn send_reschedule(cpu: usize) {
    apic::send_ipi(cpu, super::trap::vector::RESCHEDULE);
}

/// Runs `f` on every CPU in `mask` other than this one and waits for them. Interrupts must be on.
pub fn call_on(mask: CpuMask, f: &(dyn Fn() + Sync)) {
    ipi::call_on(mask, f);
}

/// Has later instructions read anew: what another CPU wrote as code is executed.
pub fn serialize() {
    core::arch::x86_64::__cpuid(0);
}

/// Stops until the next interrupt; enters with interrupts off and returns with them on.
pub fn idle_wait() {
    if section_watch::ON {
        section_watch::end();
    }
    // SAFETY: `sti` takes effect after the next instruction, so an interrupt that is already
    // pending ends the `hlt` at once: no wake-up is lost.
    unsafe { asm!("sti; hlt", options(nostack)) };
}

/// Stops this CPU for good.
pub fn halt_forever() -> ! {
    loop {
        // SAFETY: with interrupts off nothing runs here again but a non-maskable interrupt.
        unsafe { asm!("cli; hlt", options(nostack)) };
    }
}

/// A set of CPUs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CpuMask(pub u64);

impl CpuMask {
    /// The set of one.
    pub const fn of(cpu: usize) -> CpuMask {
        CpuMask(1 << cpu)
    }
    /// Whether `cpu` is in the set.
    pub const fn contains(self, cpu: usize) -> bool {
        self.0 & (1 << cpu) != 0
    }
    /// The CPUs of the set that are on `node`.
    pub fn on_node(self, node: usize) -> CpuMask {
        let on_node = self.iter().filter(|&cpu| node_of(cpu) == node);
        CpuMask(on_node.fold(0, |mask, cpu| mask | 1 << cpu))
    }
    /// The set without `cpu`.
    pub const fn without(self, cpu: usize) -> CpuMask {
        CpuMask(self.0 & !(1 << cpu))
    }
    /// The members in ascending order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..MAX_CPUS).filter(move |&cpu| self.contains(cpu))
    }
}
