// SPDX-License-Identifier: GPL-2.0

//! Links libraio where `RAIO_LIB_DIR` says that it is.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(libraio)");
    println!("cargo::rerun-if-env-changed=RAIO_LIB_DIR");
    if let Ok(dir) = std::env::var("RAIO_LIB_DIR") {
        println!("cargo::rustc-cfg=libraio");
        println!("cargo::rustc-link-search={dir}");
        println!("cargo::rerun-if-changed={dir}/libraio.a");
    }
}
