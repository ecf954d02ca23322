//! Which sources of the configuration read what it publishes, for the lint that finds loops.

use pyruse_core::plugin::Compile;
use pyruse_core::plugin::fact::Fact;

use crate::subject;

/// What the sources of the configuration read.
#[derive(Default)]
struct Streams(Vec<Stream>);

struct Stream {
    source: String,
    connection: String,
    /// None: any.
    subjects: Vec<String>,
}

/// Notes what the source that is compiled reads.
pub(crate) fn note_source(connection: &str, subjects: &[String], cx: &mut Compile<'_>) {
    let stream = Stream {
        source: cx.source_name().to_owned(),
        connection: connection.to_owned(),
        subjects: subjects.to_vec(),
    };
    cx.shared::<Streams>().0.push(stream);
}

/// States which sources read what a step publishes to this subject, which may have wildcards. Sources are compiled first.
pub(crate) fn state_feeds(path: &str, connection: &str, to: &str, cx: &mut Compile<'_>) {
    let reads = |stream: &&Stream| {
        let is_read = |subject: &String| subject::overlap(subject, to);
        stream.connection == connection && (stream.subjects.is_empty() || stream.subjects.iter().any(is_read))
    };
    let sources: Vec<String> =
        cx.shared::<Streams>().0.iter().filter(reads).map(|stream| stream.source.clone()).collect();
    for source in sources {
        cx.states(path, Fact::Feeds { source });
    }
}
