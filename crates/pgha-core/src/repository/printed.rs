//! What pgBackRest prints is JSON but for its error messages: it leaves control characters in them as they
//! are, and quotes a file that it could not read byte by byte.

use std::fmt::Write as _;

/// The same as JSON: control characters inside strings are escaped, bytes that are no text are replaced.
pub fn json_of_printed(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    let mut json = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        if in_string && character.is_ascii_control() {
            // Behind a backslash it would be part of that escape.
            let slash = if escaped { "\\" } else { "" };
            let _ = write!(json, "{slash}\\u{:04x}", u32::from(character));
            escaped = false;
            continue;
        }
        json.push(character);
        match character {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn a_file_that_could_not_be_read_is_quoted_in_the_message() {
        let printed =
            b"[{\"message\":\"[FormatError] invalid JSON 'a\x07\x01\x1b\n\xff\\\"' \\\\\"}]\n";
        assert!(serde_json::from_slice::<Value>(printed).is_err());
        let read: Value = serde_json::from_str(&json_of_printed(printed)).expect("JSON");
        let message = read[0]["message"].as_str().expect("a message");
        assert_eq!(message, "[FormatError] invalid JSON 'a\u{7}\u{1}\u{1b}\n\u{fffd}\"' \\");
    }

    proptest! {
        #[test]
        fn what_is_json_stays_the_same(text: String) {
            let printed = Value::from(vec![Value::from(text)]).to_string();
            prop_assert_eq!(json_of_printed(printed.as_bytes()), printed);
        }

        #[test]
        fn any_message_is_read(bytes: Vec<u8>) {
            // As pgBackRest writes it: quotes and backslashes are escaped, the rest is not.
            let mut printed = b"\"".to_vec();
            for byte in bytes {
                if matches!(byte, b'"' | b'\\') { printed.push(b'\\'); }
                printed.push(byte);
            }
            printed.push(b'"');
            let json = json_of_printed(&printed);
            prop_assert!(serde_json::from_str::<Value>(&json).is_ok(), "{json}");
        }
    }
}
