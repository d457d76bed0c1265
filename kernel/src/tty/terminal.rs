//! A terminal: its line discipline, size, and the programs that read, write and wait on it.

use super::{
    driver::{Driver, DriverSink, PacketStatus},
    job_control::Control,
};
use crate::{
    fs::{DeviceId, IoSink, IoSource},
    process::signal::Signal,
    sync::{Mutex, PollEvents, SpinLock, WaitQueue, class},
    time::{self, Duration, Instant},
};
use abi::{Errno, Result};
use alloc::{boxed::Box, collections::VecDeque, sync::Arc};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use ldisc::{
    Events, LineDiscipline,
    termios::{Cc, Local, Termios},
};

/// Input that waits for the discipline's buffer to empty, at most.
const BACKLOG_LIMIT: usize = 16 * 1024;

/// Bytes that one step of a read or write copies.
const CHUNK: usize = 1024;

/// `struct winsize`.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    Debug,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
)]
#[repr(C)]
pub struct WindowSize {
    /// Lines of characters.
    pub rows: u16,
    /// Characters a line.
    pub columns: u16,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
}

/// A terminal.
pub struct Terminal {
    name: Box<str>,
    device: DeviceId,
    driver: Arc<dyn Driver>,
    state: Mutex<State>,
    pub(super) control: SpinLock<Control>,
    read_queue: Arc<WaitQueue>,
    write_queue: Arc<WaitQueue>,
    /// How often the line was hung up: files opened before the last time are dead.
    hangups: AtomicU32,
    /// Only privileged processes may open it (`TIOCEXCL`).
    pub(super) exclusive: AtomicBool,
}

/// What the `TTY` lock guards.
pub(super) struct State {
    pub discipline: LineDiscipline,
    pub size: WindowSize,
    /// Received bytes that found the discipline's buffer full.
    backlog: VecDeque<u8>,
    /// When bytes last came (`VTIME`).
    last_input: Instant,
    /// STOP was sent because the buffer was full (`IXOFF`).
    throttled: bool,
    /// Open files.
    opens: usize,
    /// Attributes of a fresh terminal.
    initial: Termios,
}

/// Whether a read waits for `VMIN` bytes or takes what there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Minimum {
    /// As the attributes say.
    Attributes,
    /// Anything (`O_NONBLOCK`, or the time is up).
    None,
}

impl Terminal {
    /// A terminal called `name` in `/dev`, over `driver`.
    pub(super) fn new(
        name: &str,
        device: DeviceId,
        driver: Arc<dyn Driver>,
        termios: Termios,
    ) -> Arc<Terminal> {
        let state = State {
            discipline: LineDiscipline::new(termios),
            size: WindowSize::default(),
            backlog: VecDeque::new(),
            last_input: Instant(0),
            throttled: false,
            opens: 0,
            initial: termios,
        };
        Arc::new(Terminal {
            name: name.into(),
            device,
            driver,
            state: Mutex::new(&class::TTY, state),
            control: SpinLock::new(&class::TABLE, Control::default()),
            read_queue: Arc::new(WaitQueue::new()),
            write_queue: Arc::new(WaitQueue::new()),
            hangups: AtomicU32::new(0),
            exclusive: AtomicBool::new(false),
        })
    }

    /// Its name in `/dev` (`ttyS0`, `pts/3`).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its device number.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// The id of the foreground process group; 0 for none (`/proc/<pid>/stat`).
    pub fn foreground_id(&self) -> u32 {
        self.control.lock().foreground.as_ref().map_or(0, |group| group.id.0)
    }

    pub(super) fn driver(&self) -> &dyn Driver {
        &*self.driver
    }

    pub(super) fn read_queue(&self) -> &Arc<WaitQueue> {
        &self.read_queue
    }

    pub(super) fn write_queue(&self) -> &Arc<WaitQueue> {
        &self.write_queue
    }

    pub(super) fn hangups(&self) -> u32 {
        self.hangups.load(Ordering::Acquire)
    }

    /// Works on the state, then does what that asked for: echo while the lock is held, the rest after.
    pub(super) fn update<R>(&self, work: impl FnOnce(&mut State, &mut Events) -> R) -> R {
        let mut events = Events::empty();
        let result = {
            let mut state = self.state.lock();
            let result = work(&mut state, &mut events);
            if events.contains(Events::FLUSH_OUTPUT) {
                self.driver.flush();
            }
            state.discipline.flush_echo(&mut DriverSink(&*self.driver));
            state.throttle(&*self.driver);
            result
        };
        self.carry_out(events);
        result
    }

    fn carry_out(&self, events: Events) {
        for (event, signal) in [
            (Events::INTERRUPT, Signal::SIGINT),
            (Events::QUIT, Signal::SIGQUIT),
            (Events::SUSPEND, Signal::SIGTSTP),
        ] {
            if events.contains(event) {
                self.signal_foreground(signal);
            }
        }
        for (event, status) in [
            (Events::FLUSHED_INPUT, PacketStatus::FLUSH_READ),
            (Events::STOPPED, PacketStatus::STOP),
            (Events::STARTED, PacketStatus::START),
        ] {
            if events.contains(event) {
                self.driver.announce(status);
            }
        }
        if events.contains(Events::READABLE) {
            self.read_queue.wake_events(PollEvents::IN | PollEvents::RDNORM);
        }
        if events.intersects(Events::STARTED | Events::FLUSH_OUTPUT) {
            self.wake_writers();
        }
    }

    /// The driver has room again.
    pub(super) fn wake_writers(&self) {
        self.write_queue.wake_events(PollEvents::OUT | PollEvents::WRNORM);
    }

    /// Input from the line: how many bytes found a place.
    pub(super) fn receive(&self, bytes: &[u8]) -> usize {
        self.update(|state, events| state.receive(bytes, events))
    }

    /// Whether the line can bring more input (a master's `POLLOUT`).
    pub(super) fn accepts_input(&self) -> bool {
        self.state.lock().backlog.len() < BACKLOG_LIMIT
    }

    /// Takes input for a program. `EAGAIN` when there is not enough.
    pub(super) fn read(&self, dst: &mut IoSink<'_>, minimum: Minimum) -> Result<usize> {
        let (result, drained) = self.update(|state, events| {
            let before = state.backlog.len();
            let result = state.read(dst, minimum);
            state.refill(events);
            (result, state.backlog.len() < before)
        });
        if drained {
            self.driver.input_drained();
        }
        result
    }

    /// Until when a read that began at `started` waits for more bytes; `None`: for ever (`VTIME`).
    pub(super) fn read_deadline(&self, started: Instant) -> Option<Instant> {
        let state = self.state.lock();
        let termios = state.discipline.termios();
        let tenths = u64::from(termios.char(Cc::Time));
        if termios.local.contains(Local::ICANON) || tenths == 0 {
            return None;
        }
        let limit = Duration::from_millis(tenths * 100);
        match termios.char(Cc::Min) {
            0 => Some(started.after(limit)),
            _ if state.discipline.readable(1) => Some(state.last_input.max(started).after(limit)),
            _ => None,
        }
    }

    /// Processes output of a program. `EAGAIN` when nothing went.
    pub(super) fn write(&self, src: &mut IoSource<'_>) -> Result<usize> {
        self.update(|state, _| {
            let mut done = 0;
            while src.remaining() > 0 {
                let mut chunk = [0; CHUNK];
                let n = match src.clone().read(&mut chunk) {
                    Ok(n) => n,
                    Err(_) if done > 0 => break,
                    Err(errno) => return Err(errno),
                };
                let sent = state.discipline.write(&chunk[..n], &mut DriverSink(&*self.driver));
                src.skip(sent);
                done += sent;
                if sent < n {
                    break;
                }
            }
            if done == 0 && src.remaining() > 0 { Err(Errno::EAGAIN) } else { Ok(done) }
        })
    }

    /// Whether a `poll(2)` says `POLLIN`.
    pub(super) fn poll_readable(&self) -> bool {
        let state = self.state.lock();
        let termios = state.discipline.termios();
        let least = if termios.char(Cc::Time) == 0 { termios.char(Cc::Min) } else { 1 };
        state.discipline.readable(usize::from(least))
    }

    /// Whether a `poll(2)` says `POLLOUT`.
    pub(super) fn poll_writable(&self) -> bool {
        let stopped = self.state.lock().discipline.is_stopped();
        !stopped && self.driver.room() > 0 && self.driver.unsent() < 256
    }

    /// A copy of the attributes.
    pub(super) fn termios(&self) -> Termios {
        *self.state.lock().discipline.termios()
    }

    /// Whether output from the background stops its sender.
    pub(super) fn stops_background_output(&self) -> bool {
        self.termios().local.contains(Local::TOSTOP)
    }

    /// Changes the attributes.
    pub(super) fn set_termios(&self, mut new: Termios) {
        self.update(|state, events| {
            let old = *state.discipline.termios();
            self.driver.set_attributes(&mut new, &old);
            *events |= state.discipline.set_termios(new);
        });
        self.wake_writers();
    }

    /// Drops unread input (`TCIFLUSH`).
    pub(super) fn flush_input(&self) {
        self.update(|state, events| {
            state.discipline.flush_input();
            state.backlog.clear();
            *events |= Events::FLUSHED_INPUT;
        });
        self.driver.input_drained();
    }

    /// Drops unsent output (`TCOFLUSH`).
    pub(super) fn flush_output(&self) {
        self.update(|state, events| {
            state.discipline.drop_echo();
            *events |= Events::FLUSH_OUTPUT;
        });
    }

    /// Bytes that a read could get (`FIONREAD`).
    pub(super) fn available(&self) -> usize {
        self.state.lock().discipline.available()
    }

    /// Waits until the line has taken all output (`tcdrain(3)`).
    pub(super) fn drain(&self) -> Result<()> {
        self.write_queue.wait_interruptible(|| (self.driver.unsent() == 0).then_some(()))
    }

    /// The window's size.
    pub(super) fn size(&self) -> WindowSize {
        self.state.lock().size
    }

    /// Changes the window's size; whether that was a change.
    pub(super) fn set_size(&self, size: WindowSize) -> bool {
        core::mem::replace(&mut self.state.lock().size, size) != size
    }

    /// Counts an open file.
    pub(super) fn open(&self) {
        let mut state = self.state.lock();
        state.opens += 1;
        if state.opens == 1 {
            self.driver.opened(true);
        }
    }

    /// Counts a closed file. The last takes the terminal from its session.
    pub(super) fn close(&self) {
        let last = {
            let mut state = self.state.lock();
            state.opens -= 1;
            if state.opens == 0 {
                state.discipline.flush_input();
                state.backlog.clear();
                self.driver.opened(false);
            }
            state.opens == 0
        };
        if last {
            self.exclusive.store(false, Ordering::Relaxed);
            self.release_session();
        }
    }

    /// Marks every open file dead and empties the discipline. A pseudo-terminal is as new after it; a line keeps its attributes.
    pub(super) fn cut(&self) {
        self.hangups.fetch_add(1, Ordering::AcqRel);
        {
            let mut state = self.state.lock();
            let kept = *state.discipline.termios();
            let termios = if self.driver.is_pty() { state.initial } else { kept };
            state.discipline = LineDiscipline::new(termios);
            state.backlog.clear();
            state.throttled = false;
        }
        self.read_queue.wake_all();
        self.write_queue.wake_all();
    }
}

impl State {
    fn receive(&mut self, bytes: &[u8], events: &mut Events) -> usize {
        self.last_input = time::monotonic();
        self.refill(events);
        let mut taken = 0;
        if self.backlog.is_empty() {
            taken = self.discipline.receive(bytes, events);
        }
        let rest = &bytes[taken..];
        let room = rest.len().min(BACKLOG_LIMIT - self.backlog.len());
        if room > 0 && self.backlog.try_reserve(room).is_ok() {
            self.backlog.extend(&rest[..room]);
            taken += room;
        }
        taken
    }

    /// Moves waiting input to the discipline.
    fn refill(&mut self, events: &mut Events) {
        while !self.backlog.is_empty() {
            let (front, _) = self.backlog.as_slices();
            let n = self.discipline.receive(front, events);
            if n == 0 {
                break;
            }
            self.backlog.drain(..n);
        }
    }

    /// Sends STOP and START when the buffer fills and empties (`IXOFF`).
    fn throttle(&mut self, driver: &dyn Driver) {
        if driver.is_pty() {
            return;
        }
        let termios = self.discipline.termios();
        let ixoff = termios.input.contains(ldisc::termios::Input::IXOFF);
        let full = self.discipline.nearly_full();
        if !self.throttled && full && ixoff {
            self.throttled = true;
            driver.send_urgent(termios.char(Cc::Stop));
        } else if self.throttled && (!ixoff || self.discipline.nearly_empty()) {
            self.throttled = false;
            driver.send_urgent(termios.char(Cc::Start));
        }
    }

    fn read(&mut self, dst: &mut IoSink<'_>, minimum: Minimum) -> Result<usize> {
        if dst.remaining() == 0 {
            return Ok(0);
        }
        let (least, polls) = self.least(dst.remaining(), minimum);
        if !self.discipline.readable(least) {
            return if polls { Ok(0) } else { Err(Errno::EAGAIN) };
        }
        let mut done = 0;
        loop {
            let mut chunk = [0; CHUNK];
            let want = dst.remaining().min(CHUNK);
            if want == 0 {
                self.discipline.skip_eof();
                break;
            }
            let Some((n, ended)) = self.discipline.read_part(&mut chunk[..want]) else { break };
            match dst.write(&chunk[..n]) {
                Ok(copied) => done += copied,
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
            if ended {
                break;
            }
        }
        Ok(done)
    }

    /// How many bytes a raw read waits for, and whether it does not wait at all.
    fn least(&self, wanted: usize, minimum: Minimum) -> (usize, bool) {
        let termios = self.discipline.termios();
        if termios.local.contains(Local::ICANON) {
            return (1, false);
        }
        match (termios.char(Cc::Min), termios.char(Cc::Time), minimum) {
            (0, 0, _) => (1, true),
            (0, ..) | (_, _, Minimum::None) => (1, false),
            (least, ..) => (usize::from(least).min(wanted), false),
        }
    }
}
