//! An authority of our own, and certificates that it has signed.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Files with certificates and keys.
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes an authority, and another one that signs nothing.
    pub fn new(folder: &Path) -> Self {
        let certificates = Self { folder: folder.to_owned() };
        for name in ["authority", "stranger"] {
            certificates.openssl(&format!(
                "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
            ));
        }
        certificates
    }

    /// A certificate with its key in one file, as Kafka and mongod read them.
    pub fn sign(&self, name: &str, alternative_names: &str) -> PathBuf {
        let extensions = format!("subjectAltName={alternative_names}\nbasicConstraints=critical,CA:FALSE\n");
        std::fs::write(self.path(&format!("{name}.ext")), extensions).unwrap();
        self.openssl(&format!("req -new -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile {name}.ext \
             -out {name}.crt"
        ));
        let read = |end: &str| std::fs::read_to_string(self.path(&format!("{name}.{end}"))).unwrap();
        let both = self.path(&format!("{name}.pem"));
        std::fs::write(&both, read("key") + &read("crt")).unwrap();
        both
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(&self.folder).output();
        let output = output.expect("the command openssl is needed to make certificates");
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
