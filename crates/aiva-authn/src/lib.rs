//! Who may come in: sign-in, MFA, OAuth 2.0 and OIDC, tokens.
