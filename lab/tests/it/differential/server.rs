//! The naive model's server: workers, a queue, and whether a job is still wanted.

use super::model::*;

impl Model<'_> {
    fn is_expired(&self, job: usize) -> bool {
        self.jobs[job].deadline < self.now
    }

    pub(super) fn arrives_at_server(&mut self, job: usize) {
        if matches!(self.case.server, Server::Database { .. }) && self.is_expired(job) {
            return self.answer(job, Outcome::Timeout);
        }
        if self.serving < self.case.workers && self.line.is_empty() {
            self.codel_sees(0);
            self.serving += 1;
            return self.start(job);
        }
        if self.case.max_queue.is_some_and(|max| self.line.len() >= max) {
            return self.answer(job, Outcome::Overload);
        }
        if self.line.is_empty() {
            self.occupied_since = self.now;
        }
        self.line.push(job);
    }

    fn start(&mut self, job: usize) {
        self.jobs[job].started = Some(self.now);
        if self.is_expired(job) {
            return self.end_job(job, Outcome::Timeout);
        }
        let takes = self.case.takes[self.jobs[job].op];
        if let Server::Database { statement_timeout: Some(timeout) } = self.case.server {
            self.set(self.now + timeout, GIVING_UP, Event::JobStatement(job));
        }
        let span = match self.case.server {
            Server::BlocksThenWaits(first) => first,
            Server::Waits | Server::Blocks | Server::Database { .. } => takes,
        };
        self.set(self.now + span, FIRST, Event::JobStep(job));
    }

    pub(super) fn step_over(&mut self, job: usize) {
        self.jobs[job].steps += 1;
        if self.jobs[job].is_cancelled {
            return self.end_job(job, Outcome::Cancelled);
        }
        if self.is_expired(job) && !matches!(self.case.server, Server::Database { .. }) {
            return self.end_job(job, Outcome::Timeout);
        }
        match self.case.server {
            Server::BlocksThenWaits(_) if self.jobs[job].steps == 1 => {
                let takes = self.case.takes[self.jobs[job].op];
                self.set(self.now + takes, FIRST, Event::JobStep(job));
            }
            _ => self.end_job(job, Outcome::Ok),
        }
    }

    pub(super) fn job_cancelled(&mut self, job: usize) {
        if self.jobs[job].is_over {
            return;
        }
        if self.jobs[job].started.is_none() {
            self.line.retain(|waiting| *waiting != job);
            return self.answer(job, Outcome::Cancelled);
        }
        self.jobs[job].is_cancelled = true;
        let runs_on = match self.case.server {
            Server::Blocks => true,
            Server::BlocksThenWaits(_) => self.jobs[job].steps == 0,
            Server::Waits | Server::Database { .. } => false,
        };
        if !runs_on {
            self.end_job(job, Outcome::Cancelled);
        }
    }

    /// A job releases its worker.
    pub(super) fn end_job(&mut self, job: usize, outcome: Outcome) {
        self.unset(Event::JobStep(job));
        self.unset(Event::JobStatement(job));
        let started = self.jobs[job].started.expect("it has a worker");
        self.busy += self.now - started;
        if self.is_wanted(job) {
            self.jobs[job].unwanted_since = None;
        } else {
            let since = self.jobs[job].unwanted_since.unwrap_or(self.now);
            self.wasted += self.now - since.max(started);
        }
        self.serving -= 1;
        self.jobs[job].is_over = true;
        self.dispatch();
        *self.answers.entry(outcome.name()).or_insert(0) += 1;
        self.answered(job, outcome);
    }

    pub(super) fn answer(&mut self, job: usize, outcome: Outcome) {
        self.jobs[job].is_over = true;
        *self.answers.entry(outcome.name()).or_insert(0) += 1;
        self.answered(job, outcome);
    }

    /// Free workers take the next jobs in the queue. Rejected jobs are answered afterwards.
    fn dispatch(&mut self) {
        while self.serving < self.case.workers && !self.line.is_empty() {
            let at = self.next_in_line();
            let job = self.line.remove(at);
            let waited = self.now - self.jobs[job].arrived;
            if self.case.max_age.is_some_and(|age| waited > age) || self.codel_sees(waited) {
                self.afterwards.push_back(Then::Answers(job, Outcome::Overload));
            } else if self.is_expired(job) {
                self.afterwards.push_back(Then::Answers(job, Outcome::Timeout));
            } else {
                self.serving += 1;
                self.start(job);
            }
        }
    }

    fn next_in_line(&self) -> usize {
        let last = self.line.len() - 1;
        let is_late = |job: usize| self.case.max_age.is_some_and(|age| self.now - self.jobs[job].arrived > age);
        match self.case.discipline {
            Discipline::Fifo | Discipline::Codel { .. } => 0,
            // Jobs that have waited too long are never at the end, and leave first.
            Discipline::Lifo if is_late(self.line[0]) => 0,
            Discipline::Lifo => last,
            Discipline::AdaptiveLifo if self.now - self.occupied_since > 100_000_000 && !is_late(self.line[0]) => last,
            Discipline::AdaptiveLifo => 0,
            Discipline::Priority => {
                let key = |nth: &usize| (self.jobs[self.line[*nth]].priority, *nth);
                (0..self.line.len()).min_by_key(key).expect("somebody waits")
            }
        }
    }

    /// Controlled delay, as in folly; returns whether a job that has waited this long is rejected.
    fn codel_sees(&mut self, waited: Time) -> bool {
        let Discipline::Codel { target, interval } = self.case.discipline else { return false };
        let (least, interval_end, overloaded) = &mut self.codel;
        match *least {
            None => *least = Some(waited),
            Some(so_far) if self.now > *interval_end => {
                *overloaded = so_far > target;
                *interval_end = self.now + interval;
                *least = Some(waited);
            }
            Some(so_far) => {
                *least = Some(so_far.min(waited));
                return *overloaded && waited > 2 * target;
            }
        }
        false
    }

    /// Whether any request that has not given up still waits for a job.
    fn is_wanted(&self, job: usize) -> bool {
        let Job { group, is_abandoned, .. } = self.jobs[job];
        let mut members = self.groups[group].members.iter();
        !is_abandoned && members.any(|call| !self.fronts[self.calls[*call].front].is_abandoned)
    }

    pub(super) fn look_who_is_wanted(&mut self) {
        for job in 0..self.jobs.len() {
            if self.jobs[job].is_over {
                continue;
            }
            let is_wanted = self.is_wanted(job);
            let since = &mut self.jobs[job].unwanted_since;
            *since = if is_wanted { None } else { Some(since.unwrap_or(self.now)) };
        }
    }
}
