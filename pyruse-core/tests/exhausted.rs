//! A search that was given up on one element of a field is not tried on the next.

use pyruse_core::entry::{Buffers, EightBit, Fields, MemoryRecord};
use pyruse_core::pattern::Pattern;
use pyruse_core::plugin::StepError;
use pyruse_core::time::Timestamp;

#[test]
fn after_an_exhausted_search_the_next_element_is_not_tried() {
    let mut fields = Fields::default();
    let message = fields.slot("MESSAGE");
    let mut record = MemoryRecord::at(Timestamp(0));
    for _ in 0..1000 {
        record.push("MESSAGE", format!("aacb{}", "a".repeat(4000)));
    }
    let mut buffers = Buffers::new(fields, EightBit::default(), jiff::tz::TimeZone::UTC);
    let mut entry = buffers.entry(&mut record);
    let pattern = Pattern::new(r"(?:(a|aa)+)+c\1").unwrap();
    for exhausted in [true, false] {
        let mut calls = 0;
        let answer = entry.find_text(message, |text| {
            calls += 1;
            if !exhausted {
                return Err(StepError::new("another"));
            }
            let error = pattern.is_match(text).unwrap_err();
            Err(StepError::exhausted(error.to_string()))
        });
        assert!(answer.is_err());
        assert_eq!(calls, if exhausted { 1 } else { 1000 });
    }
    assert_eq!(entry.any(message, |_| Err(StepError::exhausted(""))), Err(StepError::exhausted("")));
}
