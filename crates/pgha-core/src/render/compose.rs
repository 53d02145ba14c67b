//! `docker-compose.yaml`: the contract between pgha and Compose.

mod document;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use ipnet::Ipv4Net;
use serde_saphyr::{DoubleQuoted, FlowMap, FlowSeq, LitString, RcAnchor};

use crate::extensions::Addition;
use crate::layout::Layout;
use crate::proxy::PGBOUNCER_PASSWORD;
use crate::render::{
    CA_CERTIFICATE, CONFIG_DIR, ETCD_MOUNT, NODE_PASSWORDS, PGDATA_MOUNT, REPOSITORY_DIR,
    REPOSITORY2_MOUNT, S3_CA, SHM_SIZE, SSH_FILES, certificate_files, data_dir,
    mounted_certificate, repo2_volume, repository_secrets, s3_ca_file,
};
use crate::repository::STANZA;
use crate::set_up;
use crate::spec::{BackupTransport, Repo2, Spec};
use crate::topology::{HostChoices, Member, Role, Site, SiteKind, Topology};

use document::{
    Bind, File, Ipam, Labels, Logging, Mounted, Network, Ordered, Quoted, Secret, Service, Shared,
    Subnet, Variables, Volume,
};

/// How the second line of every compose file of pgha starts; what tells it from anybody else's.
pub const DOCKER_COMPOSE_HEADER: &str = "# Written by pgha from the specification below.";

/// Names of the images a cluster runs from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// etcd members.
    pub etcd: String,
    /// Postgres nodes; one image for each major version, and one more for each [`Addition`].
    pub postgres: String,
    /// The backup host.
    pub backup: String,
    /// The WAN router.
    pub wan: String,
    /// Proxies; built for clusters that have any.
    pub proxy: String,
}

impl Images {
    /// The images for a spec.
    pub fn of(spec: &Spec) -> Self {
        let all = Self::of_major(spec.postgres);
        match Addition::of(spec) {
            None => all,
            Some(addition) => Self { postgres: addition.image(&all.postgres), ..all },
        }
    }

    /// The images for a Postgres major version, without extensions.
    pub fn of_major(major: u32) -> Self {
        Self {
            etcd: "pgha-etcd-3.5".to_owned(),
            postgres: format!("pgha-pg{major}-patroni"),
            backup: "pgha-pgbackrest".to_owned(),
            wan: "pgha-wan".to_owned(),
            proxy: "pgha-proxy".to_owned(),
        }
    }

    /// Those that every cluster has, in the order they are built.
    pub fn all(&self) -> [&str; 4] {
        [&self.etcd, &self.wan, &self.backup, &self.postgres]
    }
}

/// Renders the compose file.
///
/// `secrets_dir` is taken by Compose as relative to the file's own folder. Compose takes a `$` for the
/// start of a variable, so every one of them is written twice; [`unescaped`] takes that back. Every service is
/// complete; only the specification and the addresses of the members, which all of them have, stand there once.
///
/// # Panics
/// When `host` lacks the port of a node or the subnet of a site.
pub fn compose(topology: &Topology, host: &HostChoices, secrets_dir: &str) -> String {
    let common = Common::of(topology, host);
    let file = File {
        spec: common.spec.clone(),
        layout: quoted(&topology.layout.to_string()),
        labels: common.labels(None, None).without_spec(),
        hosts: common.hosts.clone(),
        services: services(topology, host, &common),
        networks: networks(topology, host, &common),
        volumes: volumes(topology, &common),
        secrets: secrets(topology, secrets_dir),
    };
    let options = serde_saphyr::ser_options! {
        anchor_generator: Some(|id| if id == 1 { "spec".to_owned() } else { "hosts".to_owned() }),
        compact_list_indent: false,
        prefer_block_scalars: false,
    };
    let text = serde_saphyr::to_string_with_options(&file, options)
        .expect("texts, lists and maps are always YAML");
    commented(&title(topology), &text)
}

/// What every part of the file has.
struct Common {
    cluster: Quoted,
    instance: Quoted,
    uid: Option<Quoted>,
    drill: Option<Quoted>,
    layout: Quoted,
    newest: Layout,
    spec: Shared<LitString>,
    hosts: Shared<Vec<Quoted>>,
    endpoints: Quoted,
    images: Images,
}

impl Common {
    fn of(topology: &Topology, host: &HostChoices) -> Self {
        let hosts = topology.members.iter().map(|m| quoted(&format!("{}:{}", m.name, m.address)));
        Self {
            cluster: quoted(&topology.id.name),
            instance: quoted(&topology.id.instance.to_string()),
            uid: host.uid.as_deref().map(quoted),
            drill: host.drill.as_deref().map(quoted),
            layout: quoted(&topology.layout.to_string()),
            newest: topology.layout.clone(),
            spec: shared(LitString(escaped(&format!("{}\n", topology.spec.to_toml().trim())))),
            hosts: shared(hosts.collect()),
            endpoints: quoted(&topology.endpoints()),
            images: Images::of(&topology.spec),
        }
    }

    /// Labels of what is there since an earlier generation: its label is the one that it was made with, since Compose
    /// has a network or a volume made anew whose labels are others.
    fn labels_since(&self, generation: u32, site: Option<&str>, role: Option<Role>) -> Labels {
        let layout = quoted(&self.newest.at(generation).to_string());
        Labels { layout: Some(layout), ..self.labels(site, role) }
    }

    fn labels(&self, site: Option<&str>, role: Option<Role>) -> Labels {
        Labels {
            cluster: self.cluster.clone(),
            instance: self.instance.clone(),
            uid: self.uid.clone(),
            drill: self.drill.clone(),
            layout: Some(self.layout.clone()),
            spec: Some(self.spec.clone()),
            site: site.map(str::to_owned),
            role,
        }
    }

    /// What all members have, and the router.
    fn service(&self, name: &str, image: &str, labels: Labels, networks: Vec<String>) -> Service {
        let words = |words: &[&str]| FlowSeq(words.iter().map(|word| (*word).to_owned()).collect());
        Service {
            image: image.to_owned(),
            container_name: name.to_owned(),
            hostname: name.to_owned(),
            labels,
            environment: Variables {
                spec: self.spec.clone(),
                instance: self.instance.clone(),
                layout: self.layout.clone(),
                uid: self.uid.clone(),
                underlay: None,
                endpoints: None,
                config_dir: None,
                data_dir: None,
                stanza: None,
                patronictl: None,
                pgbackrest: None,
            },
            depends_on: None,
            networks: FlowSeq(networks),
            ports: None,
            volumes: Vec::new(),
            secrets: Vec::new(),
            extra_hosts: self.hosts.clone(),
            restart: "unless-stopped",
            stop_grace_period: "60s",
            cap_drop: words(&["ALL"]),
            cap_add: words(&[
                "NET_ADMIN",
                "CHOWN",
                "DAC_OVERRIDE",
                "FOWNER",
                "SETUID",
                "SETGID",
                "KILL",
            ]),
            security_opt: FlowSeq(vec![quoted("no-new-privileges:true")]),
            devices: None,
            sysctls: pairs(&[
                ("net.ipv4.tcp_retries2", "5"),
                ("net.ipv4.ping_group_range", "0 65535"),
            ]),
            shm_size: None,
            mem_limit: None,
            cpus: None,
            logging: Logging {
                driver: "json-file",
                options: pairs(&[("max-size", "10m"), ("max-file", "3")]),
            },
        }
    }
}

fn pairs(settings: &[(&str, &str)]) -> FlowMap<Ordered<Quoted>> {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), quoted(value));
    FlowMap(Ordered(settings.iter().map(pair).collect()))
}

/// Every member, and the router as the last.
fn services(topology: &Topology, host: &HostChoices, common: &Common) -> Ordered<Service> {
    let mut all: Vec<(String, Service)> = topology
        .members
        .iter()
        .map(|m| (m.name.clone(), service(topology, host, common, m)))
        .collect();
    let router = topology.router();
    let networks = topology.sites.iter().map(|site| site.network.clone()).collect();
    let labels = common.labels(None, Some(Role::Wan));
    let mut service = common.service(&router, &common.images.wan, labels, networks);
    service.environment.underlay = Some(quoted(&underlay(topology, host)));
    let rights = ["NET_ADMIN", "NET_RAW", "SYS_NICE", "SETUID", "SETGID", "KILL"];
    service.cap_add = FlowSeq(rights.map(str::to_owned).to_vec());
    service.devices = Some(FlowSeq(vec!["/dev/net/tun".to_owned()]));
    service.sysctls = pairs(&[
        ("net.ipv4.ip_forward", "1"),
        ("net.ipv4.conf.all.rp_filter", "0"),
        ("net.ipv4.conf.default.rp_filter", "0"),
    ]);
    all.push((router, service));
    Ordered(all)
}

fn service(topology: &Topology, host: &HostChoices, common: &Common, member: &Member) -> Service {
    let (spec, images) = (&topology.spec, &common.images);
    let site = topology.site(member.site);
    let (image, mount) = match member.role {
        Role::Postgres => (&images.postgres, PGDATA_MOUNT),
        Role::Etcd => (&images.etcd, ETCD_MOUNT),
        Role::Backup | Role::Wan => (&images.backup, REPOSITORY_DIR),
        Role::Proxy => return proxy(topology, host, common, member),
    };
    let labels = common.labels(Some(&site.name), Some(member.role));
    let mut service = common.service(&member.name, image, labels, vec![site.network.clone()]);
    service.volumes = vec![quoted(&format!("{}:{mount}", member.name))];
    let environment = &mut service.environment;
    if member.role != Role::Backup {
        environment.endpoints = Some(common.endpoints.clone());
    }
    if member.role != Role::Etcd {
        environment.config_dir = Some(CONFIG_DIR);
        environment.stanza = Some(STANZA);
        environment.pgbackrest = Some(format!("{CONFIG_DIR}/pgbackrest.conf"));
        service.secrets = secrets_of(topology, member);
    }
    if member.role == Role::Postgres {
        environment.data_dir = Some(data_dir(spec.postgres));
        environment.patronictl = Some(format!("{CONFIG_DIR}/patroni.conf"));
        let before = topology.of_role(Role::Etcd).map(|m| m.name.clone());
        let last = [topology.backup_host().name.clone(), topology.router()];
        service.depends_on = Some(FlowSeq(before.chain(last).collect()));
        service.ports = Some(FlowSeq(published(topology, host, member)));
        let server = &spec.server;
        service.shm_size =
            Some(server.shm_size.map_or_else(|| SHM_SIZE.to_owned(), |size| size.to_string()));
        service.mem_limit = server.memory;
        service.cpus = server.cpus;
    }
    if member.role == Role::Backup && matches!(spec.backup.repo2, Some(Repo2::Posix { .. })) {
        let second = format!("{}:{REPOSITORY2_MOUNT}", repo2_volume(topology));
        service.volumes.push(quoted(&second));
    }
    service
}

/// A proxy. It ends before the nodes of its site, so that clients see a connection end and not an answer missing.
fn proxy(topology: &Topology, host: &HostChoices, common: &Common, member: &Member) -> Service {
    let site = topology.site(member.site);
    let labels = common.labels(Some(&site.name), Some(member.role));
    let networks = vec![site.network.clone()];
    let mut service = common.service(&member.name, &common.images.proxy, labels, networks);
    let nodes = topology.of_role(Role::Postgres).filter(|node| node.site == member.site);
    service.depends_on = Some(FlowSeq(nodes.map(|node| node.name.clone()).collect()));
    service.ports = Some(FlowSeq(published(topology, host, member)));
    service.secrets = secrets_of(topology, member);
    service
}

/// The ports of a member as they are published.
fn published(topology: &Topology, host: &HostChoices, member: &Member) -> Vec<Quoted> {
    let own = topology.published().into_iter().filter(|port| port.member == member);
    own.map(|own| quoted(&format!("127.0.0.1:{}:{}", host.ports[&own.key()], own.port))).collect()
}

/// The secrets of a node, a proxy or the backup host, by the names that PID 1 reads them from.
fn secrets_of(topology: &Topology, member: &Member) -> Vec<Mounted> {
    let spec = &topology.spec;
    let plain = |name: &&str| Mounted::Same((*name).to_owned());
    if member.role == Role::Proxy {
        return spec.proxy.pgbouncer.then(|| plain(&PGBOUNCER_PASSWORD)).into_iter().collect();
    }
    let mut mounted: Vec<Mounted> = match member.role {
        Role::Postgres => {
            let set_up = set_up::secrets(spec).into_iter().map(Mounted::Same);
            NODE_PASSWORDS.iter().map(plain).chain(set_up).collect()
        }
        _ => repository_secrets(spec).iter().map(plain).collect(),
    };
    match spec.backup_transport {
        BackupTransport::Ssh => mounted.extend(SSH_FILES.iter().map(plain)),
        BackupTransport::Tls => {
            mounted.push(plain(&CA_CERTIFICATE));
            let own = certificate_files(&member.name);
            let targets = mounted_certificate(member.role);
            for (source, target) in own.into_iter().zip(targets) {
                mounted.push(Mounted::As { source, target });
            }
        }
    }
    if member.role == Role::Backup && s3_ca_file(spec).is_some() {
        mounted.push(plain(&S3_CA));
    }
    mounted
}

fn networks(topology: &Topology, host: &HostChoices, common: &Common) -> Ordered<Network> {
    assert_eq!(host.subnets.len(), topology.sites.len(), "every site has a subnet");
    let since = |site: &Site| {
        let all = topology.layout.sites().iter();
        all.filter(|s| s.number == site.number).map(|s| s.span.added).next().unwrap_or(1)
    };
    let network = |(site, subnet): (&Site, &Ipv4Net)| {
        let network = Network {
            name: site.network.clone(),
            driver: "bridge",
            labels: common.labels_since(since(site), Some(&site.name), None),
            ipam: Ipam { config: vec![Subnet { subnet: subnet.to_string() }] },
        };
        (site.network.clone(), network)
    };
    Ordered(topology.sites.iter().zip(&host.subnets).map(network).collect())
}

fn volumes(topology: &Topology, common: &Common) -> Ordered<Volume> {
    let volume = |name: String, member: &Member| {
        let site = &topology.site(member.site).name;
        let labels = common.labels_since(member.added, Some(site), Some(member.role));
        (name.clone(), Volume { name, labels, driver_opts: None })
    };
    let members = topology.members.iter().filter(|m| m.has_volume());
    let mut all: Vec<(String, Volume)> = members.map(|m| volume(m.name.clone(), m)).collect();
    if let Some(Repo2::Posix { path }) = &topology.spec.backup.repo2 {
        let mut second = volume(repo2_volume(topology), topology.backup_host());
        second.1.driver_opts =
            path.as_ref().map(|path| Bind { kind: "none", options: "bind", device: quoted(path) });
        all.push(second);
    }
    Ordered(all)
}

/// Every secret that a member has mounted, by name, and where it lies.
fn secrets(topology: &Topology, dir: &str) -> Ordered<Secret> {
    let members = topology.members.iter().filter(|m| m.role != Role::Etcd);
    let mut names: Vec<String> =
        members.flat_map(|m| secrets_of(topology, m)).map(Mounted::source).collect();
    names.sort_unstable();
    names.dedup();
    let secret = |name: String| {
        let file = match s3_ca_file(&topology.spec).filter(|_| name == S3_CA) {
            Some(elsewhere) => quoted(elsewhere),
            None => quoted(&format!("{dir}/{name}")),
        };
        (name, Secret { file })
    };
    Ordered(names.into_iter().map(secret).collect())
}

/// The file with its comments: a head, and one before each part.
fn commented(title: &str, yaml: &str) -> String {
    let mut text = format!(
        "# {title}\n{DOCKER_COMPOSE_HEADER} Runs with plain `docker-compose` or `docker compose`\n\
         # too: the folder of secrets that is named at its end belongs beside it. A `$$` is one `$`.\n"
    );
    for line in yaml.lines() {
        // Only keys of the whole file begin a line.
        if let Some((_, comment)) = COMMENTS.iter().find(|(key, _)| line.starts_with(key)) {
            text.push_str(comment);
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// What is said before each part.
const COMMENTS: [(&str, &str); 8] = [
    ("x-spec:", "\n# The specification that the cluster was made from.\n"),
    ("x-layout:", "\n# Which of its members were added or removed since; generation 1 follows from the specification.\n"),
    ("x-labels:", "\n# Which cluster this is.\n"),
    ("x-hosts:", "\n# Members know each other by name through these, never through the engine's DNS.\n"),
    (
        "services:",
        "
# Postgres nodes, etcd members, the backup host, and the router that every byte between two sites passes.
# - cap_add: NET_ADMIN is for the one address and route of PID 1, which then gives it up; the rest is for
#   owning the volume, reading secrets, and becoming the user that everything else runs as. Of the router
#   NET_ADMIN is for addresses, rules and the TUN device, NET_RAW for knowing when packets came, and
#   SYS_NICE for being on time on a busy machine, before PID 1 gives them up.
# - depends_on: nodes are stopped before the others, so that a leader lets go of its key in etcd and
#   archives its last WAL.
# - sysctls: a connection whose packets vanish fails after 13 s instead of a quarter of an hour. Until it
#   does, etcd and Postgres wait on it, and go on waiting after the partition has healed. Round trips are
#   measured by echo requests, which needs no capability.
# - shm_size: the most that parallel queries may share; memory is taken only as they do.
# - secrets: a certificate is its member's own; PID 1 finds it under the same name in every member.
",
    ),
    ("networks:", "\n# One for each site; the subnets are the engine's business, and no configuration names them.\n"),
    ("volumes:", "\n# The data of the members.\n"),
    ("secrets:", "\n# Files for the members alone that name them. The key of the CA is not among them.\n"),
];

/// A text as Compose wants it where no variable is meant.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

fn quoted(text: &str) -> Quoted {
    DoubleQuoted(escaped(text))
}

fn shared<T>(value: T) -> Shared<T> {
    RcAnchor(Rc::new(value))
}

/// A text of the compose file as it was before it was written there.
pub fn unescaped(text: &str) -> String {
    text.replace("$$", "$")
}

/// Which underlay subnet is which site's, for the router: `1=10.213.0.0/24 2=…`.
fn underlay(topology: &Topology, host: &HostChoices) -> String {
    topology
        .sites
        .iter()
        .zip(&host.subnets)
        .map(|(site, subnet)| format!("{}={subnet}", site.number))
        .collect::<Vec<_>>()
        .join(" ")
}

/// One line that says what the cluster is.
fn title(topology: &Topology) -> String {
    let count = |role: Role, site: &Site| {
        topology.of_role(role).filter(|m| m.site == site.number).count().to_string()
    };
    let centers = topology.sites.iter().filter(|s| s.kind == SiteKind::DataCenter);
    let nodes: Vec<String> = centers.map(|site| count(Role::Postgres, site)).collect();
    let etcd: Vec<String> = topology.sites.iter().map(|site| count(Role::Etcd, site)).collect();
    let equal = nodes.iter().all(|here| *here == nodes[0]);
    format!(
        "Cluster {}: {} data center{} with {} Postgres {} nodes{}, etcd {}{}{}.",
        topology.id,
        nodes.len(),
        if nodes.len() == 1 { "" } else { "s" },
        if equal { nodes[0].clone() } else { nodes.join("+") },
        topology.spec.postgres,
        if equal { " each" } else { "" },
        etcd.join("+"),
        if topology.external_site().is_some() { " (the last outside)" } else { "" },
        if topology.spec.proxy.any() { ", a proxy in each data center" } else { "" },
    )
}
