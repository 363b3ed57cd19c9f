//! An interface, reduced to what is contract.

use microkernel_bus::zbus::{Connection, Proxy};
use std::path::Path;
use zbus_xml::{Annotation, Arg, ArgDirection, Interface, Node};

/// Compares what is served at `path` with the canonical file, and the file's own claims with the crate's constants.
pub(crate) async fn assert_served_as_written(caller: &Connection, name: &str, path: &str, interface: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("interfaces/{interface}.xml"));
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written.contains(&format!("Bus name     {name}\n")), "{file:?} names another bus name");
    let written = Node::from_reader(written.as_bytes()).unwrap();
    assert_eq!(written.name(), Some(path), "{file:?} names another path");

    let served = Proxy::new(caller, name, path, interface).await.unwrap().introspect().await.unwrap();
    let served = Node::from_reader(served.as_bytes()).unwrap();
    assert_eq!(outline(&served, interface), outline(&written, interface), "left is served, right is {file:?}");
}

/// One line a member, sorted.
fn outline(node: &Node<'_>, interface: &str) -> Vec<String> {
    let found = node.interfaces().iter().find(|candidate| candidate.name() == interface);
    let found: &Interface<'_> = found.unwrap_or_else(|| panic!("{interface} is not there"));
    let methods = found.methods().map(|method| {
        let args = method.args().iter().map(|arg| argument(arg, ArgDirection::In));
        format!("method {}({})", method.name(), args.collect::<Vec<_>>().join(", "))
    });
    let signals = found.signals().map(|signal| {
        let args = signal.args().iter().map(|arg| argument(arg, ArgDirection::Out));
        format!("signal {}({})", signal.name(), args.collect::<Vec<_>>().join(", "))
    });
    let properties = found.properties().map(|property| {
        let announced = announced(property.annotations());
        format!("property {} {} {:?}, announced: {announced}", property.ty(), property.name(), property.access())
    });
    let mut lines: Vec<String> = methods.chain(signals).chain(properties).collect();
    lines.sort();
    lines
}

/// `default` is the direction of an argument that does not say it.
fn argument(arg: &Arg<'_>, default: ArgDirection) -> String {
    let direction = arg.direction().unwrap_or(default);
    format!("{direction:?} {} {}", arg.ty(), arg.name().expect("every argument has a name"))
}

/// The D-Bus specification: without the annotation, changes are announced with their value.
fn announced(annotations: &[Annotation<'_>]) -> String {
    annotations
        .iter()
        .find(|annotation| annotation.name() == "org.freedesktop.DBus.Property.EmitsChangedSignal")
        .map_or("true", |annotation| annotation.value())
        .to_owned()
}
