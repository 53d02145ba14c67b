//! Where a repository is, as a user writes it: a folder, or the URL of a bucket.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::spec::{Repo2, UriStyle};

/// What a URL of a bucket looks like.
const S3_FORM: &str = "s3://BUCKET[/PATH]?endpoint=HOST[:PORT]&region=REGION";

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A folder of this machine.
    Folder(String),
    /// A bucket of a service that speaks S3.
    S3(Bucket),
}

/// A bucket, or a path in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Its name.
    pub bucket: String,
    /// Path of the repository in it; `None` where it is to be found.
    pub path: Option<String>,
    /// Host name of the service.
    pub endpoint: String,
    /// Port, where it is not 443.
    pub port: Option<u16>,
    /// Its region.
    pub region: String,
    /// How it is told the bucket.
    pub uri_style: UriStyle,
    /// Whether its certificate must be trusted.
    pub verify_tls: bool,
    /// A file of this machine with the CA; `None` for Debian's.
    pub ca_file: Option<String>,
}

/// A text that names no repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// No text.
    #[error("no repository is named")]
    Empty,
    /// A volume of Docker's has no path.
    #[error("`posix` names no folder")]
    NoFolder,
    /// A URL of another kind.
    #[error("`{0}` is neither a folder nor s3://")]
    OtherKind(String),
    /// A part of the URL is missing.
    #[error("{place} names no {part}")]
    Missing {
        /// What was written.
        place: String,
        /// The part.
        part: &'static str,
    },
    /// A part of the URL is not understood.
    #[error("{place}: `{part}` is not understood")]
    Unknown {
        /// What was written.
        place: String,
        /// The part.
        part: String,
    },
}

impl PlaceError {
    /// What to write.
    pub fn hint(&self) -> String {
        format!(
            "posix:/FOLDER, or {S3_FORM}, and where needed &uri_style=path, &verify_tls=false, &ca_file=FILE"
        )
    }
}

impl Place {
    /// Of the second repository of a cluster `demo-1`; `None` of a volume of Docker's.
    pub fn of(repo2: &Repo2, cluster: Option<&str>) -> Option<Self> {
        match repo2.clone() {
            Repo2::Posix { path } => path.map(Self::Folder),
            Repo2::S3 { bucket, endpoint, region, uri_style, port, verify_tls, ca_file } => {
                let path = cluster.map(|cluster| format!("/pgha/{cluster}"));
                Some(Self::S3(Bucket {
                    bucket,
                    path,
                    endpoint,
                    port,
                    region,
                    uri_style,
                    verify_tls,
                    ca_file,
                }))
            }
        }
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    /// Reads `posix:/srv/backups`, `/srv/backups` or `s3://bucket/path?endpoint=…&region=…`.
    fn from_str(text: &str) -> Result<Self, PlaceError> {
        match text.split_once(':') {
            _ if text.is_empty() => Err(PlaceError::Empty),
            Some(("posix", "")) => Err(PlaceError::NoFolder),
            None if text == "posix" => Err(PlaceError::NoFolder),
            Some(("posix", path)) => Ok(Self::Folder(path.to_owned())),
            Some(("s3", rest)) => bucket(text, rest).map(Self::S3),
            Some((_, rest)) if rest.starts_with("//") => {
                Err(PlaceError::OtherKind(text.to_owned()))
            }
            _ => Ok(Self::Folder(text.to_owned())),
        }
    }
}

fn bucket(place: &str, rest: &str) -> Result<Bucket, PlaceError> {
    let missing = |part| PlaceError::Missing { place: place.to_owned(), part };
    let unknown =
        |part: &str| PlaceError::Unknown { place: place.to_owned(), part: part.to_owned() };
    // A line of pgBackRest's configuration ends with the line.
    if let Some(odd) = place.chars().find(|c| c.is_control()) {
        return Err(unknown(&odd.escape_default().to_string()));
    }
    let rest = rest.strip_prefix("//").ok_or_else(|| unknown(rest))?;
    let (name, options) = rest.split_once('?').unwrap_or((rest, ""));
    let (bucket, path) = name.split_once('/').unwrap_or((name, ""));
    let path = path.trim_matches('/');
    let mut read = Bucket {
        bucket: bucket.to_owned(),
        path: (!path.is_empty()).then(|| format!("/{path}")),
        endpoint: String::new(),
        port: None,
        region: String::new(),
        uri_style: UriStyle::default(),
        verify_tls: true,
        ca_file: None,
    };
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').ok_or_else(|| unknown(option))?;
        match name {
            "endpoint" => {
                let (host, port) = value.split_once(':').unwrap_or((value, ""));
                host.clone_into(&mut read.endpoint);
                if !port.is_empty() {
                    read.port = Some(port.parse().map_err(|_| unknown(option))?);
                }
            }
            "region" => value.clone_into(&mut read.region),
            "uri_style" => read.uri_style = value.parse().map_err(|_| unknown(option))?,
            "verify_tls" => read.verify_tls = value.parse().map_err(|_| unknown(option))?,
            "ca_file" => read.ca_file = Some(value.to_owned()),
            _ => return Err(unknown(option)),
        }
    }
    let parts = [(&read.bucket, "bucket"), (&read.endpoint, "endpoint"), (&read.region, "region")];
    let empty = parts.into_iter().find(|(value, _)| value.is_empty()).map(|(_, part)| part);
    empty.map_or(Ok(read), |part| Err(missing(part)))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bucket = match self {
            Self::Folder(path) => return write!(f, "posix:{path}"),
            Self::S3(bucket) => bucket,
        };
        let path = bucket.path.as_deref().unwrap_or_default();
        write!(f, "s3://{}{path}?endpoint={}", bucket.bucket, bucket.endpoint)?;
        if let Some(port) = bucket.port {
            write!(f, ":{port}")?;
        }
        write!(f, "&region={}", bucket.region)?;
        if bucket.uri_style != UriStyle::default() {
            write!(f, "&uri_style={}", bucket.uri_style)?;
        }
        if !bucket.verify_tls {
            write!(f, "&verify_tls=false")?;
        }
        bucket.ca_file.as_ref().map_or(Ok(()), |file| write!(f, "&ca_file={file}"))
    }
}
