//! The embedded default: the database and the broker that the server starts for itself, below its data folder.
