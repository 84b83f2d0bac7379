//! The headers of a record, whose names need not be UTF-8.
//!
//! Kafka takes any bytes as a name. rdkafka expects UTF-8 and panics where they are not, which would end the poll thread at the same record
//! at every start; hence the foreign calls.

use rdkafka::bindings::{rd_kafka_header_get_all, rd_kafka_headers_t, rd_kafka_message_headers, rd_kafka_resp_err_t};
use rdkafka::message::BorrowedMessage;
use std::ffi::CStr;
use std::ptr;

/// Name and value of each header, in order; what is not UTF-8 in a name is replaced.
pub(super) fn read(message: &BorrowedMessage<'_>) -> Vec<(String, Option<Vec<u8>>)> {
    let mut headers = ptr::null_mut();
    // SAFETY: the message is borrowed, so it lives; its headers are its own and live as long.
    unsafe {
        match rd_kafka_message_headers(message.ptr(), &raw mut headers) {
            rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => copy(headers),
            _ => Vec::new(),
        }
    }
}

/// Bytes that headers take in memory.
pub(super) fn bytes(headers: &[(String, Option<Vec<u8>>)]) -> usize {
    let bytes = |(name, value): &(String, Option<Vec<u8>>)| name.len() + value.as_ref().map_or(0, Vec::len);
    std::mem::size_of_val(headers) + headers.iter().map(bytes).sum::<usize>()
}

/// # Safety
/// `headers` is a live list of librdkafka.
unsafe fn copy(headers: *const rd_kafka_headers_t) -> Vec<(String, Option<Vec<u8>>)> {
    let header = |place: usize| {
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the list lives, as the caller guarantees; what is found belongs to it and is copied at once.
        unsafe {
            match rd_kafka_header_get_all(headers, place, &raw mut name, &raw mut value, &raw mut size) {
                rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {
                    let name = CStr::from_ptr(name).to_string_lossy().into_owned();
                    let bytes =
                        (!value.is_null()).then(|| std::slice::from_raw_parts(value.cast::<u8>(), size).to_vec());
                    Some((name, bytes))
                }
                _ => None,
            }
        }
    };
    (0..).map_while(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::bindings::{rd_kafka_header_add, rd_kafka_headers_destroy, rd_kafka_headers_new};

    #[test]
    fn a_name_need_not_be_utf_8() {
        let sent: [(&[u8], Option<&[u8]>); 4] =
            [(b"trace", Some(b"a\0b")), (b"caf\xe9", Some(b"")), (b"none", None), (b"", Some(b"x"))];
        // SAFETY: the list is made, filled, copied and given back here; lengths are those of the slices.
        let found = unsafe {
            let headers = rd_kafka_headers_new(sent.len());
            for (name, value) in sent {
                let (bytes, size) =
                    value.map_or((ptr::null(), -1), |value| (value.as_ptr().cast(), value.len() as isize));
                rd_kafka_header_add(headers, name.as_ptr().cast(), name.len() as isize, bytes, size);
            }
            let found = copy(headers);
            rd_kafka_headers_destroy(headers);
            found
        };
        let expected = [("trace", Some(&b"a\0b"[..])), ("caf\u{fffd}", Some(b"")), ("none", None), ("", Some(b"x"))];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec))));
    }
}
