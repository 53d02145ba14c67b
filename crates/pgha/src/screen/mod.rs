//! What commands show: tables and lines drawn from plain data. Nothing here asks Docker.
