//! The kept corpus of the fuzzers (`tests/fuzz/corpus`), replayed without a fuzzer: every input
//! that once reached something new, and every one that once broke something.
//!
//! The targets are those of `core/fuzz`, compiled in here; docs/fuzzing.md describes them.

use std::fs;
use std::path::Path;

#[path = "../kernel/ledger.rs"]
mod ledger;
#[path = "../../fuzz/src/repair.rs"]
mod repair;
#[path = "../../fuzz/src/source.rs"]
mod source;
#[path = "../support/mod.rs"]
mod support;
#[path = "../../fuzz/src/targets/mod.rs"]
mod targets;
#[path = "../../fuzz/src/world.rs"]
mod world;

/// Fewer would say that the corpus was not found.
const MIN_INPUTS: usize = 10;

#[test]
fn the_kept_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus");
    for (name, run) in targets::ALL {
        let directory = corpus.join(name);
        let mut inputs: Vec<_> = fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
            .map(|entry| entry.expect("readable").path())
            .collect();
        inputs.sort();
        assert!(inputs.len() >= MIN_INPUTS, "{name}: {}", inputs.len());
        for input in inputs {
            // Shown when it panics.
            println!("{}", input.display());
            run(&fs::read(&input).expect("readable"));
        }
    }
}

#[test]
fn degenerate_inputs_hold() {
    for (name, run) in targets::ALL {
        for input in [
            vec![],
            vec![0],
            vec![0xff; 3],
            vec![0; 4096],
            vec![0xff; 4096],
        ] {
            println!("{name}: {} bytes", input.len());
            run(&input);
        }
    }
}
