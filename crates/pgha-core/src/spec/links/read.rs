//! Reads a `[[link]]`: the keys of its ends here, and all others by the change itself.
//!
//! Not by `serde(flatten)`, which keeps all values first and reads them later: what is wrong with one
//! would be told without its line and column.

use std::fmt;

use pgha_wan::settings::{LinkChange, SETTINGS};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IntoDeserializer as _, MapAccess, Visitor,
};

use super::LinkV1;

/// The keys that say which link it is.
const ENDS: [&str; 3] = ["between", "from", "to"];

/// Every key of a link.
const KEYS: [&str; ENDS.len() + SETTINGS.len()] = {
    let mut keys = [""; ENDS.len() + SETTINGS.len()];
    let mut n = 0;
    while n < keys.len() {
        keys[n] = if n < ENDS.len() { ENDS[n] } else { SETTINGS[n - ENDS.len()].key };
        n += 1;
    }
    keys
};

impl<'de> Deserialize<'de> for LinkV1 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Table)
    }
}

struct Table;

impl<'de> Visitor<'de> for Table {
    type Value = LinkV1;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of a link")
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<LinkV1, A::Error> {
        let mut link = LinkV1::default();
        let rest = Rest { table, link: &mut link };
        let change = LinkChange::deserialize(MapAccessDeserializer::new(rest))?;
        link.change = change;
        Ok(link)
    }
}

/// The table without its ends, which are kept as they come.
struct Rest<'a, A> {
    table: A,
    link: &'a mut LinkV1,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        mut seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        loop {
            match self.table.next_key_seed(EndOr(seed))? {
                None => return Ok(None),
                Some(Key::Setting(key)) => return Ok(Some(key)),
                Some(Key::End(end, again)) => {
                    match end {
                        "between" => self.link.between = Some(self.table.next_value()?),
                        "from" => self.link.from = Some(self.table.next_value()?),
                        _ => self.link.to = Some(self.table.next_value()?),
                    }
                    seed = again;
                }
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.table.next_value_seed(seed)
    }
}

/// A key as the change has it, or one of [`ENDS`] and the seed that was not needed for it.
enum Key<S, K> {
    End(&'static str, S),
    Setting(K),
}

struct EndOr<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for EndOr<S> {
    type Value = Key<S, S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        let key = String::deserialize(from)?;
        if let Some(end) = ENDS.into_iter().find(|end| *end == key) {
            return Ok(Key::End(end, self.0));
        }
        if !KEYS.contains(&key.as_str()) {
            return Err(D::Error::unknown_field(&key, &KEYS));
        }
        self.0.deserialize(key.into_deserializer()).map(Key::Setting)
    }
}
