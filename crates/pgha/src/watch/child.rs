//! A command that a key stands for, run as a pgha of its own. It goes on to its end also when the screen is left.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc::Sender;

use super::News;

/// What a command that could not be started, or was killed, is said to have ended with.
const NO_CODE: i32 = -1;

/// Starts it; what it prints and its end are told.
pub(super) fn run(argv: Vec<String>, news: Sender<News>) {
    tokio::spawn(async move {
        let code = match carry_out(&argv, &news).await {
            Ok(code) => code,
            Err(why) => {
                let _ = news.send(News::Printed(format!("cannot run pgha: {why}"))).await;
                NO_CODE
            }
        };
        let _ = news.send(News::Ended(code)).await;
    });
}

async fn carry_out(argv: &[String], news: &Sender<News>) -> std::io::Result<i32> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(argv)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A terminal that is closed ends its own group alone.
        .process_group(0)
        .spawn()?;
    tokio::join!(told(child.stdout.take(), news), told(child.stderr.take(), news));
    Ok(child.wait().await?.code().unwrap_or(NO_CODE))
}

async fn told(from: Option<impl AsyncRead + Unpin>, news: &Sender<News>) {
    let Some(from) = from else { return };
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let plain = anstream::adapter::strip_str(&line).to_string();
        let _ = news.send(News::Printed(plain)).await;
    }
}
