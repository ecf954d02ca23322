//! How many steps an expression needs, to tell those for which a search may be given up.
//!
//! In: a program. Out: the number of steps for each character of a hostile text. It is measured, because what can be
//! calculated is a limit that nearly no text comes near: a dozen steps for each instruction and position. The texts
//! repeat characters of the expression, because hostile texts do. So an expression may need more, but rarely does.

use super::program::{Instruction, Program};
use super::run::{MOST_STEPS, Run, STEPS_A_BYTE, steps};
use super::scratch::{Scratch, Text};
use super::sets::Members;

/// A program with fewer instructions never needs many steps.
const FEW: usize = 20;
/// The length of a text, in characters: more than most repetitions take.
const LENGTH: usize = 1 << 10;
/// Behind each text. So `$` fails, and what ends with it is searched to the end.
const END: [char; 2] = ['\n'; 2];
/// The maximum number of different characters that are tried.
const CHARS: usize = 8;

/// Returns the maximum number of steps for each character. Steps of texts beyond ASCII, of which fewer are allowed,
/// count as more.
pub(super) fn steps_a_character(program: &Program) -> u32 {
    if program.code.len() < FEW {
        return 0;
    }
    let chars = chars(program);
    let pairs = (0..chars.len()).flat_map(|gap| (0..chars.len()).map(move |at| (at, at + gap)));
    let mut scratch = Scratch::default();
    let (mut most, mut all) = (0, 0_u32);
    for (one, other) in pairs {
        let pair = [chars[one], chars[other % chars.len()]];
        let text: Vec<char> = pair.into_iter().cycle().take(LENGTH).chain(END).collect();
        let mut run = Run::new(program, text.as_slice(), &mut scratch, MOST_STEPS);
        // Whether it is found does not matter.
        let _ = run.search(0, true);
        most = most.max(run.steps / steps(text.len()) * 100 / <&[char]>::SHARE);
        all = all.saturating_add(run.steps);
        if most > STEPS_A_BYTE || all > MOST_STEPS {
            break;
        }
    }
    most
}

/// Returns a character of each set and text of a program.
fn chars(program: &Program) -> Vec<char> {
    let in_set = |members: &Members| {
        ('a'..='z').chain('!'..='~').chain([' ', 'é']).find(|char| members.has(u32::from(*char)))
    };
    let of_sets = program.sets.iter().filter_map(in_set);
    let of_texts = program.code.iter().filter_map(|instruction| match instruction {
        Instruction::Text(text) => text.first().copied(),
        _ => None,
    });
    let mut chars = Vec::new();
    for char in of_sets.chain(of_texts) {
        if chars.len() < CHARS && !chars.contains(&char) {
            chars.push(char);
        }
    }
    chars
}
