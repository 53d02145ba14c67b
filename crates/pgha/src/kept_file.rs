//! Files of a cluster on this machine, which outlive a crash and a power cut: a reader finds the old text or
//! the new one, whole, and once it is written, the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Mode of a file that is for its owner alone, also while it is written.
pub(crate) const PRIVATE: u32 = 0o600;
/// Mode of a file that the user's own mask decides about.
pub(crate) const PLAIN: u32 = 0o666;

/// Writes a file: beside it, to the disk, then under its name, and that to the disk too.
pub(crate) fn write(path: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_string_lossy();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let fresh = folder.join(format!(".{name}.new"));
    let _ = fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_is_replaced_whole_and_what_a_crash_left_is_in_nobodys_way() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("key");
        fs::write(dir.path().join(".key.new"), "half").expect("a file");
        for text in ["first", "second"] {
            write(&path, text.as_bytes(), PRIVATE).expect("it is written");
            assert_eq!(fs::read_to_string(&path).expect("a file"), text);
        }
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, PRIVATE);
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 1);
    }
}
