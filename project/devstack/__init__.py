"""Everything about running Coveris on one machine: its servers, its processes, and the `./run` commands."""
