//! CSV by the letter of RFC 4180, as the oracle of the readers of CSV.

/// Rows of fields, the header first; none if the bytes are not plainly CSV.
///
/// Plain is: UTF-8, lines that end in `\n` or `\r\n`, quotes only around whole fields and doubled inside them, no other delimiter than the
/// comma in sight, at least two columns with different names, as many fields in each row, and no text that may be swallowed rows. Empty
/// lines are no rows.
pub fn rows(bytes: &[u8]) -> Option<Vec<Vec<String>>> {
    let text = std::str::from_utf8(bytes).ok()?;
    if text.contains([';', '\t', '|', '\0', '\u{feff}']) || text.replace("\r\n", "\n").contains('\r') {
        return None;
    }
    let mut rest = text;
    let mut rows = Vec::new();
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix('\n').or_else(|| rest.strip_prefix("\r\n")) {
            rest = behind;
            continue;
        }
        rows.push(row(&mut rest)?);
    }
    let header = rows.first()?;
    let is_named = |(place, name): (usize, &String)| {
        !name.trim().is_empty() && !header[..place].iter().any(|other| other.trim() == name.trim())
    };
    let is_line = |field: &String| !field.contains('\n') || !field.contains(',');
    let is_table = header.len() > 1 && header.iter().enumerate().all(is_named);
    (is_table && rows.iter().all(|row| row.len() == header.len() && row.iter().all(is_line))).then_some(rows)
}

fn row(rest: &mut &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    loop {
        fields.push(if rest.starts_with('"') { quoted(rest)? } else { plain(rest)? });
        if let Some(behind) = rest.strip_prefix(',') {
            *rest = behind;
            continue;
        }
        if !rest.is_empty() {
            *rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n'))?;
        }
        return Some(fields);
    }
}

fn plain(rest: &mut &str) -> Option<String> {
    let (field, behind) = rest.split_at(rest.find([',', '\r', '\n']).unwrap_or(rest.len()));
    *rest = behind;
    (!field.contains('"')).then(|| field.to_owned())
}

fn quoted(rest: &mut &str) -> Option<String> {
    let mut field = String::new();
    loop {
        let inside = rest.strip_prefix('"')?;
        let (part, behind) = inside.split_once('"')?;
        field.push_str(part);
        *rest = behind;
        if !rest.starts_with('"') {
            return Some(field);
        }
        field.push('"');
    }
}
