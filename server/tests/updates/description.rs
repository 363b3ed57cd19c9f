//! The API's own description (OpenAPI), and whether its answers are as it says.

use reqwest::Method;
use serde_json::Value;

/// The document that a server answers with.
pub(crate) struct Description(Value);

impl Description {
    pub(crate) async fn of(url: &str) -> Self {
        let answer = reqwest::get(format!("{url}/api/openapi.json")).await.unwrap();
        assert_eq!(answer.status(), 200);
        Self(answer.json().await.unwrap())
    }

    /// Fails where an answer is not what the document says of this operation.
    pub(crate) fn check(&self, method: &Method, path: &str, status: u16, body: &Value) {
        let what = format!("{method} {path}");
        let operation = self.operation(method, path);
        // What no operation takes is answered by a problem, too.
        let responses = operation.map(|operation| &operation["responses"]);
        let response = match responses {
            Some(responses) if responses.get(status.to_string()).is_some() => &responses[status.to_string()],
            Some(responses) => &responses["default"],
            None => &self.operation(&Method::GET, "/api/v1/devices").unwrap()["responses"]["default"],
        };
        assert!(
            status >= 400 || responses.is_some_and(|all| all.get(status.to_string()).is_some()),
            "{what}: {status}"
        );
        let Some(content) = response.get("content") else {
            assert!(body.is_null(), "{what}: {status} has no body by its description, but {body}");
            return;
        };
        let media = content.as_object().unwrap().values().next().unwrap();
        let mut schema = media["schema"].clone();
        schema["components"] = self.0["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let wrong: Vec<String> =
            validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{what}: {status}: {wrong:?}\n{body}\n{}", media["schema"]);
    }

    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let path = path.split('?').next().unwrap_or_default();
        let fits = |template: &str| {
            let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
            template.len() == path.len()
                && template.iter().zip(path).all(|(wanted, given)| wanted.starts_with('{') || *wanted == given)
        };
        let (_, item) = self.0["paths"].as_object().unwrap().iter().find(|(template, _)| fits(template))?;
        item.get(method.as_str().to_lowercase())
    }
}

#[tokio::test]
async fn the_description_is_whole() {
    let world = crate::world::World::start().await;
    let server = world.server().await;
    let document = Description::of(&server.url).await.0;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let mut operation_ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            let text = |field: &str| operation[field].as_str().is_some_and(|text| !text.trim().is_empty());
            assert!(text("summary"), "{what} says what it does");
            assert!(operation["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{what} belongs somewhere");
            let id = operation["operationId"].as_str().unwrap();
            assert!(operation_ids.insert(id.to_owned()), "{what}: another operation is {id}, too");
            let named = operation["parameters"].as_array().cloned().unwrap_or_default();
            for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                assert!(named.iter().any(|one| one["name"] == name && one["in"] == "path"), "{what}: {name}");
            }
        }
    }
    for reference in references(&document) {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(fields.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => vec![],
    }
}
