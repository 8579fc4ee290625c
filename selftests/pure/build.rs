// SPDX-License-Identifier: GPL-2.0

//! The options of a kernel that has KUnit.

fn main() {
    println!("cargo:rustc-cfg=CONFIG_KUNIT=\"y\"");
    println!("cargo:rustc-cfg=CONFIG_64BIT");
}
