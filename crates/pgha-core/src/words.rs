//! Quantities as people read them.

/// `41 kB`, in powers of ten as `etcdctl` and Docker have them.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut whole, mut tenth, mut unit) = (bytes, 0, 0);
    while whole >= 1000 {
        tenth = whole % 1000 / 100;
        whole /= 1000;
        unit += 1;
    }
    if tenth == 0 || whole >= 10 {
        format!("{whole} {}", UNITS[unit])
    } else {
        format!("{whole}.{tenth} {}", UNITS[unit])
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `a`, `a or b`, `a, b or c`.
pub fn either(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// `1 standby`, `2 standbys`.
pub fn standbys(count: u32) -> String {
    let word = if count == 1 { "standby" } else { "standbys" };
    format!("{count} {word}")
}

/// `1 replica streams`, `2 replicas stream`.
pub fn replicas_stream(replicas: usize) -> String {
    let words = if replicas == 1 { "replica streams" } else { "replicas stream" };
    format!("{replicas} {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_etcdctl_writes_them() {
        for (size, text) in [
            (0, "0 B"),
            (176, "176 B"),
            (40_960, "40 kB"),
            (4_812_000, "4.8 MB"),
            (1_048_576, "1 MB"),
            (16_777_520, "16 MB"),
            (2_147_483_648, "2.1 GB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn one_standby_is_no_several() {
        assert_eq!([0, 1, 2].map(standbys), ["0 standbys", "1 standby", "2 standbys"]);
    }

    #[test]
    fn names_are_listed_as_in_a_sentence() {
        let names = |n: usize| -> Vec<String> {
            ["a", "b", "c"].into_iter().take(n).map(str::to_owned).collect()
        };
        assert_eq!([0, 1, 2, 3].map(|n| list(&names(n))), ["", "a", "a and b", "a, b and c"]);
        assert_eq!(either(&names(3)), "a, b or c");
    }
}
