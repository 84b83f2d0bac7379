//! The id that Kafka gives a topic when it is made: a topic of the same name that was made again has another one.
//!
//! librdkafka can ask for it, rdkafka has no name for that yet; hence the foreign calls, all of them here. Each pointer that librdkafka
//! gives away is owned by a guard that gives it back; what an event holds is borrowed from it and copied before it goes.

use rdkafka::bindings::{
    rd_kafka_AdminOptions_destroy, rd_kafka_AdminOptions_new, rd_kafka_AdminOptions_set_request_timeout,
    rd_kafka_DescribeTopics, rd_kafka_DescribeTopics_result_topics, rd_kafka_TopicCollection_destroy,
    rd_kafka_TopicCollection_of_topic_names, rd_kafka_TopicDescription_topic_id, rd_kafka_Uuid_base64str,
    rd_kafka_Uuid_least_significant_bits, rd_kafka_Uuid_most_significant_bits, rd_kafka_admin_op_t,
    rd_kafka_event_DescribeTopics_result, rd_kafka_event_destroy, rd_kafka_queue_destroy, rd_kafka_queue_new,
    rd_kafka_queue_poll,
};
use rdkafka::client::{Client, ClientContext};
use std::ffi::{CStr, CString, c_int};
use std::ptr;
use std::time::Duration;

/// An owned object of librdkafka, given back when dropped.
struct Owned<T> {
    pointer: *mut T,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    fn new(pointer: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        (!pointer.is_null()).then_some(Self { pointer, destroy })
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the constructor that belongs to `destroy`, is not null, and is given back only here.
        unsafe { (self.destroy)(self.pointer) }
    }
}

/// The topic's id as Kafka's own tools print it; `None` where the broker does not tell in time, or is older than topic ids
/// (Kafka 2.8).
pub(crate) fn topic_id<C: ClientContext>(client: &Client<C>, topic: &str, timeout: Duration) -> Option<String> {
    let native = client.native_ptr();
    let name = CString::new(topic).ok()?;
    let mut names = [name.as_ptr()];
    let timeout = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: `native` lives as long as `client`, which outlives every object that is made from it here; `names` is copied.
    let (topics, options, queue) = unsafe {
        (
            Owned::new(
                rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()),
                rd_kafka_TopicCollection_destroy,
            )?,
            Owned::new(
                rd_kafka_AdminOptions_new(native, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS),
                rd_kafka_AdminOptions_destroy,
            )?,
            Owned::new(rd_kafka_queue_new(native), rd_kafka_queue_destroy)?,
        )
    };
    // SAFETY: all four are alive; a refused timeout leaves the default one; the request copies topics and options.
    let event = unsafe {
        rd_kafka_AdminOptions_set_request_timeout(options.pointer, timeout, ptr::null_mut(), 0);
        rd_kafka_DescribeTopics(native, topics.pointer, options.pointer, queue.pointer);
        Owned::new(rd_kafka_queue_poll(queue.pointer, timeout), rd_kafka_event_destroy)?
    };
    // SAFETY: the event is the answer to the only request on this queue; what is borrowed from it is read before it is dropped.
    unsafe {
        let result = rd_kafka_event_DescribeTopics_result(event.pointer);
        if result.is_null() {
            return None;
        }
        let mut count = 0;
        let descriptions = rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if descriptions.is_null() || count == 0 {
            return None;
        }
        let id = rd_kafka_TopicDescription_topic_id(*descriptions);
        let is_zero = id.is_null()
            || (rd_kafka_Uuid_most_significant_bits(id), rd_kafka_Uuid_least_significant_bits(id)) == (0, 0);
        if is_zero {
            return None;
        }
        CStr::from_ptr(rd_kafka_Uuid_base64str(id)).to_str().ok().map(str::to_owned)
    }
}
