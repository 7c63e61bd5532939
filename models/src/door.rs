//! The door of a component: a bounded number of places, the line before them, and who is let in next.
//!
//! Whoever serves has one: the workers of a service, the connections of a database, the concurrency of an external service,
//! the room for messages in a queue. A call takes a place or waits in the line; a freed place goes to the next in line;
//! calls that the line no longer lets wait, or that nobody wants any more, are answered here.
//!
//! Work that takes no time gives its place back while it is being begun, so that letting calls in could call itself once
//! for each call in the line. [`Door::open`] is the guard: while one loop further up the stack lets calls in, no second
//! one begins, and the first sees the place that became free.
//!
//! ```text
//! if !self.door.open() { return; }
//! while self.door.lets_in() {
//!     let Some(turn) = self.door.next(cx) else { continue };
//!     let then = self.begin(cx, turn.call);
//!     cx.post(then);
//! }
//! self.door.shut();
//! ```

use sim_core::line::Line;
use sim_core::slots::{Admission, Slots};
use sim_core::{CallId, Cx, Figures, Look, Next, Outcome, Span, Spent, Time};

/// Places, the line before them, and the guard of the loop that lets calls in. `TIMES_CALLS` says whether how long calls wait
/// is what the component reports as the wait in its queue.
#[derive(Clone, Debug)]
#[repr(C)] // What each call needs lies together, at the beginning.
pub struct Door<const TIMES_CALLS: bool = true> {
    /// Whether calls are being let in further up the stack.
    is_open: bool,
    slots: Slots,
    /// Calls that the line has turned away, until they are answered.
    dropped: Vec<u32>,
    /// Since when a call has held its place, by index of the call; only of those noted by [`Door::note`].
    since: Vec<Time>,
    /// Calls that were turned away out of the line and never begun, by index, where somebody asks.
    gone: Option<Vec<u32>>,
    /// Calls of which less is left until their deadline are not let in any more.
    margin: Span,
}

impl Door {
    /// A door with so many places (`None`: no limit) behind a line.
    pub fn new(places: Option<u32>, line: Line) -> Door {
        Door {
            is_open: false,
            slots: Slots::new(places, line),
            dropped: Vec::new(),
            since: Vec::new(),
            margin: 0,
            gone: None,
        }
    }
}

impl Door<false> {
    /// The same where the wait of calls is not what is reported as the wait in the component's queue.
    pub fn untimed(places: Option<u32>, line: Line) -> Door<false> {
        Door {
            is_open: false,
            slots: Slots::new(places, line),
            dropped: Vec::new(),
            since: Vec::new(),
            margin: 0,
            gone: None,
        }
    }
}

impl<const TIMES_CALLS: bool> Door<TIMES_CALLS> {
    /// The same, where so much must be left until the deadline of a call whose turn comes.
    pub fn with_margin(mut self, margin: Span) -> Self {
        self.set_margin(margin);
        self
    }

    /// From now on so much must be left until the deadline of a call whose turn comes.
    pub fn set_margin(&mut self, margin: Span) {
        // No run is half as long, so that an instant plus the margin is one.
        self.margin = margin.min(Span::MAX / 2);
    }

    /// The line.
    #[inline(always)]
    pub fn line(&self) -> &Line {
        &self.slots.line
    }

    /// Places held now.
    #[inline(always)]
    pub fn held(&self) -> u64 {
        self.slots.held()
    }

    /// The places, to be measured in another way than [`Door::figures`].
    pub fn places(&self) -> &Slots {
        &self.slots
    }

    /// Whether a place is free.
    #[inline(always)]
    pub fn has_room(&self) -> bool {
        self.slots.has_room()
    }

    /// A call takes a place, joins the line, or finds it full.
    #[inline(always)]
    pub fn enter(&mut self, cx: &mut Cx<'_>, call: CallId, priority: u8) -> Admission {
        let now = cx.now();
        let admission = self.slots.ask(now, call.index(), priority);
        if TIMES_CALLS && admission == Admission::Granted {
            cx.measure().waited_for_nobody(now);
        }
        admission
    }

    /// The same for a call that may wait only until an instant, or where the line goes by those who need not wait, too
    /// ([`Line::pass_by`]).
    #[inline(always)]
    pub fn enter_until(&mut self, cx: &mut Cx<'_>, call: CallId, priority: u8, until: Option<Time>) -> Admission {
        let now = cx.now();
        let admission = self.slots.ask_until(now, call.index(), priority, until);
        if admission == Admission::Granted {
            self.slots.line.pass_by(now);
            if TIMES_CALLS {
                cx.measure().waited_for_nobody(now);
            }
        }
        admission
    }

    /// A call joins the line even where a place is free; false if the line is full.
    pub fn join_line(&mut self, cx: &Cx<'_>, call: CallId, priority: u8, until: Option<Time>) -> bool {
        self.slots.wait(cx.now(), call.index(), priority, until)
    }

    /// A call whose work was interrupted joins the line again, before those who came later and are no more important, whatever
    /// the line's bound.
    pub fn put_back(&mut self, cx: &Cx<'_>, call: CallId, priority: u8) {
        self.slots.put_back(cx.now(), call.index(), priority);
    }

    /// Takes a place without asking.
    #[inline(always)]
    pub fn take(&mut self, now: Time) {
        self.slots.take(now);
    }

    /// Gives back a place that was held since `since`; its caller gave up at `abandoned`, if it did.
    #[inline(always)]
    pub fn give_back(&mut self, now: Time, since: Time, abandoned: Option<Time>) {
        self.slots.give_back(now, since, abandoned);
    }

    /// Notes that `call` has had its place since now, for [`Door::leave`].
    #[inline]
    pub fn note(&mut self, cx: &Cx<'_>, call: CallId) {
        let index = call.index() as usize;
        if self.since.len() <= index {
            self.since.resize(index + 1, 0);
        }
        self.since[index] = cx.now();
    }

    /// Gives back the place of a call that was noted.
    #[inline]
    pub fn leave(&mut self, cx: &Cx<'_>, call: CallId) {
        let since = self.since[call.index() as usize];
        self.slots.give_back(cx.now(), since, cx.abandoned_since(call));
    }

    /// Takes a call out of the line; false if it was not in it.
    pub fn leave_line(&mut self, now: Time, call: CallId) -> bool {
        self.slots.leave(now, call.index())
    }

    /// Begins to let calls in; false while that is being done further up the stack. [`Door::shut`] ends it.
    #[inline(always)]
    pub fn open(&mut self) -> bool {
        !std::mem::replace(&mut self.is_open, true)
    }

    /// No more calls are let in.
    #[inline(always)]
    pub fn shut(&mut self) {
        self.is_open = false;
    }

    /// Whether a place is free and somebody waits for it.
    #[inline(always)]
    pub fn lets_in(&self) -> bool {
        !self.slots.line.is_empty() && self.slots.has_room()
    }

    /// The next call in line takes a place; to be asked while [`Door::lets_in`]. Calls that the line turns away are
    /// answered `overload`, one that nobody wants any more is answered `timeout`: `None` where that was all.
    #[inline(always)]
    pub fn next(&mut self, cx: &mut Cx<'_>) -> Option<Look> {
        let now = cx.now();
        // Nearly always the line turns nobody away, and then those dropped, who stand apart, need not be looked at.
        let may_turn_away = self.slots.line.may_turn_away();
        let next = self.slots.next_of_line(now, &mut self.dropped);
        if may_turn_away && !self.dropped.is_empty() {
            self.turn_away(cx);
        }
        let next = next?;
        let look = cx.look(next.call);
        if look.is_sampled {
            cx.spent(look.call, Spent::Queue);
        }
        // A call that has begun before and was interrupted has waited and been looked at once.
        if look.ticket == 0 {
            if TIMES_CALLS {
                cx.measure().waited(look.since, now - look.since);
            }
            if cx.deadline(look.call) < now + self.margin {
                self.slots.give_back(now, now, None);
                self.has_gone(look.call);
                let answer = cx.answer(Outcome::Timeout);
                cx.post(Next::reply(look.call, answer));
                return None;
            }
        }
        Some(look)
    }

    fn has_gone(&mut self, call: CallId) {
        if let Some(gone) = &mut self.gone {
            gone.push(call.index());
        }
    }

    /// From now on [`Door::take_gone`] says which calls have gone without having begun.
    pub fn keep_gone(&mut self) {
        self.gone = Some(Vec::new());
    }

    /// The calls, by index, that were turned away out of the line or not wanted any more, since this was last asked.
    pub fn take_gone(&mut self) -> Vec<u32> {
        self.gone.as_mut().map(std::mem::take).unwrap_or_default()
    }

    #[inline(never)]
    fn turn_away(&mut self, cx: &mut Cx<'_>) {
        if let Some(gone) = &mut self.gone {
            gone.extend(&self.dropped);
        }
        for call in self.dropped.drain(..) {
            let call = cx.open_call(call);
            cx.spent(call, Spent::Queue);
            let answer = cx.answer(Outcome::Overload);
            cx.post(Next::reply(call, answer));
        }
    }

    /// Other settings are in force: so many places, so many who may wait.
    pub fn adopt(&mut self, now: Time, places: Option<u32>, waiting_max: Option<u32>) {
        self.slots.set_capacity(now, places);
        self.slots.line.set_max(waiting_max);
    }

    /// From now on its places do not count as places that there are.
    pub fn retire(&mut self, now: Time) {
        self.slots.retire(now);
    }

    /// They count again.
    pub fn attend(&mut self, now: Time) {
        self.slots.attend(now);
    }

    /// Everybody is gone, as in a crash; measures live on.
    pub fn clear(&mut self, now: Time) {
        self.slots.clear(now);
        self.dropped.clear();
        self.is_open = false;
        self.gone.iter_mut().for_each(Vec::clear);
    }

    /// The warm-up is over.
    pub fn begin_measuring(&mut self, now: Time) {
        self.slots.begin_measuring(now);
    }

    /// Reports the places and the line.
    pub fn figures(&self, now: Time, figures: &mut Figures) {
        self.slots.figures(now, figures);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::line::Discipline;
    use sim_core::{Answer, Baggage, Carried, Component, Engine, NodeId, Span, Timer};

    /// One who serves through a door, and the callers, whose answers are written down.
    #[derive(Clone)]
    enum Part {
        Shop { door: Box<Door>, takes: Span, deepest: u32, depth: u32 },
        Street { answers: Vec<(Time, u64, Outcome)> },
    }

    const SHOP: NodeId = NodeId(0);
    const STREET: NodeId = NodeId(1);

    impl Part {
        fn begin(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
            let Part::Shop { door, takes, .. } = self else { unreachable!() };
            door.note(cx, call);
            if *takes > 0 {
                cx.work(*takes, Timer::of(0, call));
                return Next::WAIT;
            }
            self.done(cx, call)
        }

        fn done(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
            let Part::Shop { door, deepest, depth, .. } = self else { unreachable!() };
            door.leave(cx, call);
            *depth += 1;
            *deepest = (*deepest).max(*depth);
            self.let_in(cx);
            let Part::Shop { depth, .. } = self else { unreachable!() };
            *depth -= 1;
            Next::reply(call, cx.answer(Outcome::Ok))
        }

        fn let_in(&mut self, cx: &mut Cx<'_>) {
            let Part::Shop { door, .. } = self else { unreachable!() };
            if !door.open() {
                return;
            }
            loop {
                let Part::Shop { door, .. } = self else { unreachable!() };
                if !door.lets_in() {
                    return door.shut();
                }
                let Some(next) = door.next(cx) else { continue };
                let then = self.begin(cx, next.call);
                cx.post(then);
            }
        }
    }

    impl Component for Part {
        fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
            let Part::Shop { door, .. } = self else { unreachable!() };
            match door.enter(cx, call, 0) {
                Admission::Granted => self.begin(cx, call),
                Admission::Queued => Next::WAIT,
                Admission::Full => Next::reply(call, cx.answer(Outcome::Overload)),
            }
        }

        fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
            let Part::Street { answers } = self else { unreachable!() };
            answers.push((cx.now(), cx.note(call), answer.outcome()));
            Next::WAIT
        }

        fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
            self.done(cx, timer.call())
        }

        fn rebuild(&mut self, now: Time) {
            if let Part::Shop { door, .. } = self {
                door.clear(now);
            }
        }

        fn begin_measuring(&mut self, _now: Time) {}

        fn figures(&self, _now: Time, _figures: &mut Figures) {}
    }

    fn street(line: Line, takes: Span) -> Engine<Part> {
        let mut engine = Engine::new(1);
        engine.carry(Carried { deadline: true, ..Carried::default() });
        for (name, part) in [
            ("shop", Part::Shop { door: Box::new(Door::new(Some(1), line)), takes, deepest: 0, depth: 0 }),
            ("street", Part::Street { answers: Vec::new() }),
        ] {
            let group = engine.add_group(name);
            engine.add_node(part, group, None);
        }
        engine.start();
        engine
    }

    fn come(engine: &mut Engine<Part>, number: u64, deadline: Time) {
        engine.act(STREET, |_, cx| {
            let call = cx.request(SHOP, number, cx.now(), 0, 0, Baggage { deadline, ..Baggage::EMPTY });
            cx.set_note(call, number);
            Next::call(call)
        });
    }

    fn answers(engine: &Engine<Part>) -> Vec<(Time, u64, Outcome)> {
        let Part::Street { answers } = engine.node(STREET) else { unreachable!() };
        answers.clone()
    }

    #[test]
    fn a_freed_place_goes_to_the_next_and_who_finds_the_line_full_is_turned_away() {
        let mut engine = street(Line::new(Discipline::Fifo, Some(2)), 10);
        (1..=4).for_each(|number| come(&mut engine, number, Time::MAX));
        engine.run_until(100).expect("it ends");
        let expected = [(0, 4, Outcome::Overload), (10, 1, Outcome::Ok), (20, 2, Outcome::Ok), (30, 3, Outcome::Ok)];
        assert_eq!(answers(&engine), expected);
        assert_eq!(engine.check_laws(), Ok(()));
        let waits = engine.group(engine_group()).wait.histogram().into_owned();
        assert_eq!((waits.count(), waits.max()), (3, Some(20)));
    }

    fn engine_group() -> sim_core::GroupId {
        sim_core::GroupId(0)
    }

    /// The place of one whom nobody waits for any more goes on to the next at the same instant.
    #[test]
    fn expired_calls_are_answered_without_being_served() {
        let mut engine = street(Line::new(Discipline::Fifo, None), 10);
        come(&mut engine, 1, Time::MAX);
        come(&mut engine, 2, 5);
        come(&mut engine, 3, 5);
        come(&mut engine, 4, Time::MAX);
        engine.run_until(100).expect("it ends");
        let mut answers = answers(&engine);
        answers.sort_by_key(|(at, number, _)| (*at, *number));
        let expected =
            [(10, 1, Outcome::Ok), (10, 2, Outcome::Timeout), (10, 3, Outcome::Timeout), (20, 4, Outcome::Ok)];
        assert_eq!(answers, expected);
        assert_eq!(engine.check_laws(), Ok(()));
    }

    /// CoDel turns away those who waited for too long; each of them is answered.
    #[test]
    fn those_whom_the_line_turns_away_are_answered() {
        let mut engine = street(Line::new(Discipline::Codel { target: 1, interval: 15 }, None), 10);
        (1..=40).for_each(|number| come(&mut engine, number, Time::MAX));
        engine.run_until(1_000).expect("it ends");
        let answers = answers(&engine);
        assert_eq!(answers.len(), 40);
        let dropped = answers.iter().filter(|(_, _, outcome)| *outcome == Outcome::Overload).count();
        assert!(dropped > 20, "{dropped}");
        assert_eq!(engine.check_laws(), Ok(()));
    }

    /// Work that takes no time frees its place while it is begun: the guard keeps the stack flat.
    #[test]
    fn a_long_line_of_work_that_takes_no_time_does_not_grow_the_stack() {
        let mut engine = street(Line::new(Discipline::Fifo, None), 10);
        (1..=1_000).for_each(|number| come(&mut engine, number, Time::MAX));
        if let Part::Shop { takes, .. } = engine.node_mut(SHOP) {
            *takes = 0;
        }
        engine.run_until(100).expect("it ends");
        assert_eq!(answers(&engine).len(), 1_000);
        let Part::Shop { deepest, .. } = engine.node(SHOP) else { unreachable!() };
        assert_eq!(*deepest, 2, "the first to be done lets in, the others find the door open");
    }
}
