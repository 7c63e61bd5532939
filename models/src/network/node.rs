//! The nodes of a network: the director of the faults, workloads, links, consumers, entrances, and one for each kind of component.

use sim_core::{
    Ahead, Answer, Attempts, CallId, Coming, Component, Cx, Figures, News, Next, NodeId, Outcome, Settled, Sight, Time,
    Timer,
};

use crate::components::kind::Kind;
use crate::components::site::Site;
use crate::components::{self, ComponentSettings};
use crate::consuming::Consumer;
use crate::director::Director;
use crate::link::Link;
use crate::replicating::Entrance;
use crate::workloads::Workload;

/// Makes the type of the nodes and its static dispatch from the table of kinds.
macro_rules! nodes {
    (
        $($(#[$doc:meta])* $kind:ident => $module:ident,)*
        ; not yet: $($(#[$missing_doc:meta])* $missing:ident,)*
    ) => {
        /// A node of a network. All are boxed, so that finding one needs no multiplication and telling its kind one load.
        #[allow(missing_docs)]
        #[derive(Clone, Debug)]
        pub enum Node {
            Director(Box<Director>),
            Workload(Box<Workload>),
            Link(Box<Link>),
            Consumer(Box<Consumer>),
            Entrance(Box<Entrance>),
            $($kind(Box<components::$module::$kind>),)*
        }

        impl Node {
            /// One replica of a component.
            pub fn build(settings: &ComponentSettings, site: &mut Site<'_>) -> Node {
                match settings {
                    $(ComponentSettings::$kind(s) => {
                        Node::$kind(Box::new(<components::$module::$kind as Kind>::build(s, site)))
                    })*
                    $(ComponentSettings::$missing(never) => match *never {},)*
                }
            }

            /// Gets a replica ready to adopt other settings under a number; false where the kinds differ.
            pub fn prepare(&mut self, change: u32, settings: &ComponentSettings) -> bool {
                match (self, settings) {
                    $((Node::$kind(part), ComponentSettings::$kind(s)) => { part.prepare(change, s); true })*
                    _ => false,
                }
            }

            /// The attempts over one of its links, where it counts them itself.
            pub fn attempts(&self, link: usize) -> Option<&Attempts> {
                match self {
                    $(Node::$kind(part) => part.attempts(link),)*
                    Node::Director(_) | Node::Workload(_) | Node::Link(_) => None,
                    Node::Consumer(_) | Node::Entrance(_) => None,
                }
            }
        }

        macro_rules! dispatch {
            ($node:expr, $part:ident => $result:expr) => {
                match $node {
                    Node::Link($part) => $result,
                    Node::Workload($part) => $result,
                    $(Node::$kind($part) => $result,)*
                    Node::Consumer($part) => $result,
                    Node::Entrance($part) => $result,
                    Node::Director($part) => $result,
                }
            };
        }

        impl Component for Node {
            #[inline(always)]
            fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
                dispatch!(self, part => part.on_start(cx))
            }
            #[inline(always)]
            fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
                dispatch!(self, part => part.on_call(cx, call))
            }
            #[inline(always)]
            fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, child: CallId, answer: Answer) -> Next {
                dispatch!(self, part => part.on_reply(cx, call, child, answer))
            }
            #[inline(always)]
            fn on_passed(&mut self, ticket: u32, since: Time, outcome: Outcome) {
                dispatch!(self, part => part.on_passed(ticket, since, outcome))
            }
            fn on_parting(&mut self, cx: &mut Cx<'_>, attempt: CallId) {
                dispatch!(self, part => part.on_parting(cx, attempt))
            }
            #[inline(always)]
            fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
                dispatch!(self, part => part.on_timer(cx, timer))
            }
            #[inline(always)]
            fn look_ahead(&self, ahead: Ahead<'_>, coming: Coming) -> Sight {
                dispatch!(self, part => part.look_ahead(ahead, coming))
            }
            fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
                dispatch!(self, part => part.on_cancel(cx, call))
            }
            fn on_news(&mut self, cx: &mut Cx<'_>, about: NodeId, news: News) {
                dispatch!(self, part => part.on_news(cx, about, news))
            }
            fn on_path_changed(&mut self, cx: &mut Cx<'_>, path: u16) {
                dispatch!(self, part => part.on_path_changed(cx, path))
            }
            fn on_settled(&mut self, now: Time, name: u64, settled: Settled) {
                dispatch!(self, part => part.on_settled(now, name, settled))
            }
            fn on_asked(&mut self, cx: &mut Cx<'_>, of: NodeId, what: u8, data: u64) {
                dispatch!(self, part => part.on_asked(cx, of, what, data))
            }
            fn on_hang_up(&mut self, number: u32) {
                dispatch!(self, part => part.on_hang_up(number))
            }
            fn retire(&mut self, now: Time) {
                dispatch!(self, part => part.retire(now))
            }
            fn rebuild(&mut self, now: Time) {
                dispatch!(self, part => part.rebuild(now))
            }
            fn begin_measuring(&mut self, now: Time) {
                dispatch!(self, part => part.begin_measuring(now))
            }
            fn figures(&self, now: Time, figures: &mut Figures) {
                dispatch!(self, part => part.figures(now, figures))
            }
            fn adopt(&mut self, cx: &mut Cx<'_>, change: u32) -> bool {
                dispatch!(self, part => part.adopt(cx, change))
            }
        }
    };
}

components::components!(nodes);
