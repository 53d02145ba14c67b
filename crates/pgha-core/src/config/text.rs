//! The configuration as the text that people edit: TOML, as the cluster file is.

use serde_json::{Map, Value};

pub(super) fn write(config: &Map<String, Value>) -> Result<String, String> {
    let config = without_nulls(&Value::Object(config.clone()));
    toml::to_string_pretty(&config).map_err(|e| e.to_string())
}

pub(super) fn read(text: &str) -> Result<Map<String, Value>, String> {
    let mut config: Map<String, Value> = toml::from_str(text).map_err(|e| e.to_string())?;
    let parameters = config.get_mut("postgresql").and_then(|all| all.get_mut("parameters"));
    if let Some(Value::Object(parameters)) = parameters {
        let mut flat = Map::new();
        flatten("", std::mem::take(parameters), &mut flat);
        *parameters = flat;
    }
    Ok(config)
}

/// A name with a dot may be a key with one, which is a table to TOML.
fn flatten(prefix: &str, values: Map<String, Value>, to: &mut Map<String, Value>) {
    for (key, value) in values {
        let name = format!("{prefix}{key}");
        match value {
            Value::Object(more) => flatten(&format!("{name}."), more, to),
            value => drop(to.insert(name, value)),
        }
    }
}

/// What is null is absent to Patroni, and nothing to TOML.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(all) => {
            let set = all.iter().filter(|(_, value)| !value.is_null());
            Value::Object(set.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        Value::Array(all) => {
            all.iter().filter(|value| !value.is_null()).map(without_nulls).collect()
        }
        other => other.clone(),
    }
}
