//! How much one command takes.

use bson::raw::RawDocumentBuf;
use std::borrow::Borrow;

/// A command's document must stay below 16 MiB with its overhead, so one member of a list may be nearly as large.
pub(crate) const COMMAND_BYTES: usize = 8 << 20;
/// The name of a member of a list, and its type.
const MEMBER_BYTES: usize = 16;

/// The members of a command's list in as few commands as their size allows: each takes so many bytes, or one larger member.
pub(crate) fn in_commands<D: Borrow<RawDocumentBuf>>(
    members: &[D],
    command_bytes: usize,
) -> impl Iterator<Item = &[D]> {
    let mut rest = members;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fit = rest.iter().take_while(|member| {
            let member: &RawDocumentBuf = D::borrow(member);
            bytes += member.as_bytes().len() + MEMBER_BYTES;
            bytes <= command_bytes
        });
        let (now, later) = rest.split_at(fit.count().max(1).min(rest.len()));
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::raw::cstr;

    #[test]
    fn large_members_have_commands_of_their_own() {
        let member = |mebibytes: usize| {
            let mut document = RawDocumentBuf::new();
            document.append(cstr!("x"), "x".repeat(mebibytes << 20));
            document
        };
        let members: Vec<_> = [1, 3, 3, 3, 12, 1, 12].map(member).into();
        let counts: Vec<usize> = in_commands(&members, COMMAND_BYTES).map(<[_]>::len).collect();
        assert_eq!(counts, [3, 1, 1, 1, 1]);
        assert_eq!(in_commands(&members, COMMAND_BYTES).flatten().count(), members.len());
        assert_eq!(in_commands(&members[..0], COMMAND_BYTES).count(), 0);
    }
}
