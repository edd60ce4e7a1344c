//! Where a version stands in XML, and what is left as it is.

use std::cell::OnceCell;

use super::*;
use crate::fix::ask::{Move, Stands};

/// What an edit makes of a text: the new text, `lacks x` for a property, `refused: …`, or `-` where nothing is asked for.
fn edit(kind: Kind, ecosystem: Ecosystem, name: &str, through: &[String], text: &str) -> String {
    let moves = [Move { from: "1.0".to_owned(), to: "1.2.6".to_owned() }];
    let lines = BTreeSet::new();
    let ask =
        Ask { ecosystem, name, moves: &moves, lines: &lines, stands: Stands::Here, through, sorted: OnceCell::new() };
    match Sheet::read(kind, text).map(|sheet| sheet.edit(&ask)) {
        Err(reason) => format!("error: {reason}"),
        Ok(edited) if !edited.refused.is_empty() => format!("refused: {}", edited.refused[0].reason),
        Ok(edited) if !edited.lacking.is_empty() => {
            format!("lacks {}", edited.lacking.into_iter().collect::<Vec<_>>().join(" "))
        }
        Ok(edited) if edited.entries.is_empty() => "-".to_owned(),
        Ok(edited) => edited.puts.applied(text),
    }
}

#[test]
fn a_pom_is_edited_where_the_version_stands() {
    let dependency = |version: &str| {
        format!(
            "<dependencies><dependency><groupId> g </groupId><artifactId>a</artifactId>{version}<exclusions><exclusion>\
                 <groupId>g</groupId><artifactId>a</artifactId></exclusion></exclusions></dependency></dependencies>"
        )
    };
    let pom = |before: &str, version: &str| format!("<project>{before}{}</project>", dependency(version));
    for (before, version, want_before, want) in [
        ("", "<version>1.0</version>", "", "<version>1.2.6</version>"),
        ("", "<version>\n  1.0 </version><!-- x -->", "", "<version>\n  1.2.6 </version><!-- x -->"),
        ("", "<version>[1.0]</version>", "", "<version>[1.2.6]</version>"),
        (
            "<properties><a.v>1.0</a.v><b>1.0</b></properties>",
            "<version>${a.v}</version>",
            "<properties><a.v>1.2.6</a.v><b>1.0</b></properties>",
            "<version>${a.v}</version>",
        ),
        (
            "<profiles><profile><properties><v>1.0</v></properties></profile></profiles><properties><v>1.0</v></properties>",
            "<version>${v}</version>",
            "<profiles><profile><properties><v>1.2.6</v></properties></profile></profiles><properties><v>1.2.6</v></properties>",
            "<version>${v}</version>",
        ),
    ] {
        let got = edit(Kind::PomXml, Ecosystem::Maven, "g:a", &[], &pom(before, version));
        assert_eq!(got, pom(want_before, want));
    }
    for (text, through, want) in [
        (pom("", "<version>${v}</version>"), "", "lacks v"),
        (pom("", ""), "", "-"),
        (pom("", "<version>2.0</version>"), "", "-"),
        (
            pom("", "<version>1.<!-- x -->0</version>"),
            "",
            "refused: g:a is not written in plain text; move it to 1.2.6 by hand",
        ),
        (
            pom("", "<version>${v}.0</version>"),
            "",
            "refused: the version of g:a is put together (${v}.0); move it to 1.2.6 by hand",
        ),
        (
            "<project><properties><v>1.0</v></properties></project>".to_owned(),
            "v",
            "<project><properties><v>1.2.6</v></properties></project>",
        ),
        ("<project><a>".to_owned(), "", "-"),
        (
            "<project></a>".to_owned(),
            "",
            "error: not XML: ill-formed document: expected `</project>`, but `</a>` was found",
        ),
    ] {
        let through: Vec<String> = through.split_whitespace().map(str::to_owned).collect();
        assert_eq!(edit(Kind::PomXml, Ecosystem::Maven, "g:a", &through, &text), want, "{text}");
    }
}

#[test]
fn a_project_is_edited_where_the_version_stands() {
    for (text, want) in [
        (
            r#"<PackageReference Include="A.B" Version="1.0" />"#,
            r#"<PackageReference Include="A.B" Version="1.2.6" />"#,
        ),
        (
            r#"<PackageReference Version = ' 1.0'
                Include='a.b'/>"#,
            r#"<PackageReference Version = ' 1.2.6'
                Include='a.b'/>"#,
        ),
        (
            r#"<PackageReference Update="X;A.B"><Version>1.0</Version></PackageReference>"#,
            r#"<PackageReference Update="X;A.B"><Version>1.2.6</Version></PackageReference>"#,
        ),
        (
            r#"<PackageVersion Include="A.B" Version="[1.0]" />"#,
            r#"<PackageVersion Include="A.B" Version="[1.2.6]" />"#,
        ),
        (r#"<PackageReference Include="A.B" Version="$(V)" />"#, "lacks V"),
        (r#"<PackageReference Include="A.B" Version="1.0" VersionOverride="9" />"#, "-"),
        (r#"<PackageReference Include="A.B" Version="&#49;.0" />"#, "-"),
        (r#"<PackageReference Include="A.B" />"#, "-"),
        (r#"<PackageReference Include="Other" Version="1.0" />"#, "-"),
    ] {
        let whole = |text: &str| format!("<Project><ItemGroup>{text}</ItemGroup></Project>");
        let want = if want.starts_with('<') { whole(want) } else { want.to_owned() };
        assert_eq!(edit(Kind::DotnetProject, Ecosystem::NuGet, "A.B", &[], &whole(text)), want, "{text}");
    }
    let text = r#"<Project><PropertyGroup Condition="c"><V>1.0</V></PropertyGroup><PackageReference Include="A.B" Version="$(v)"/></Project>"#;
    assert_eq!(edit(Kind::DotnetProject, Ecosystem::NuGet, "a.b", &[], text), text.replace("1.0", "1.2.6"));
}
