//! The building blocks of version keys: numbers and texts whose bytes sort as they do.

/// Appends a decimal number of any size. Its length comes first, so that more digits sort higher.
pub(super) fn push_number(key: &mut Vec<u8>, digits: &str) {
    let digits = digits.trim_start_matches('0');
    // Nearly all numbers are short.
    let digit = |byte: &u8| byte.wrapping_sub(b'0');
    match digits.as_bytes() {
        [one @ b'0'..=b'9'] => return key.extend_from_slice(&[1, digit(one)]),
        [ten @ b'0'..=b'9', one @ b'0'..=b'9'] => return key.extend_from_slice(&[1, 10 * digit(ten) + digit(one)]),
        _ => {}
    }
    match digits.parse::<u64>() {
        _ if digits.is_empty() => key.push(0),
        Ok(number) if digits.len() < 20 => {
            let bytes = number.to_be_bytes();
            let zeros = number.leading_zeros() as usize / 8;
            key.push(8 - zeros as u8);
            key.extend_from_slice(&bytes[zeros..]);
        }
        _ => {
            key.push(9);
            key.extend_from_slice(&(digits.len() as u16).to_be_bytes());
            key.extend_from_slice(digits.as_bytes());
        }
    }
}

/// Appends a text without zero bytes; a text that continues another one sorts after it.
pub(super) fn push_text(key: &mut Vec<u8>, text: &str) {
    key.extend_from_slice(text.as_bytes());
    key.push(0);
}
