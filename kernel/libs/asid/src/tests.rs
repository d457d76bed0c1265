//! Single steps, and random runs of CPUs whose tagged translations go only when they are told to.

use super::*;
use proptest::{collection::vec, prelude::*};
use std::{collections::HashMap, ops::Range, rc::Rc};

fn space(cpu: &Cpu) -> Space {
    Space::new(cpu.new_id(0))
}

#[test]
fn a_space_that_has_not_changed_is_kept() {
    let cpu = Cpu::new();
    let (one, two) = (space(&cpu), space(&cpu));
    let first = cpu.enter(&one);
    assert_eq!(first.old, Old::Forget);
    assert_eq!(cpu.enter(&two).old, Old::Forget);
    assert_eq!(cpu.enter(&one), Load { asid: first.asid, old: Old::Keep });
}

#[test]
fn as_many_spaces_as_there_are_slots_are_kept() {
    let cpu = Cpu::new();
    let spaces: Vec<Space> = (0..SLOTS).map(|_| space(&cpu)).collect();
    spaces.iter().for_each(|space| assert_eq!(cpu.enter(space).old, Old::Forget));
    spaces.iter().for_each(|space| assert_eq!(cpu.enter(space).old, Old::Keep));
    assert_eq!(cpu.enter(&space(&cpu)).old, Old::Forget);
    // The one that came first has gone, the others have not.
    spaces[1..].iter().for_each(|space| assert_eq!(cpu.enter(space).old, Old::Keep));
    assert_eq!(cpu.enter(&spaces[0]).old, Old::Forget);
}

#[test]
fn a_space_that_changed_meanwhile_is_forgotten_once() {
    let cpu = Cpu::new();
    let (one, two) = (space(&cpu), space(&cpu));
    cpu.enter(&one);
    cpu.enter(&two);
    one.change();
    assert_eq!(cpu.enter(&one).old, Old::Forget);
    cpu.enter(&two);
    assert_eq!(cpu.enter(&one).old, Old::Keep);
}

#[test]
fn what_was_forgotten_at_once_need_not_be_forgotten_on_the_way_back() {
    let cpu = Cpu::new();
    let (one, two) = (space(&cpu), space(&cpu));
    cpu.enter(&one);
    assert_eq!(cpu.catch_up(&one, one.change()), Forget::Changed);
    cpu.enter(&two);
    assert_eq!(cpu.enter(&one).old, Old::Keep);
}

#[test]
fn a_call_that_comes_before_an_earlier_change_covers_it() {
    let cpu = Cpu::new();
    let one = space(&cpu);
    cpu.enter(&one);
    let (first, second) = (one.change(), one.change());
    assert_eq!(cpu.catch_up(&one, second), Forget::Everything);
    assert_eq!(cpu.catch_up(&one, first), Forget::Nothing);
    assert_eq!(cpu.catch_up(&one, one.change()), Forget::Changed);
}

#[test]
fn a_call_from_before_the_cpu_came_is_void() {
    let cpu = Cpu::new();
    let one = space(&cpu);
    let change = one.change();
    cpu.enter(&one);
    assert_eq!(cpu.catch_up(&one, change), Forget::Nothing);
}

#[test]
fn ids_are_never_the_same() {
    let cpus = [Cpu::new(), Cpu::new()];
    let ids = (0..100).map(|n| cpus[n % 2].new_id(n % 2).unwrap().0).collect::<Vec<_>>();
    assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len());
}

#[test]
fn spaces_without_an_id_are_never_kept() {
    let cpu = Cpu::new();
    let (one, two) = (Space::new(None), Space::new(None));
    for _ in 0..2 {
        assert_eq!(cpu.enter(&one).old, Old::Forget);
        assert_eq!(cpu.enter(&two).old, Old::Forget);
    }
}

const CPUS: usize = 3;
const SPACES: usize = SLOTS + 3;
const PAGES: usize = 4;

/// A step of a run. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    /// A CPU goes over to a space.
    Enter(usize, usize),
    /// A CPU goes over to the kernel's tables.
    Leave(usize),
    /// A CPU looks at a page of the space that it runs on.
    Access(usize, usize),
    /// Entries of a space are written.
    Change(usize, Range<usize>),
    /// A change that is under way is counted, or its users are called.
    Advance(usize),
    /// A CPU answers a call.
    Answer(usize),
    /// A space ends, and another begins.
    End(usize),
}

/// A space and what its tables say: values that never come again.
struct Mapped {
    space: Rc<Space>,
    pages: [u64; PAGES],
}

/// A change that is under way.
struct Flush {
    space: Rc<Space>,
    pages: Range<usize>,
    /// What it made wrong.
    wrong: Vec<u64>,
    change: Option<Change>,
    /// Who has yet to answer.
    called: Option<Vec<usize>>,
}

impl Flush {
    fn is_over(&self) -> bool {
        self.called.as_ref().is_some_and(Vec::is_empty)
    }
}

struct Machine {
    cpu: Cpu,
    loaded: Option<(usize, u16)>,
    /// By tag and page.
    tlb: HashMap<(u16, usize), u64>,
}

struct Model {
    machines: [Machine; CPUS],
    spaces: Vec<Mapped>,
    flushes: Vec<Flush>,
    values: u64,
}

impl Model {
    fn new() -> Model {
        let machine = || Machine { cpu: Cpu::new(), loaded: None, tlb: HashMap::new() };
        let mut model = Model {
            machines: core::array::from_fn(|_| machine()),
            spaces: Vec::new(),
            flushes: Vec::new(),
            values: 0,
        };
        for n in 0..SPACES {
            let mapped = model.map(n % CPUS);
            model.spaces.push(mapped);
        }
        model
    }

    fn value(&mut self) -> u64 {
        self.values += 1;
        self.values
    }

    fn map(&mut self, cpu: usize) -> Mapped {
        let pages = core::array::from_fn(|_| self.value());
        Mapped { space: Rc::new(Space::new(self.machines[cpu].cpu.new_id(cpu))), pages }
    }

    fn go(&mut self, cpu: usize, to: Option<usize>) {
        let machine = &mut self.machines[cpu];
        let from = machine.loaded.map(|(space, _)| space);
        if from == to {
            return;
        }
        machine.loaded = to.map(|to| {
            let space = &self.spaces[to].space;
            space.users.join(cpu);
            let Load { asid, old } = machine.cpu.enter(space);
            if old == Old::Forget {
                machine.tlb.retain(|(tag, _), _| *tag != asid);
            }
            (to, asid)
        });
        if let Some(from) = from {
            self.spaces[from].space.users.leave(cpu);
        }
    }

    fn access(&mut self, cpu: usize, page: usize) {
        let machine = &mut self.machines[cpu];
        let Some((space, asid)) = machine.loaded else { return };
        let now = self.spaces[space].pages[page];
        let seen = *machine.tlb.entry((asid, page)).or_insert(now);
        let may_be_old = self.flushes.iter().any(|flush| flush.wrong.contains(&seen));
        assert!(seen == now || may_be_old, "CPU {cpu} sees {seen} at page {page}, not {now}");
    }

    fn change(&mut self, space: usize, pages: Range<usize>) {
        let mut wrong = Vec::new();
        for page in pages.clone() {
            let value = self.value();
            wrong.push(core::mem::replace(&mut self.spaces[space].pages[page], value));
        }
        let space = Rc::clone(&self.spaces[space].space);
        self.flushes.push(Flush { space, pages, wrong, change: None, called: None });
    }

    fn advance(&mut self, flush: usize) {
        let flush = &mut self.flushes[flush];
        if flush.change.is_none() {
            flush.change = Some(flush.space.change());
        } else if flush.called.is_none() {
            let users = flush.space.users.get();
            flush.called = Some((0..CPUS).filter(|cpu| users >> cpu & 1 != 0).collect());
        }
        self.flushes.retain(|flush| !flush.is_over());
    }

    /// The last call that was made is answered first, as they come in any order.
    fn answer(&mut self, cpu: usize) {
        let is_called =
            |flush: &&mut Flush| flush.called.as_ref().is_some_and(|called| called.contains(&cpu));
        let Some(flush) = self.flushes.iter_mut().rev().find(is_called) else { return };
        let machine = &mut self.machines[cpu];
        if let (Some((space, asid)), Some(change)) = (machine.loaded, flush.change)
            && Rc::ptr_eq(&self.spaces[space].space, &flush.space)
        {
            match machine.cpu.catch_up(&flush.space, change) {
                Forget::Nothing => {}
                Forget::Changed => {
                    machine.tlb.retain(|(tag, page), _| *tag != asid || !flush.pages.contains(page))
                }
                Forget::Everything => machine.tlb.retain(|(tag, _), _| *tag != asid),
            }
        }
        if let Some(called) = &mut flush.called {
            called.retain(|other| *other != cpu);
        }
        self.flushes.retain(|flush| !flush.is_over());
    }

    /// A space ends when nobody changes it any more; whoever has it loaded leaves it first.
    fn end(&mut self, space: usize) {
        let under_way = |flush: &Flush| Rc::ptr_eq(&flush.space, &self.spaces[space].space);
        if self.flushes.iter().any(under_way) {
            return;
        }
        for cpu in 0..CPUS {
            if self.machines[cpu].loaded.is_some_and(|(loaded, _)| loaded == space) {
                self.go(cpu, None);
            }
        }
        self.spaces[space] = self.map(space % CPUS);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Enter(cpu, space) => self.go(cpu, Some(space)),
            Step::Leave(cpu) => self.go(cpu, None),
            Step::Access(cpu, page) => self.access(cpu, page),
            Step::Change(space, pages) => self.change(space, pages),
            Step::Advance(_) if self.flushes.is_empty() => {}
            Step::Advance(flush) => self.advance(flush % self.flushes.len()),
            Step::Answer(cpu) => self.answer(cpu),
            Step::End(space) => self.end(space),
        }
    }

    /// Ends all changes, and looks at all pages of all spaces on all CPUs.
    fn finish(&mut self) {
        while !self.flushes.is_empty() {
            (0..self.flushes.len()).rev().for_each(|flush| self.advance(flush));
            (0..CPUS).for_each(|cpu| self.answer(cpu));
        }
        for cpu in 0..CPUS {
            for space in 0..SPACES {
                self.go(cpu, Some(space));
                (0..PAGES).for_each(|page| self.access(cpu, page));
            }
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    // Mostly few spaces, so that CPUs come back to them; at times many, so that slots change hands.
    let space = || prop_oneof![4 => 0..3usize, 1 => 0..SPACES];
    let pages = (0..PAGES, 1..=PAGES).prop_map(|(first, len)| first..(first + len).min(PAGES));
    prop_oneof![
        6 => (0..CPUS, space()).prop_map(|(cpu, space)| Step::Enter(cpu, space)),
        1 => (0..CPUS).prop_map(Step::Leave),
        8 => (0..CPUS, 0..PAGES).prop_map(|(cpu, page)| Step::Access(cpu, page)),
        3 => (space(), pages).prop_map(|(space, pages)| Step::Change(space, pages)),
        6 => any::<usize>().prop_map(Step::Advance),
        4 => (0..CPUS).prop_map(Step::Answer),
        1 => space().prop_map(Step::End),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_cpu_uses_what_a_finished_change_made_wrong(steps in vec(step(), 1..200)) {
        let mut model = Model::new();
        steps.into_iter().for_each(|step| model.step(step));
        model.finish();
    }
}
