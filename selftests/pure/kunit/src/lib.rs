// SPDX-License-Identifier: GPL-2.0

//! `kernel::macros::kunit_tests`, for the host.

use proc_macro::TokenStream;

/// The module of tests as it is: its functions are the host's tests.
#[proc_macro_attribute]
pub fn kunit_tests(_suite: TokenStream, module: TokenStream) -> TokenStream {
    format!("#[cfg(test)] {module}").parse().unwrap_or_default()
}
