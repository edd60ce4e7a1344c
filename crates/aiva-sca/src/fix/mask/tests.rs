//! What is masked in a line, in the lines below it, and how long that takes.

use super::{Secrets, masked};

#[track_caller]
fn check(rows: &[(&str, &str)]) {
    for (line, want) in rows {
        assert_eq!(masked(line), *want, "{line}");
        assert_eq!(masked(want), *want, "nothing is masked twice");
    }
}

#[test]
fn credentials_are_masked_wherever_an_address_stands() {
    check(&[
        (" --index-url https://user:token@host/simple", " --index-url https://***@host/simple"),
        ("-a @ git+https://ghp_x@github.com/o/a@v1", "-a @ git+https://***@github.com/o/a@v1"),
        ("\"a\": \"git+ssh://git@h/a\", b = 'ssh://u:p@h'", "\"a\": \"git+ssh://git@h/a\", b = 'ssh://***@h'"),
        ("x http://a:b@c http://d:e@f#g@h", "x http://***@c http://***@f#g@h"),
        ("https://h/@scope/a?x", "https://h/@scope/a?x"),
        ("https://u:p%40q@x@h:80/", "https://***@h:80/"),
        ("https://@h ://", "https://@h ://"),
        ("a==1.0 # me@example.com", "a==1.0 # me@example.com"),
        ("ü://ü:ö@ä", "ü://***@ä"),
        ("\"url\": \"https:\\/\\/u:ghp_x@h\\/a\"", "\"url\": \"https:\\/\\/***@h\\/a\""),
    ]);
}

#[test]
fn values_of_a_query_are_masked() {
    check(&[
        ("\"a\": \"https://h/a.tgz?token=abc\",", "\"a\": \"https://h/a.tgz?token=***\","),
        ("a @ https://h/a?api_key=x&v=1#sha256=ab", "a @ https://h/a?api_key=***&v=***#sha256=ab"),
        ("https://h/?X-Amz-Signature=ab&x&y= z=1", "https://h/?X-Amz-Signature=***&x&y= z=1"),
        ("https://u:p@h?t=1 https://h/?t=2", "https://***@h?t=*** https://h/?t=***"),
        ("<https://h/?t=1>'https://h?t=2'", "<https://h/?t=***>'https://h?t=***'"),
        ("https:\\/\\/h\\/?t=1", "https:\\/\\/h\\/?t=***"),
        ("https://h/?to=https://u:p@h/?x=1", "https://h/?to=***://***@h/?x=***"),
        ("a?b=c", "a?b=c"), // no address
        ("{a: https://h/?t=1}, x https://h/?t=2: why", "{a: https://h/?t=***}, x https://h/?t=***: why"),
        ("https://ü/?ö=ä", "https://ü/?ö=***"),
        (r#""https://h/a\"?t=SECRET""#, r#""https://h/a\"?t=***""#),
        ("https://h/?ref=v1&amp;t=x#a", "https://h/?ref=v1&amp;t=***#a"),
        (r"https://h/?ref=v1\u0026t=x https://h/?t\u003dx", r"https://h/?ref=*** https://h/?***"),
        ("{a: https://h/?branch=a/b&path=@c/d, x", "{a: https://h/?branch=a/b&path=@c/d, x"),
        ("https://h/?path=https://u:p@h", "https://h/?path=https://***@h"),
        (r#""https://u:p\"SECRET@h/a""#, r#""https://***@h/a""#),
    ]);
}

#[test]
fn what_is_set_for_a_secret_is_masked() {
    check(&[
        ("//registry.npmjs.org/:_authToken=npm_abc", "//registry.npmjs.org/:_authToken=***"),
        ("_password = cGFzcw==", "_password = ***"),
        ("password = \"a b\" # x", "password = \"***\" # x"),
        ("  \"token\" : \"abc\",", "  \"token\" : \"***\","),
        ("    token: ghp_abc # x", "    token: *** # x"),
        ("with: {token: 'abc', ref: main}", "with: {token: '***', ref: main}"),
        ("auth = { api-key = 'x', token = 'y' }", "auth = { api-key = '***', token = '***' }"),
        ("x.apiKey = \"k\"; y.secret='s'", "x.apiKey = \"***\"; y.secret='***'"),
        ("AWS_SECRET_ACCESS_KEY=abc", "AWS_SECRET_ACCESS_KEY=***"),
        ("password = \"open", "password = \"***"),
        ("Password=\"p;q\" Username=\"u\"", "Password=\"***\" Username=\"u\""),
        (r#""password": "ab\"cdSECRET", x"#, r#""password": "***", x"#),
        ("password = 'it''sSECRET' # x", "password = '***' # x"),
        ("auth: Basic dXNlcjpw # x", "auth: *** # x"),
        ("token: Bearer x", "token: ***"),
        ("password = my secret phrase; x", "password = ***; x"),
        ("{token: abc}", "{token: ***}"),
        ("Authorization: Basic x", "Authorization: ***"),
        ("gpg.credentials = \"x\", bearer: y", "gpg.credentials = \"***\", bearer: ***"),
        ("x-signature=ab", "x-signature=***"),
        ("\"npmToken\": [\"S\", \"T\\\"U\"], \"a\": [\"b\"]", "\"npmToken\": [\"***\", \"***\"], \"a\": [\"b\"]"),
        ("tokenizers: [a], token: [a b, c]", "tokenizers: [a], token: [***, ***]"),
        ("npm-tokens: [a], apiKeys = 'b'", "npm-tokens: [***], apiKeys = '***'"),
        ("token: &t abc # x", "token: &t *** # x"),
        ("token: !!str &t 'abc'", "token: !!str &t '***'"),
        ("auth = [\"pyjwt[crypto]>=1.0,<2\", 'x==1.0; y']", "auth = [\"pyjwt[crypto]>=1.0,<2\", 'x==1.0; y']"),
        ("auth = [\"cGFzcw==\"] # token=a b", "auth = [\"***\"] # token=***"),
        ("<NuGetPassword>a b</NuGetPassword><b>c</b>", "<NuGetPassword>***</NuGetPassword><b>c</b>"),
        ("<ApiKey x=\"y\">k", "<ApiKey x=\"y\">***"),
        ("<db.password>p</db.password>", "<db.password>***</db.password>"),
        ("<io.token>1.0</io.token><token>${v}</token>", "<io.token>1.0</io.token><token>${v}</token>"),
        ("<token/> <a>b</a>", "<token/> <a>b</a>"),
        // None of these is one.
        ("token: ${{ secrets.X }}", "token: ${{ secrets.X }}"),
        ("id-token: write-all", "id-token: ***"), // more than what is one
        ("fetch-depth: 0", "fetch-depth: 0"),
        ("token==1.0", "token==1.0"),
        ("\"jsonwebtoken\": \"github:x/y\"", "\"jsonwebtoken\": \"github:x/y\""),
        ("csrf-token = \"9\"", "csrf-token = \"9\""),
        ("\"csrf-token\": \"^1.2.0 || ~3.0.0-rc.1\"", "\"csrf-token\": \"^1.2.0 || ~3.0.0-rc.1\""),
        ("api(\"io.token:jjwt:0.9\")", "api(\"io.token:jjwt:0.9\")"),
        ("password: 12345", "password: ***"),
        ("password = \"1a2b.3c\"", "password = \"***\""),
        ("\"token\":\"abc\"", "\"token\":\"***\""),
        ("cache-key: abc", "cache-key: abc"),
        ("token>=1.0", "token>=1.0"),
        ("tokenizers = \"^1.0\"", "tokenizers = \"^1.0\""),
        ("password: 12", "password: 12"),
        ("token = { version = \"1\" }", "token = { version = \"1\" }"),
        ("tokens:", "tokens:"),
        ("ü: ö = ä", "ü: ö = ä"),
    ]);
}

#[test]
fn lines_below_that_go_with_it_are_masked() {
    for (text, want) in [
        ("a:\n  npm-token: >-\n    S\n\n    T u\n  b: c\n", "a:\n  npm-token: >-\n    ***\n\n    ***\n  b: c\n"),
        ("- token: | # x\n   S\n  b: c", "- token: | # x\n   ***\n  b: c"),
        (
            "\"npmToken\": [\n  \"S\",\n  \"T\"\n],\n\"a\": [\n  \"b\"",
            "\"npmToken\": [\n  \"***\",\n  \"***\"\n],\n\"a\": [\n  \"b\"",
        ),
        ("auth = [ # why\n  \"pyjwt==1.0\", # token=x\n]", "auth = [ # why\n  \"pyjwt==1.0\", # token=***\n]"),
        ("password = \"\"\"\nS\nT\"\"\"\nb = 1", "password = \"\"\"\n***\n***\"\"\"\nb = 1"),
        ("<password>\n  S\n</password>\n<a>\n b\n</a>", "<password>\n  ***\n</password>\n<a>\n b\n</a>"),
        ("<auth>\n  <user>u</user>", "<auth>\n  <user>u</user>"),
        ("token: >=1\n  b: c", "token: >=1\n  b: c"),
        ("npm-tokens:\n- S\n-   'T u' \nb:\n- c", "npm-tokens:\n- ***\n-   '***' \nb:\n- c"),
        (
            "a:\n- tokens: &t # why\n\n  # x\n  - S\n  - - T: u\n    - |\n      v: w\n  b: c\n- d",
            "a:\n- tokens: &t # why\n\n  # x\n  - ***\n  - - ***\n    - |\n      ***\n  b: c\n- d",
        ),
        (
            "auth:\n  - pyjwt>=1.0\n  - ${{ secrets.A }}\n  -\n    S",
            "auth:\n  - pyjwt>=1.0\n  - ${{ secrets.A }}\n  -\n    ***",
        ),
        ("token:\n  S # a: b\n  T\nb: c", "token:\n  ***\n  ***\nb: c"),
        ("\"token\":\n  \"S: t\"\n", "\"token\":\n  ***\n"),
        ("auth:\n  user: u\n  pass: S", "auth:\n  user: u\n  pass: ***"),
        ("\"auth\":\n  \"user\": 1\n", "\"auth\":\n  \"user\": 1\n"),
        ("\"auth\":\n  { \"user\": 1\n", "\"auth\":\n  { \"user\": 1\n"),
        ("auth:\nb\n  - c", "auth:\nb\n  - c"),
        ("  # auth:\n   b", "  # auth:\n   b"),
    ] {
        let secrets = Secrets::of(&[text]);
        for sign in ["+", "-", " "] {
            let shown = |line: &str| secrets.masked(&format!("{sign}{line}"))[1..].to_owned();
            assert_eq!(text.lines().map(shown).collect::<Vec<_>>(), want.lines().collect::<Vec<_>>(), "{text}");
        }
    }
}

/// Each beginning is judged before the end is sought; and where that is far away, it is not sought.
#[test]
fn a_long_line_is_gone_through_once() {
    for part in [
        "token={",
        "token=[#",
        "token=${",
        "token='1 ",
        "token=\"\"\"",
        "<token>",
        "token: >",
        "<",
        "token=1 ",
        "\"\"=",
        "token: &",
        "\"token\":&",
        "token: & ",
        "- token:\t",
    ] {
        let line = part.repeat(1 << 16);
        let start = std::time::Instant::now();
        let shown = masked(&line);
        assert!(shown.len() <= line.len(), "{part}");
        assert!(start.elapsed().as_secs() < 20, "{part} takes {:?}", start.elapsed());
    }
    let far = format!("password = \"{}\" SECRET", "ä".repeat(4096));
    assert_eq!(masked(&far), "password = \"***");
}
