//! Baggage: values that calls carry in addition to their frames.
//!
//! Each value that a call may carry is a column beside the table of frames, with one row per frame. A model declares
//! before its first call which columns it uses. Unused columns stay empty and cost nothing, so a model that uses
//! deadlines does not pay for data keys. A new column is one row of the table below.

use crate::table::push;
use crate::time::Time;

/// Connection of a call whose connection is not tracked.
pub const NO_CONNECTION: u32 = u32::MAX;

/// Undertaking of a call that belongs to none.
pub const NO_UNDERTAKING: u64 = 0;

/// Tie of a call that is the only copy of its attempt.
pub const NO_TIE: u64 = 0;

/// Passes the table of columns to a macro. A row holds the name, the type, the default value, and the name of the
/// setter.
macro_rules! each_column {
    ($make:ident) => {
        $make! {
                /// The data key that the call is about; 0 if unspecified.
                data_key: u64 = 0, set_data_key;
                /// The instant after which the answer is of no use; `Time::MAX` if there is no deadline.
                deadline: Time = Time::MAX, set_deadline;
                /// Number of items the call carries; more than one for a batch.
                items: u32 = 1, set_items;
                /// Payload of the other items of a batch, bytes; what the call's own profile says comes on top.
                more_bytes: u64 = 0, set_more_bytes;
                /// The client that the request came from; 0 if unspecified.
                client: u64 = 0, set_client;
                /// Work of the request as a multiple of the average; 1 if unspecified.
                demand: f64 = 1.0, set_demand;
                /// The undertaking that the call belongs to ([`crate::undertakings`]);
                /// [`NO_UNDERTAKING`](crate::NO_UNDERTAKING) if it is not tracked.
                undertaking: u64 = NO_UNDERTAKING, set_undertaking;
                /// The connection that carries the call ([`Cx::open_connection`](crate::Cx::open_connection));
                /// [`NO_CONNECTION`](crate::NO_CONNECTION) if unspecified. It is not passed on to further calls.
                connection: u32 = NO_CONNECTION, set_connection;
                /// What it has in common with the other copies of an attempt of which only the first to begin is wanted
                /// ([`Cx::open_tie`](crate::Cx::open_tie)); [`NO_TIE`](crate::NO_TIE) where there are none. It does not travel on to
                /// further calls.
                tie: u64 = NO_TIE, set_tie;
        }
    };
}
pub(crate) use each_column;

/// Generates a column for each row.
macro_rules! columns {
    ($($(#[$meta:meta])* $name:ident: $kind:ty = $empty:expr, $set:ident;)*) => {
        /// All values that one call carries.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct Baggage {
            $($(#[$meta])* pub $name: $kind,)*
        }

        impl Baggage {
            /// The defaults of all columns.
            pub const EMPTY: Baggage = Baggage { $($name: $empty,)* };
        }

        /// Which columns a model uses.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Carried {
            $($(#[$meta])* pub $name: bool,)*
        }

        impl Carried {
            /// Whether any column is used.
            pub fn any(&self) -> bool {
                $(self.$name)||*
            }
        }

        /// The columns, indexed by frame. Unused columns have no rows.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Columns {
            carried: Carried,
            $($name: Vec<$kind>,)*
        }

        impl Columns {
            pub(crate) fn new(carried: Carried) -> Columns {
                Columns { carried, ..Columns::default() }
            }

            /// Adds a row for a new frame.
            pub(crate) fn add(&mut self) {
                $(if self.carried.$name {
                    push(&mut self.$name, $empty);
                })*
            }

            /// Stores a call's baggage; values without a column are dropped.
            #[inline(never)]
            pub(crate) fn pack(&mut self, index: u32, baggage: Baggage) {
                $(self.$set(index, baggage.$name);)*
            }

            /// Copies the baggage of one call to another.
            #[inline(never)]
            pub(crate) fn copy(&mut self, from: u32, to: u32) {
                $(if let Some(value) = self.$name.get(from as usize).copied() {
                    self.$name[to as usize] = value;
                })*
            }

            /// All values that a call carries.
            pub(crate) fn baggage(&self, index: u32) -> Baggage {
                Baggage { $($name: self.$name(index),)* }
            }

            /// Memory held, in bytes.
            pub(crate) fn bytes(&self) -> usize {
                0 $(+ self.$name.capacity() * size_of::<$kind>())*
            }

            $(
                $(#[$meta])*
                #[inline(always)]
                pub(crate) fn $name(&self, index: u32) -> $kind {
                    self.$name.get(index as usize).copied().unwrap_or($empty)
                }

                #[inline(always)]
                pub(crate) fn $set(&mut self, index: u32, value: $kind) {
                    if let Some(place) = self.$name.get_mut(index as usize) {
                        *place = value;
                    }
                }
            )*
        }
    };
}

each_column!(columns);

impl Columns {
    /// Whether the demand column is used.
    #[inline(always)]
    pub(crate) fn carries_demand(&self) -> bool {
        self.carried.demand
    }

    /// Whether the undertaking column is used.
    #[inline(always)]
    pub(crate) fn carries_undertakings(&self) -> bool {
        self.carried.undertaking
    }

    /// Whether the connection column is used.
    #[inline(always)]
    pub(crate) fn carries_connections(&self) -> bool {
        self.carried.connection
    }

    /// Whether there is a column of ties.
    #[inline(always)]
    pub(crate) fn carries_ties(&self) -> bool {
        self.carried.tie
    }

    /// Whether the deadline column is used.
    #[inline(always)]
    pub(crate) fn carries_deadlines(&self) -> bool {
        self.carried.deadline
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAMES: u32 = 8;

    /// An operation on the baggage of a call.
    #[derive(Clone, Copy, Debug)]
    enum Deed {
        Pack(u32, Baggage),
        Copy(u32, u32),
        Set(u32, u8, Baggage),
    }

    fn baggage() -> impl Strategy<Value = Baggage> {
        (1u64..9, 1u64..9, 2u32..9, 1u64..9, 2u32..9, 1u32..9, 1u64..9, 1u64..9, 1u64..9).prop_map(
            |(data_key, deadline, items, client, demand, connection, undertaking, tie, more_bytes)| Baggage {
                more_bytes,
                tie,
                undertaking,
                connection,
                data_key,
                deadline,
                items,
                client,
                demand: f64::from(demand),
            },
        )
    }

    fn deed() -> impl Strategy<Value = Deed> {
        prop_oneof![
            (0..FRAMES, baggage()).prop_map(|(index, baggage)| Deed::Pack(index, baggage)),
            (0..FRAMES, 0..FRAMES).prop_map(|(from, to)| Deed::Copy(from, to)),
            (0..FRAMES, 0u8..9, baggage()).prop_map(|(index, which, baggage)| Deed::Set(index, which, baggage)),
        ]
    }

    /// The twin: one wide row per frame.
    fn do_to_rows(rows: &mut [Baggage], deed: Deed) {
        match deed {
            Deed::Pack(index, baggage) => rows[index as usize] = baggage,
            Deed::Copy(from, to) => rows[to as usize] = rows[from as usize],
            Deed::Set(index, which, baggage) => {
                let row = &mut rows[index as usize];
                match which {
                    0 => row.data_key = baggage.data_key,
                    1 => row.deadline = baggage.deadline,
                    2 => row.items = baggage.items,
                    3 => row.client = baggage.client,
                    4 => row.demand = baggage.demand,
                    5 => row.undertaking = baggage.undertaking,
                    6 => row.tie = baggage.tie,
                    7 => row.more_bytes = baggage.more_bytes,
                    _ => row.connection = baggage.connection,
                }
            }
        }
    }

    fn do_to_columns(columns: &mut Columns, deed: Deed) {
        match deed {
            Deed::Pack(index, baggage) => columns.pack(index, baggage),
            Deed::Copy(from, to) => columns.copy(from, to),
            Deed::Set(index, which, baggage) => match which {
                0 => columns.set_data_key(index, baggage.data_key),
                1 => columns.set_deadline(index, baggage.deadline),
                2 => columns.set_items(index, baggage.items),
                3 => columns.set_client(index, baggage.client),
                4 => columns.set_demand(index, baggage.demand),
                5 => columns.set_undertaking(index, baggage.undertaking),
                6 => columns.set_tie(index, baggage.tie),
                7 => columns.set_more_bytes(index, baggage.more_bytes),
                _ => columns.set_connection(index, baggage.connection),
            },
        }
    }

    proptest! {
        /// A used column agrees with a table of whole rows, whichever other columns are used. An unused column returns
        /// its default and takes no memory.
        #[test]
        fn columns_say_what_one_wide_table_says(used in any::<[bool; 9]>(), deeds in prop::collection::vec(deed(), 1..60)) {
            let [data_key, deadline, items, client, demand, undertaking, connection, tie, more_bytes] = used;
            let carried = Carried { data_key, deadline, items, client, demand, undertaking, connection, tie, more_bytes };
            let mut columns = Columns::new(carried);
            let mut rows = vec![Baggage::EMPTY; FRAMES as usize];
            (0..FRAMES).for_each(|_| columns.add());
            for deed in deeds {
                do_to_rows(&mut rows, deed);
                do_to_columns(&mut columns, deed);
            }
            let empty = Baggage::EMPTY;
            for (index, row) in (0..FRAMES).zip(&rows) {
                prop_assert_eq!(columns.data_key(index), if data_key { row.data_key } else { empty.data_key });
                prop_assert_eq!(columns.deadline(index), if deadline { row.deadline } else { empty.deadline });
                prop_assert_eq!(columns.items(index), if items { row.items } else { empty.items });
                prop_assert_eq!(columns.client(index), if client { row.client } else { empty.client });
                prop_assert_eq!(columns.demand(index), if demand { row.demand } else { empty.demand });
                let expected = if undertaking { row.undertaking } else { empty.undertaking };
                prop_assert_eq!(columns.undertaking(index), expected);
                prop_assert_eq!(columns.more_bytes(index), if more_bytes { row.more_bytes } else { empty.more_bytes });
                prop_assert_eq!(columns.tie(index), if tie { row.tie } else { empty.tie });
                prop_assert_eq!(columns.connection(index), if connection { row.connection } else { empty.connection });
            }
            let widths = [8, 8, 4, 8, 8, 8, 4, 8, 8];
            let least: usize = used.iter().zip(widths).filter(|(used, _)| **used).map(|(_, width)| width).sum();
            prop_assert!(columns.bytes() >= least * FRAMES as usize);
            prop_assert!((columns.bytes() == 0) != used.contains(&true));
        }
    }
}
