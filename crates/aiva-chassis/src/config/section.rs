//! The declarations: sections and words.
//!
//! Each crate declares the section it owns; the binary's root section has the others as its keys.

/// Declares a section: a struct, its documentation, defaults and reader, all from one text.
///
/// A key is `name: Type`, then `= default` (as in the file), `example "..."` (TOML, where there is no default) and
/// `env "NAME"` (a usual variable) or `env "NAME" via merge` (with a function that sees the file's value), closed by `;`. Any
/// type that is a [`Field`](crate::config::Field) will do: another section, `Option`, `Vec`, `BTreeMap<String, _>`, a
/// [`Secret`](crate::secret::Secret). `checks function` names a `fn(&Section, &mut Reader)` that looks at the whole.
///
/// ```
/// aiva_chassis::config_section! {
///     /// How mail is sent.
///     pub struct Mail checks check_mail {
///         /// The relay.
///         pub relay: String = "localhost:25", env "MAIL_RELAY";
///         /// Its password.
///         pub password: Option<aiva_chassis::secret::Secret>, example "{ env = \"MAIL_PASSWORD\" }";
///     }
/// }
/// fn check_mail(mail: &Mail, reader: &mut aiva_chassis::config::Reader<'_>) {
///     if mail.password.is_none() {
///         reader.hazard("password", "anyone on the network may relay");
///     }
/// }
/// ```
#[macro_export]
macro_rules! config_section {
    (
        $(#[doc = $doc:literal])*
        $vis:vis struct $section:ident $(checks $check:path)? {
            $(
                $(#[doc = $key_doc:literal])*
                $key_vis:vis $key:ident : $type:ty
                $(= $default:expr)?
                $(, example $example:literal)?
                $(, env $alias:literal $(via $merge:path)?)*
                ;
            )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone)]
        $vis struct $section {
            $($(#[doc = $key_doc])* $key_vis $key: $type,)*
        }

        impl $crate::config::Section for $section {
            const DOC: &'static [&'static str] = &[$($doc),*];

            fn keys() -> Vec<$crate::config::read::Key> {
                vec![$($crate::config::read::Key {
                    name: $crate::config::section::bare_name(stringify!($key)),
                    doc: &[$($key_doc),*],
                    default: $crate::config_section!(@default $($default)?),
                    example: $crate::config_section!(@example $($example)?),
                    aliases: vec![$($crate::config::read::Alias {
                        name: $alias,
                        merge: $crate::config_section!(@merge $($merge)?),
                    }),*],
                    shape: <$type as $crate::config::Field>::shape(),
                }),*]
            }
        }

        impl $crate::config::Field for $section {
            fn shape() -> $crate::config::read::Shape {
                $crate::config::read::Shape::Section(
                    <Self as $crate::config::Section>::DOC,
                    <Self as $crate::config::Section>::keys(),
                )
            }

            fn read(
                node: Option<&$crate::config::source::Node>,
                reader: &mut $crate::config::Reader<'_>,
            ) -> Option<Self> {
                let opened = reader.open(node, &[$($crate::config::section::bare_name(stringify!($key))),*])?;
                $(let $key: Option<$type> = reader.key(
                    &opened,
                    $crate::config::section::bare_name(stringify!($key)),
                    $crate::config_section!(@default $($default)?),
                );)*
                let section = Self { $($key: $key?,)* };
                $($check(&section, reader);)?
                Some(section)
            }

            fn may_be_absent() -> bool {
                true
            }
        }
    };
    (@default) => { None };
    (@default $default:expr) => { Some($crate::config::source::Value::from($default)) };
    (@example) => { None };
    (@example $example:literal) => { Some($example) };
    (@merge) => { $crate::config::section::replace };
    (@merge $merge:path) => { $merge };
}

/// Declares a value that is one of a few words.
///
/// ```
/// aiva_chassis::config_words! {
///     /// How loud.
///     pub enum Volume {
///         /// Nearly silent.
///         Low = "low",
///         /// Not silent.
///         High = "high",
///     }
/// }
/// assert_eq!(Volume::High.as_str(), "high");
/// ```
#[macro_export]
macro_rules! config_words {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($(#[$word_meta:meta])* $variant:ident = $word:literal),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $vis enum $name {
            $($(#[$word_meta])* $variant),+
        }

        impl $name {
            /// The word that stands for it in the file.
            $vis fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl $crate::config::Leaf for $name {
            const WHAT: &'static str = concat!("one of" $(, " \"", $word, "\"")+);

            fn from_text(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(String::new()),
                }
            }

            fn show(&self) -> String {
                format!("{:?}", self.as_str())
            }
        }
    };
}

/// The plain form of a merge: the variable's value is the key's.
#[doc(hidden)]
pub fn replace(variable: &str, _file: Option<&str>) -> String {
    variable.to_owned()
}

/// A field's name without the mark that lets a keyword be a name (`r#match`).
#[doc(hidden)]
pub fn bare_name(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}
