//! The compose file as plain data, in the order of its keys.

use serde::{Serialize, Serializer};
use serde_saphyr::{DoubleQuoted, FlowMap, FlowSeq, LitString, RcAnchor};

use crate::spec::{Bytes, Cpus};
use crate::topology::Role;

/// A text in quotes, so that no reader takes it for anything else.
pub(super) type Quoted = DoubleQuoted<String>;
/// What stands in the file once, and is referred to.
pub(super) type Shared<T> = RcAnchor<T>;

/// A mapping in the order in which it was made.
#[derive(Clone)]
pub(super) struct Ordered<T>(pub(super) Vec<(String, T)>);

impl<T: Serialize> Serialize for Ordered<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// The whole file.
#[derive(Serialize)]
pub(super) struct File {
    #[serde(rename = "x-spec")]
    pub(super) spec: Shared<LitString>,
    #[serde(rename = "x-layout")]
    pub(super) layout: Quoted,
    #[serde(rename = "x-labels")]
    pub(super) labels: Labels,
    #[serde(rename = "x-hosts")]
    pub(super) hosts: Shared<Vec<Quoted>>,
    pub(super) services: Ordered<Service>,
    pub(super) networks: Ordered<Network>,
    pub(super) volumes: Ordered<Volume>,
    pub(super) secrets: Ordered<Secret>,
}

/// Whose something is.
#[derive(Serialize, Clone)]
pub(super) struct Labels {
    #[serde(rename = "pgha.cluster")]
    pub(super) cluster: Quoted,
    #[serde(rename = "pgha.instance")]
    pub(super) instance: Quoted,
    #[serde(rename = "pgha.uid", skip_serializing_if = "Option::is_none")]
    pub(super) uid: Option<Quoted>,
    #[serde(rename = "pgha.drill", skip_serializing_if = "Option::is_none")]
    pub(super) drill: Option<Quoted>,
    #[serde(rename = "pgha.layout", skip_serializing_if = "Option::is_none")]
    pub(super) layout: Option<Quoted>,
    #[serde(rename = "pgha.spec", skip_serializing_if = "Option::is_none")]
    pub(super) spec: Option<Shared<LitString>>,
    #[serde(rename = "pgha.site", skip_serializing_if = "Option::is_none")]
    pub(super) site: Option<String>,
    #[serde(rename = "pgha.role", skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<Role>,
}

impl Labels {
    /// The same for the head of the file, which has specification and layout already.
    pub(super) fn without_spec(self) -> Self {
        Self { layout: None, spec: None, ..self }
    }
}

/// The router or a member.
#[derive(Serialize)]
pub(super) struct Service {
    pub(super) image: String,
    pub(super) container_name: String,
    pub(super) hostname: String,
    pub(super) labels: Labels,
    pub(super) environment: Variables,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) depends_on: Option<FlowSeq<Vec<String>>>,
    pub(super) networks: FlowSeq<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ports: Option<FlowSeq<Vec<Quoted>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) volumes: Vec<Quoted>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) secrets: Vec<Mounted>,
    pub(super) extra_hosts: Shared<Vec<Quoted>>,
    pub(super) restart: &'static str,
    pub(super) stop_grace_period: &'static str,
    pub(super) cap_drop: FlowSeq<Vec<String>>,
    pub(super) cap_add: FlowSeq<Vec<String>>,
    pub(super) security_opt: FlowSeq<Vec<Quoted>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) devices: Option<FlowSeq<Vec<String>>>,
    pub(super) sysctls: FlowMap<Ordered<Quoted>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shm_size: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mem_limit: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpus: Option<Cpus>,
    pub(super) logging: Logging,
}

/// Environment variables of a member.
#[derive(Serialize)]
pub(super) struct Variables {
    #[serde(rename = "PGHA_SPEC")]
    pub(super) spec: Shared<LitString>,
    #[serde(rename = "PGHA_INSTANCE")]
    pub(super) instance: Quoted,
    #[serde(rename = "PGHA_LAYOUT")]
    pub(super) layout: Quoted,
    #[serde(rename = "PGHA_UID", skip_serializing_if = "Option::is_none")]
    pub(super) uid: Option<Quoted>,
    #[serde(rename = "PGHA_UNDERLAY", skip_serializing_if = "Option::is_none")]
    pub(super) underlay: Option<Quoted>,
    #[serde(rename = "ENDPOINTS", skip_serializing_if = "Option::is_none")]
    pub(super) endpoints: Option<Quoted>,
    #[serde(rename = "CFG_DIR", skip_serializing_if = "Option::is_none")]
    pub(super) config_dir: Option<&'static str>,
    #[serde(rename = "DATADIR", skip_serializing_if = "Option::is_none")]
    pub(super) data_dir: Option<String>,
    #[serde(rename = "STANZA_NAME", skip_serializing_if = "Option::is_none")]
    pub(super) stanza: Option<&'static str>,
    #[serde(rename = "PATRONICTL_CONFIG_FILE", skip_serializing_if = "Option::is_none")]
    pub(super) patronictl: Option<String>,
    #[serde(rename = "PGBACKREST_CONFIG", skip_serializing_if = "Option::is_none")]
    pub(super) pgbackrest: Option<String>,
}

/// A secret of a service.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Mounted {
    /// By its own name.
    Same(String),
    /// By another name.
    As { source: String, target: &'static str },
}

impl Mounted {
    /// Its name in the file.
    pub(super) fn source(self) -> String {
        match self {
            Self::Same(source) | Self::As { source, .. } => source,
        }
    }
}

/// Where the log of a container goes.
#[derive(Serialize)]
pub(super) struct Logging {
    pub(super) driver: &'static str,
    pub(super) options: FlowMap<Ordered<Quoted>>,
}

/// The network of a site.
#[derive(Serialize)]
pub(super) struct Network {
    pub(super) name: String,
    pub(super) driver: &'static str,
    pub(super) labels: Labels,
    pub(super) ipam: Ipam,
}

/// Subnets of a network.
#[derive(Serialize)]
pub(super) struct Ipam {
    pub(super) config: Vec<Subnet>,
}

/// One of them.
#[derive(Serialize)]
pub(super) struct Subnet {
    pub(super) subnet: String,
}

/// The volume of a member.
#[derive(Serialize)]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) labels: Labels,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) driver_opts: Option<Bind>,
}

/// A folder of the user's in the place of a volume.
#[derive(Serialize)]
pub(super) struct Bind {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(rename = "o")]
    pub(super) options: &'static str,
    pub(super) device: Quoted,
}

/// The file of a secret.
#[derive(Serialize)]
pub(super) struct Secret {
    pub(super) file: Quoted,
}
