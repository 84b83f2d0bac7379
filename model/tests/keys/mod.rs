//! Which keys a type accepts, asked of serde itself.
//!
//! [`Tracer`] answers every request of a `Deserialize` implementation with a smallest value and notes the structs and enums that it is
//! asked for, with the names that they accept.

use serde::de::value::{Error, StrDeserializer};
use serde::de::{self, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use std::cell::RefCell;
use std::collections::BTreeMap;

type Found = BTreeMap<&'static str, &'static [&'static str]>;

/// The structs and enums within `T`, each with the names that it accepts.
pub(crate) fn of<T: for<'de> Deserialize<'de>>() -> Found {
    let found = RefCell::default();
    T::deserialize(Tracer(&found)).unwrap_or_else(|error| panic!("tracing failed: {error}"));
    found.into_inner()
}

#[derive(Clone, Copy)]
struct Tracer<'f>(&'f RefCell<Found>);

impl<'de> de::Deserializer<'de> for Tracer<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(false)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u32(0)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str("")
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Items(self, 1))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Items(self, len))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Members(self, &[]))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.borrow_mut().insert(name, fields);
        visitor.visit_map(Members(self, fields))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.borrow_mut().insert(name, variants);
        visitor.visit_enum(First(self, variants[0]))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u64 f32 f64 char str bytes byte_buf unit unit_struct newtype_struct tuple_struct identifier
        ignored_any
    }
}

struct Items<'f>(Tracer<'f>, usize);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(left) = self.1.checked_sub(1) else { return Ok(None) };
        self.1 = left;
        seed.deserialize(self.0).map(Some)
    }
}

struct Members<'f>(Tracer<'f>, &'static [&'static str]);

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((first, rest)) = self.1.split_first() else { return Ok(None) };
        self.1 = rest;
        seed.deserialize(StrDeserializer::new(first)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.0)
    }
}

/// The first variant of an enum.
struct First<'f>(Tracer<'f>, &'static str);

impl<'de, 'f> EnumAccess<'de> for First<'f> {
    type Error = Error;
    type Variant = Tracer<'f>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Tracer<'f>), Error> {
        Ok((seed.deserialize(StrDeserializer::new(self.1))?, self.0))
    }
}

impl<'de> VariantAccess<'de> for Tracer<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Items(self, len))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Members(self, fields))
    }
}
