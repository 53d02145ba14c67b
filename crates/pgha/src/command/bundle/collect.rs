//! Where the files of a bundle come from. Each source has a deadline, and one that fails says why in its place.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use pgha_core::bundle::Bundle;
use pgha_core::config::Config;
use pgha_core::links::view::WanView;
use pgha_core::member_log::LogLine;
use pgha_core::render::{Images, data_dir};
use pgha_core::status::{ClusterView, ContainerFact, ContainerState};
use pgha_core::topology::Role;
use pgha_wan::control::Request;
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::compose_tool::ComposeTool;
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Work;
use crate::member_logs::{of_container, of_postgres};
use crate::provider::Provider as _;
use crate::repository::BackupHost;
use crate::screen::status::{Extent, draw_all};
use crate::{chronicle, doctor, observe, patroni, project, screen, wan};

/// How long one source may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// Lines of each log, from its end, where no time is given.
const LINES: u32 = 5000;
/// Columns of what is drawn.
const WIDTH: usize = 120;

/// What a source gave.
type Read = Result<String, String>;

/// A source with a deadline.
async fn read(source: impl Future<Output = Result<String>>) -> Read {
    match timeout(DEADLINE, source).await {
        Ok(read) => read.map_err(|error| error.reason()),
        Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
    }
}

fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("plain data is always JSON");
    text.push('\n');
    text
}

fn plain(drawn: &str) -> String {
    anstream::adapter::strip_str(drawn).to_string()
}

/// What is known without a cluster.
pub(super) async fn machine(engine: Result<&Engine, &Error>, bundle: &mut Bundle, work: &Work) {
    work.at("reading versions", "");
    let checks = timeout(DEADLINE, doctor::examine()).await;
    bundle.add(
        "doctor.txt",
        checks
            .map(|checks| plain(&screen::doctor::draw(&checks)))
            .map_err(|_| format!("no answer within {} s", DEADLINE.as_secs())),
    );
    let compose = ComposeTool::find().map(
        |tool| json!({ "command": tool.shown(), "version": tool.version().unwrap_or_default() }),
    );
    let versions = json!({
        "pgha": env!("CARGO_PKG_VERSION"),
        "images_of": crate::sources::FINGERPRINT,
        "compose": compose.unwrap_or_default(),
    });
    bundle.add("versions.json", Ok(json(&versions)));
    let said = match engine {
        Ok(engine) => {
            read(async {
                let version = engine.api().version().await;
                Ok(json(&version.map_err(|e| Error::failed("no version").because(e))?))
            })
            .await
        }
        Err(error) => Err(error.reason()),
    };
    bundle.add("engine.json", said);
}

/// What a cluster says of itself.
pub(super) async fn cluster(
    engine: &Engine,
    cluster: &Cluster,
    since: Option<Timestamp>,
    bundle: &mut Bundle,
    work: &Work,
) {
    let id = cluster.id.to_string();
    work.at("reading the cluster", &id);
    let view = timeout(DEADLINE, observe::whole_view(engine, cluster)).await;
    let view = view
        .map_err(|_| format!("no answer within {} s", DEADLINE.as_secs()))
        .and_then(|view| view.map_err(|error| error.reason()));
    bundle.add("status.json", view.as_ref().map(json).map_err(Clone::clone));
    let extent = Extent { all: true, width: WIDTH };
    let drawn = |view: &ClusterView| plain(&draw_all(std::slice::from_ref(view), extent));
    bundle.add("status.txt", view.as_ref().map(drawn).map_err(Clone::clone));
    let sources = tokio::join!(
        read(wan_view(engine, cluster)),
        read(backups(&id)),
        read(happened(engine, cluster, since)),
        read(images(engine, cluster)),
        read(containers(engine, cluster)),
    );
    for (name, text) in [
        ("wan.json", sources.0),
        ("backups.json", sources.1),
        ("events.jsonl", sources.2),
        ("images.json", sources.3),
        ("containers.json", sources.4),
    ] {
        bundle.add(name, text);
    }
    let config = match &view {
        Ok(view) => read(patroni_config(engine, view)).await,
        Err(why) => Err(why.clone()),
    };
    bundle.add("patroni-config.json", config);
    bundle.add("cluster.toml", spec(cluster));
    bundle.add("docker-compose.yaml", compose_file(cluster));
    work.at("reading logs", "");
    logs(engine, cluster, since, bundle).await;
    work.at("reading versions of programs", "");
    let runs = |container: &&ContainerFact| container.state == ContainerState::Running;
    let versions = cluster.containers.iter().filter(runs).map(async |container| {
        let read = read(programs(engine, &container.name)).await;
        (format!("versions/{}.txt", container.name), read)
    });
    for (name, text) in join_all(versions).await {
        bundle.add(name, text);
    }
}

async fn wan_view(engine: &Engine, cluster: &Cluster) -> Result<String> {
    let topology = cluster.topology()?;
    let state = wan::request(engine, cluster, &Request::State).await?;
    let sites: Vec<String> = topology.sites.iter().map(|site| site.name.clone()).collect();
    let (trips, _) = wan::measure(engine, cluster, topology, &state, &sites).await;
    Ok(json(&WanView::new(&cluster.id.name, cluster.id.instance, &state, &trips)))
}

async fn backups(id: &str) -> Result<String> {
    Ok(json(&BackupHost::find(Some(id), None).await?.repository().await?))
}

async fn happened(engine: &Engine, cluster: &Cluster, since: Option<Timestamp>) -> Result<String> {
    let all = chronicle::entries(engine, cluster, since).await;
    Ok(screen::events::json(&chronicle::ordered(all, since)))
}

async fn patroni_config(engine: &Engine, view: &ClusterView) -> Result<String> {
    let text = patroni::config(engine, view).await?;
    let config = Config::parse(&text).ok_or_else(|| Error::failed("etcd has none"))?;
    Ok(json(config.masked().as_json()))
}

fn spec(cluster: &Cluster) -> Read {
    cluster.topology().map(|topology| topology.spec.to_toml()).map_err(|error| error.reason())
}

fn compose_file(cluster: &Cluster) -> Read {
    let file = project::secrets_beside(cluster).map_err(|error| error.reason())?;
    std::fs::read_to_string(&file).map_err(|e| format!("cannot read {}: {e}", file.display()))
}

/// The images of the cluster: by which id, made when and from which sources.
async fn images(engine: &Engine, cluster: &Cluster) -> Result<String> {
    let images = Images::of(&cluster.topology()?.spec);
    let each = images.all().map(async |image| {
        let said = match engine.api().inspect_image(image).await {
            Ok(found) => json!({
                "id": found.id, "created": found.created, "size": found.size,
                "labels": found.config.and_then(|config| config.labels),
            }),
            Err(e) => json!({ "error": e.to_string() }),
        };
        (image.to_owned(), said)
    });
    let all: serde_json::Map<_, _> = join_all(each).await.into_iter().collect();
    Ok(json(&all))
}

/// How the engine has the containers. Their environment is the specification, which is there already.
async fn containers(engine: &Engine, cluster: &Cluster) -> Result<String> {
    let each = cluster.containers.iter().map(async |container| {
        let options = None::<bollard::query_parameters::InspectContainerOptions>;
        let said = match engine.api().inspect_container(&container.name, options).await {
            Ok(found) => json!({
                "id": found.id, "image": found.image, "created": found.created,
                "restarts": found.restart_count, "state": found.state,
            }),
            Err(e) => json!({ "error": e.to_string() }),
        };
        (container.name.clone(), said)
    });
    let all: serde_json::Map<_, _> = join_all(each).await.into_iter().collect();
    Ok(json(&all))
}

async fn logs(engine: &Engine, cluster: &Cluster, since: Option<Timestamp>, bundle: &mut Bundle) {
    let tail = since.is_none().then_some(LINES);
    let data = cluster.topology.as_ref().map(|topology| data_dir(topology.spec.postgres));
    let each = cluster.containers.iter().map(async |container| {
        let name = &container.name;
        let mut logs =
            vec![(format!("logs/{name}.log"), of_container(engine, name, since, tail).await)];
        if let Some(data) = data.as_ref().filter(|_| container.role == Some(Role::Postgres)) {
            let lines = if container.state == ContainerState::Running {
                of_postgres(engine, name, data, since, tail).await
            } else {
                Vec::new()
            };
            logs.push((format!("logs/{name}.postgres.log"), lines));
        }
        logs
    });
    for (name, lines) in join_all(each).await.into_iter().flatten() {
        let text = if lines.is_empty() {
            Err("no line could be read: the member does not run, or has written none".to_owned())
        } else {
            Ok(drawn(&lines))
        };
        bundle.add(name, text);
    }
}

/// Lines with their times, as far as they do not have them already.
fn drawn(lines: &[LogLine]) -> String {
    let line = |line: &LogLine| {
        if line.text.starts_with(&line.at) || line.at.is_empty() {
            format!("{}\n", line.text)
        } else {
            format!("{} {}\n", line.at, line.text)
        }
    };
    lines.iter().map(line).collect()
}

/// Versions of what a member has.
async fn programs(engine: &Engine, member: &str) -> Result<String> {
    const SCRIPT: &str = "for program in postgres patroni etcd; do \
        command -v $program > /dev/null && $program --version | head -n 1; done; \
        command -v pgbackrest > /dev/null && pgbackrest version; uname -r";
    let ran = engine.exec(member, &["sh", "-c", SCRIPT], DEADLINE).await?;
    Ok(ran.stdout)
}
