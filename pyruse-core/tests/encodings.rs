//! Every 8-bit encoding that both Python and WHATWG know decodes as Python 3.11 does (`encodings/gen_encodings.py`).

use std::collections::BTreeMap;

use pyruse_core::entry::EightBit;

#[derive(serde::Deserialize)]
struct Cases {
    names: BTreeMap<String, String>,
    tables: BTreeMap<String, Vec<Option<u32>>>,
}

#[test]
fn labels_that_python_knows_too_mean_what_python_means() {
    let cases: Cases = serde_json::from_str(include_str!("encodings/cases.json")).unwrap();
    let mut known = 0;
    for (label, name) in &cases.names {
        let Some(encoding) = EightBit::for_label(label) else { continue };
        known += 1;
        for (byte, expected) in (128..=255_u8).zip(&cases.tables[name]) {
            let found = encoding.decode(&[byte]).chars().next().map(u32::from);
            // What Python leaves undefined may come out as anything that is visible.
            assert!(
                expected.is_none() || found == *expected,
                "{label} ({name}): byte {byte:#x}: {found:x?}, not {expected:x?}"
            );
        }
    }
    assert!(known >= 100, "only {known} labels are known");
}
