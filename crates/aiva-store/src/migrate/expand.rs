//! Tells what in a step would break the release before it. Pure.
//!
//! While a release is rolled out the one before still runs on the new schema: it reads the columns that it knows, and
//! writes rows without those that it does not. So a step that only expands adds tables, indexes, and columns that may be
//! left out; it takes nothing away, renames nothing, and asks nothing new of the rows of a table that is there already.
//! Words are looked at, not meaning: what is refused wrongly belongs into a step that contracts, or is spelt otherwise.

/// The first statement of a step's SQL that contracts, with the reason.
pub fn contraction(sql: &str) -> Option<(String, &'static str)> {
    let sql: String = sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    let statements: Vec<Vec<String>> = sql.split(';').map(words).filter(|words| !words.is_empty()).collect();
    let new: Vec<&str> = statements.iter().filter_map(|words| table_after(words, &["CREATE", "TABLE"])).collect();
    statements.iter().find_map(|words| reason(words, &new).map(|reason| (words.join(" "), reason)))
}

fn words(statement: &str) -> Vec<String> {
    let spaced = statement.replace(['(', ')', ','], " ");
    spaced.split_whitespace().map(str::to_uppercase).collect()
}

/// The name after these words and `IF NOT EXISTS`.
fn table_after<'w>(words: &'w [String], start: &[&str]) -> Option<&'w str> {
    words.starts_with(&start.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).then_some(())?;
    words[start.len()..].iter().map(String::as_str).find(|word| !["IF", "NOT", "EXISTS", "ONLY"].contains(word))
}

fn reason(words: &[String], new: &[&str]) -> Option<&'static str> {
    let has = |word: &str| words.iter().any(|w| w == word);
    let follow = |first: &str, second: &str| words.windows(2).any(|pair| pair[0] == first && pair[1] == second);
    let first = words.first().map(String::as_str).unwrap_or_default();
    let on_new = |table: Option<&str>| table.is_some_and(|table| new.contains(&table));
    if has("DROP") || has("TRUNCATE") || first == "DELETE" {
        return Some("it takes away what the release before may need");
    }
    if has("RENAME") {
        return Some("the release before knows only the old name");
    }
    if first == "ALTER" && !on_new(table_after(words, &["ALTER", "TABLE"])) {
        if follow("NOT", "NULL") && !has("DEFAULT") {
            return Some("the release before writes rows without the column, which has no default");
        }
        if ["TYPE", "CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "REFERENCES"].iter().any(|word| has(word))
            || follow("SET", "NOT")
        {
            return Some("it asks of rows what the release before does not promise");
        }
    }
    let table = words.iter().position(|word| word == "ON").and_then(|on| words.get(on + 1));
    if follow("UNIQUE", "INDEX") && !on_new(table.map(String::as_str)) {
        return Some("it asks of rows what the release before does not promise");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::contraction;

    #[track_caller]
    fn check(sql: &str, contracts: bool) {
        assert_eq!(contraction(sql).is_some(), contracts, "{sql}");
    }

    #[test]
    fn what_the_release_before_would_trip_over_contracts() {
        check("CREATE TABLE a (b TEXT NOT NULL UNIQUE); CREATE UNIQUE INDEX i ON a (b)", false);
        check("create table if not exists a (b text); alter table a add column c text not null", false); // nobody has rows
        check("ALTER TABLE a ADD COLUMN b TEXT", false);
        check("ALTER TABLE a ADD COLUMN b TEXT NOT NULL DEFAULT ''", false);
        check("CREATE INDEX i ON a (b); -- nothing is DROPped here", false);
        check("UPDATE a SET b = 1", false);
        check("ALTER TABLE a ADD COLUMN b TEXT NOT NULL", true);
        check("ALTER TABLE a ALTER COLUMN b SET NOT NULL", true);
        check("ALTER TABLE a ALTER b TYPE bigint", true);
        check("ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0)", true);
        check("CREATE UNIQUE INDEX i ON a (b)", true);
        check("ALTER TABLE a RENAME COLUMN b TO c", true);
        check("CREATE TABLE b (c TEXT);\nDROP TABLE a", true);
        check("ALTER TABLE a\n  DROP\n  COLUMN b", true);
        check("DELETE FROM a", true);
    }
}
