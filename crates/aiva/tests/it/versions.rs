//! `aiva sca version-order`, as a script sees it.

use crate::program::World;

#[test]
fn a_list_that_holds_and_one_that_does_not() {
    let world = World::new();
    world.write("good.txt", "# Debian policy\n1.0~rc1 < 1.0\n\n1:0.9 > 1.0\n1.0 = 1.0-0\n");
    world.write("bad.txt", "1.0 > 1.0.1\nlatest < 1.0\n");

    let good = world.aiva(&["sca", "version-order", "--ecosystem", "Debian:12", "good.txt"]);
    assert_eq!((good.code(), good.out().as_str()), (0, "3 passed, 0 failed\n"), "{}", good.err());

    let bad = world.aiva(&["sca", "version-order", "--ecosystem", "npm", "bad.txt"]);
    assert_eq!(bad.code(), 1, "{}", bad.err());
    assert_eq!(
        bad.out(),
        "bad.txt:1: 1.0 > 1.0.1 does not hold: 1.0 < 1.0.1\n\
         bad.txt:2: latest < 1.0 does not hold: \"latest\" has no place in this order\n\
         0 passed, 2 failed\n"
    );
}

#[test]
fn an_unknown_ecosystem_and_a_missing_list_are_said() {
    let world = World::new();
    let unknown = world.aiva(&["sca", "version-order", "--ecosystem", "maven", "list.txt"]);
    assert_eq!(unknown.code(), 2);
    assert!(unknown.err().contains("Maven"), "{}", unknown.err());
    let missing = world.aiva(&["sca", "version-order", "--ecosystem", "Maven", "list.txt"]);
    assert_eq!(missing.code(), 2);
    assert!(missing.err().contains("list.txt"), "{}", missing.err());
}
