//! Who is calling, and may they: authentication puts a [`Principal`] into the request, [`Allowed`] asks it for a permission.
//!
//! Promises: a handler that takes [`Allowed`] never runs for a caller without that permission, and refuses before the body
//! is read. A principal that is already there (a call inside the process) is respected; nothing on the wire can put one
//! there.
//!
//! ```
//! use aiva_chassis::http::{Allowed, Need, Permission};
//!
//! struct ReadFindings;
//! impl Need for ReadFindings {
//!     const PERMISSION: Permission = Permission("findings.read");
//! }
//!
//! async fn list(caller: Allowed<ReadFindings>) -> String {
//!     format!("for {}", caller.display)
//! }
//! ```

use std::{convert::Infallible, fmt, marker::PhantomData, ops::Deref, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::extract::FromRequestParts;
use http::{HeaderValue, StatusCode, header, request::Parts};

use super::problem::ApiError;

/// The name of something that a caller may or may not do, such as `findings.read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission(pub &'static str);

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Whoever holds this sees the hints in error answers.
pub const SEE_HINTS: Permission = Permission("operations.read");

/// What a route needs; implemented by a marker type that the handler names in [`Allowed`].
pub trait Need: Send + Sync + 'static {
    /// The permission that the caller must hold.
    const PERMISSION: Permission;
}

/// What a principal may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permissions {
    /// Everything; the bootstrap token and the process itself.
    All,
    /// These and no others.
    Only(Arc<[String]>),
}

impl Permissions {
    /// Whether `permission` is among them.
    pub fn allow(&self, permission: Permission) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|name| name == permission.0),
        }
    }
}

impl FromIterator<String> for Permissions {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Self::Only(names.into_iter().collect())
    }
}

/// What sort of caller a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// A person with an account.
    Person,
    /// A program with credentials of its own.
    Service,
    /// Whoever holds the bootstrap token of this installation.
    Bootstrap,
    /// A console session.
    Session,
    /// This process itself.
    Internal,
}

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Stable, unique, fit for an audit record; never a secret.
    pub id: Arc<str>,
    /// What to show to people.
    pub display: Arc<str>,
    /// What they may do.
    pub permissions: Permissions,
    /// What sort of caller.
    pub kind: PrincipalKind,
}

impl Principal {
    /// A principal of any kind.
    pub fn new(
        id: impl Into<Arc<str>>,
        display: impl Into<Arc<str>>,
        permissions: Permissions,
        kind: PrincipalKind,
    ) -> Self {
        Self { id: id.into(), display: display.into(), permissions, kind }
    }

    /// This process calling itself, with every permission.
    pub fn internal(id: impl Into<Arc<str>>) -> Self {
        let id = id.into();
        Self { display: Arc::clone(&id), id, permissions: Permissions::All, kind: PrincipalKind::Internal }
    }

    /// Whether they hold `permission`.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.allow(permission)
    }
}

/// The caller, proven to hold the permission of `N`. Taking it in a handler's signature is what guards the route.
pub struct Allowed<N> {
    principal: Principal,
    need: PhantomData<fn() -> N>,
}

impl<N> Allowed<N> {
    /// The caller.
    pub fn into_principal(self) -> Principal {
        self.principal
    }
}

impl<N: Need> Allowed<N> {
    /// The caller of a request with these extensions, for gRPC: `Allowed::<ReadThings>::by(request.extensions())?`.
    pub fn by(extensions: &http::Extensions) -> Result<Self, ApiError> {
        let Some(principal) = extensions.get::<Principal>() else {
            return Err(ApiError::unauthenticated(
                "sign in, or send the token that `aiva token show` prints as Authorization: Bearer",
            ));
        };
        if !principal.may(N::PERMISSION) {
            return Err(ApiError::forbidden(N::PERMISSION));
        }
        Ok(Self { principal: principal.clone(), need: PhantomData })
    }
}

impl<N> Deref for Allowed<N> {
    type Target = Principal;
    fn deref(&self) -> &Principal {
        &self.principal
    }
}

impl<N> fmt::Debug for Allowed<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Allowed").field(&self.principal).finish()
    }
}

impl<N: Need, S: Sync> FromRequestParts<S> for Allowed<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::by(&parts.extensions)
    }
}

/// Says in a handler's signature that the route is open to everybody by design.
#[derive(Debug, Clone, Copy)]
pub struct Public;

impl<S: Sync> FromRequestParts<S> for Public {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

/// Tells who sent a request, from its credentials.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// `None` for a request without credentials; an error for credentials that do not hold. Reads no body.
    async fn authenticate(&self, request: &Parts) -> Result<Option<Principal>, AuthError>;
}

/// Why credentials were refused.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Unknown, expired, revoked and malformed credentials look alike to the caller on purpose.
    #[error("credentials do not hold")]
    Invalid,
    /// Too many failures from this client.
    #[error("too many failed attempts")]
    Throttled {
        /// How long to wait.
        retry_after: Duration,
    },
    /// A browser sent a signed-in session's cookie on behalf of another site.
    #[error("cross-site request with a session cookie")]
    CrossSite,
    /// Nobody can tell right now.
    #[error("credentials cannot be checked")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Invalid => {
                Self::new(StatusCode::UNAUTHORIZED, "invalid_credentials", "the credentials do not hold").with_header(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"aiva\", error=\"invalid_token\""),
                )
            }
            AuthError::Throttled { retry_after } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_attempts",
                "too many failed attempts from this address; wait before the next one",
            )
            .with_retry_after(retry_after),
            AuthError::CrossSite => Self::new(
                StatusCode::FORBIDDEN,
                "cross_site",
                "a change with a session cookie must come from the console itself",
            ),
            AuthError::Unavailable(source) => {
                tracing::error!(error = %super::problem::Chain(source.as_ref()), "cannot authenticate");
                Self::unavailable(Duration::from_secs(5))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct ReadThings;
    impl Need for ReadThings {
        const PERMISSION: Permission = Permission("things.read");
    }

    async fn ask(principal: Option<Permissions>) -> Result<String, u16> {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        if let Some(permissions) = principal {
            parts.extensions.insert(Principal::new("p1", "Ana", permissions, PrincipalKind::Person));
        }
        let allowed = Allowed::<ReadThings>::from_request_parts(&mut parts, &()).await;
        allowed.map(|a| a.display.to_string()).map_err(|e| e.status().as_u16())
    }

    #[tokio::test]
    async fn only_the_permission_opens_the_door() {
        let only = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect::<Permissions>());
        assert_eq!(ask(None).await, Err(401));
        assert_eq!(ask(only(&[])).await, Err(403));
        assert_eq!(ask(only(&["things", "things.read.all", "things.write"])).await, Err(403)); // exact names only
        assert_eq!(ask(only(&["things.write", "things.read"])).await, Ok("Ana".into()));
        assert_eq!(ask(Some(Permissions::All)).await, Ok("Ana".into()));
    }
}
